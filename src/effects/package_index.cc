#include "effects/package_index.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <memory>

#include "base/sys.h"

namespace rehearse::effects {
namespace {

constexpr std::size_t kLargestList = std::size_t{64} << 20U;

/// FNV-1a, 64 bits.
std::uint64_t hash(std::string_view prefix, std::string_view path) {
  std::uint64_t value = 14695981039346656037ULL;
  for (const std::string_view part : {prefix, path}) {
    for (const char c : part) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return value;
}

/// Package lists say /bin/ls where a host with merged /usr has /usr/bin/ls.
bool moved_to_usr(std::string_view path) {
  for (const std::string_view directory : {"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"}) {
    if (path.starts_with(directory)) return true;
  }
  return false;
}

}  // namespace

PackageIndex PackageIndex::load(int lower, int upper) {
  PackageIndex index;
  const auto bin = sys::stat_at(lower, "bin", AT_SYMLINK_NOFOLLOW);
  index.merged_usr_ = bin && S_ISLNK(bin->st_mode);
  index.load_database(lower);
  index.load_database(upper);
  std::stable_sort(index.entries_.begin(), index.entries_.end());
  index.entries_.shrink_to_fit();
  return index;
}

void PackageIndex::load_database(int root) {
  auto fd = sys::open_beneath(root, "var/lib/dpkg/info", O_RDONLY | O_DIRECTORY);
  if (!fd) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd->release()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(".list") || entry->d_type != DT_REG) continue;
    name.remove_suffix(5);
    add_list(::dirfd(listing.get()), entry->d_name, name.substr(0, name.find(':')));
  }
}

void PackageIndex::add_list(int directory, const char* file, std::string_view package) {
  auto fd = sys::open_beneath(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return;
  const auto text = sys::read_all(fd->get(), kLargestList);
  if (!text) return;
  const auto number = static_cast<std::uint32_t>(packages_.size());
  packages_.emplace_back(package);
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view path = rest.substr(0, end);
    if (path.size() > 1)
      entries_.push_back({hash(merged_usr_ && moved_to_usr(path) ? "/usr" : "", path), number});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string_view PackageIndex::owner(std::string_view path) const {
  const Entry wanted{hash("", path), 0};
  const auto [first, last] = std::equal_range(entries_.begin(), entries_.end(), wanted);
  if (first == last) return {};
  // Directories are in many lists: then nobody owns them.
  for (auto entry = first; entry != last; ++entry) {
    if (packages_[entry->package] != packages_[first->package]) return {};
  }
  return packages_[first->package];
}

}  // namespace rehearse::effects
