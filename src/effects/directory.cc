#include "effects/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "base/sys.h"

namespace rehearse::effects {

namespace {

/// Listing an upper's directory must not write its access time: that tells what the action did.
Result<UniqueFd> open_to_list(int parent, const char* path, int more) {
  const int flags = O_RDONLY | O_DIRECTORY | more;
  auto fd = sys::open_beneath(parent, path, flags | O_NOATIME);
  return !fd && fd.error().err == EPERM ? sys::open_beneath(parent, path, flags) : std::move(fd);
}

}  // namespace

Result<SharedFd> open_subdirectory(const UniqueFd& parent, const std::string& name) {
  RH_TRY(auto fd, open_to_list(parent.get(), name.c_str(), O_NOFOLLOW));
  return std::make_shared<const UniqueFd>(std::move(fd));
}

Result<SharedFd> open_directory_beneath(int root, const std::string& path) {
  // In pieces that the kernel takes as a path, each ending with a whole component.
  constexpr std::size_t kPiece = PATH_MAX - 1;
  std::string_view rest = path;
  UniqueFd at;
  while (rest.size() > kPiece) {
    const auto slash = rest.rfind('/', kPiece);
    if (slash == std::string_view::npos || slash == 0)
      return fail_errno(ENAMETOOLONG, "open " + std::string(rest.substr(0, 80)));
    RH_TRY(auto next, sys::open_beneath(at.valid() ? at.get() : root,
                                        std::string(rest.substr(0, slash)).c_str(), O_PATH | O_DIRECTORY));
    at = std::move(next);
    rest.remove_prefix(slash + 1);
  }
  RH_TRY(auto fd,
         open_to_list(at.valid() ? at.get() : root, rest.empty() ? "." : std::string(rest).c_str(), 0));
  return std::make_shared<const UniqueFd>(std::move(fd));
}

Result<UniqueFd> open_object_beneath(int root, const std::string& path) {
  const auto slash = path.rfind('/');
  if (path.size() < PATH_MAX || slash == std::string::npos)
    return sys::open_beneath(root, path.c_str(), O_PATH | O_NOFOLLOW);
  RH_TRY(const auto parent, open_directory_beneath(root, path.substr(0, slash)));
  return sys::open_beneath(parent->get(), path.c_str() + slash + 1, O_PATH | O_NOFOLLOW);
}

Result<struct stat> stat_beneath(int root, const std::string& path) {
  const auto slash = path.rfind('/');
  if (path.size() < PATH_MAX || slash == std::string::npos)
    return sys::stat_at(root, path.c_str(), AT_SYMLINK_NOFOLLOW);
  RH_TRY(const auto parent, open_directory_beneath(root, path.substr(0, slash)));
  return sys::stat_at(parent->get(), path.c_str() + slash + 1, AT_SYMLINK_NOFOLLOW);
}

namespace {

bool by_name(const Listed& a, const Listed& b) {
  return a.name < b.name;
}

}  // namespace

Result<Listing> Listing::read(int directory) {
  // On a descriptor with an offset of its own: the one given may be shared by threads.
  RH_TRY(const auto own, open_to_list(directory, ".", 0));
  Listing listing;
  alignas(8) char buffer[32768];
  while (true) {
    const long n = ::syscall(SYS_getdents64, own.get(), buffer, sizeof buffer);
    if (n < 0) return sys::last_error("getdents64");
    if (n == 0) break;
    const auto size = static_cast<std::size_t>(n);
    std::unique_ptr<char[]> kept(new char[size]);
    std::memcpy(kept.get(), buffer, size);
    for (std::size_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const struct dirent64*>(kept.get() + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") listing.entries_.push_back({name, entry->d_type, entry->d_ino});
      at += entry->d_reclen;
    }
    listing.names_.push_back(std::move(kept));
  }
  std::sort(listing.entries_.begin(), listing.entries_.end(), by_name);
  return listing;
}

std::optional<Listing> Listing::read_to_look_up(int directory, std::size_t lookups) {
  // A directory's size bounds its entries on most filesystems; reading one costs a tenth of a stat.
  constexpr std::size_t kEntryBytes = 32;
  constexpr std::size_t kEntriesAStat = 8;
  constexpr off_t kMostBytes = off_t{512} << 10U;
  if (lookups < 2) return std::nullopt;
  const auto st = sys::stat_fd(directory);
  if (!st || st->st_size > kMostBytes ||
      static_cast<std::size_t>(st->st_size) > lookups * kEntriesAStat * kEntryBytes)
    return std::nullopt;
  auto listing = read(directory);
  if (!listing) return std::nullopt;
  return std::move(*listing);
}

void Listing::merge(Listing other) {
  std::move(other.names_.begin(), other.names_.end(), std::back_inserter(names_));
  const auto middle = static_cast<std::ptrdiff_t>(entries_.size());
  entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
  std::inplace_merge(entries_.begin(), entries_.begin() + middle, entries_.end(), by_name);
  entries_.erase(std::unique(entries_.begin(), entries_.end(),
                             [](const Listed& a, const Listed& b) { return a.name == b.name; }),
                 entries_.end());
}

const Listed* Listing::find(std::string_view name) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const Listed& listed, std::string_view wanted) { return listed.name < wanted; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace rehearse::effects
