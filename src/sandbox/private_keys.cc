#include "sandbox/private_keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr int kDeepest = 3;
constexpr std::size_t kMostEntries = 1000;
constexpr off_t kLargest = off_t{64} << 10U;
constexpr std::size_t kHead = 4096;
/// Nothing is waited for (a lease, a pipe), and the host's access times stay.
constexpr int kQuietly = O_RDONLY | O_NONBLOCK | O_NOATIME | O_NOCTTY;

bool is_key_name(const char* name) {
  if (::fnmatch("*.pub", name, 0) == 0) return false;
  return std::ranges::any_of(std::initializer_list<const char*>{"id_*", "*.pem", "*.key"},
                             [name](const char* pattern) { return ::fnmatch(pattern, name, 0) == 0; });
}

class Search {
 public:
  Search(int root, uid_t home_owner, std::vector<std::string>& found)
      : root_(root), home_owner_(home_owner), found_(found) {}

  /// `linked`: whose symlink led here, if one did.
  void look_at(int directory, const std::string& path, const char* name, std::optional<uid_t> linked,
               int depth) {
    struct stat st = {};
    if (::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISLNK(st.st_mode)) return follow(path + '/' + name, name, st.st_uid, depth);
    if (S_ISREG(st.st_mode) && may_mask(st.st_uid, linked) &&
        is_key(st, name, [&] { return sys::open_beneath(directory, name, kQuietly); }))
      found_.push_back(path + '/' + name);
    if (!S_ISDIR(st.st_mode) || depth == kDeepest) return;
    if (auto fd = sys::open_beneath(directory, name, O_RDONLY | O_DIRECTORY))
      walk(std::move(*fd), path + '/' + name, linked, depth + 1);
  }

 private:
  void walk(UniqueFd fd, const std::string& path, std::optional<uid_t> linked, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd.release()), ::closedir);
    if (!listing) return;
    while (const dirent* entry = ::readdir(listing.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (left_-- == 0) {
        left_ = 0;
        return;
      }
      look_at(::dirfd(listing.get()), path, entry->d_name, linked, depth);
    }
  }

  void follow(const std::string& link, const char* name, uid_t linked, int depth) {
    const auto target =
        sys::open_at2(root_, link.c_str(), O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    const auto st = target ? sys::stat_fd(target->get()) : Result<struct stat>(fail("dangling"));
    if (!st) return;
    const std::string itself = sys::fd_path(target->get());
    auto real = sys::read_link_at(AT_FDCWD, itself.c_str());
    if (!real) return;
    if (S_ISREG(st->st_mode) && may_mask(st->st_uid, linked) &&
        is_key(*st, name, [&] { return sys::open(itself.c_str(), kQuietly); }))
      found_.push_back(std::move(*real));
    if (!S_ISDIR(st->st_mode) || depth == kDeepest) return;
    if (auto fd = sys::open(itself.c_str(), O_RDONLY | O_DIRECTORY))
      walk(std::move(*fd), *real, linked, depth + 1);
  }

  /// Nobody can have another's file, /etc/passwd say, shown empty by a symlink to it. Root may link a home's
  /// directory to where he keeps that user's files.
  [[nodiscard]] bool may_mask(uid_t owner, std::optional<uid_t> linked) const {
    return !linked || owner == *linked || (*linked == 0 && owner == home_owner_);
  }

  template <class Open>
  static bool is_key(const struct stat& st, const char* name, Open open) {
    if (is_key_name(name)) return true;
    if (st.st_size == 0 || st.st_size > kLargest) return false;
    const auto file = open();
    char head[kHead];
    const ssize_t n = file ? ::read(file->get(), head, sizeof head) : -1;
    return n > 0 && looks_like_private_key({head, static_cast<std::size_t>(n)});
  }

  int root_;
  uid_t home_owner_;
  std::vector<std::string>& found_;
  std::size_t left_ = kMostEntries;
};

bool is_first_line(std::string_view line) {
  if (line.starts_with("PuTTY-User-Key-File-")) return true;
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnd = "PRIVATE KEY-----";
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line.starts_with(kBegin) && line.ends_with(kEnd) && line.size() >= kBegin.size() + kEnd.size();
}

}  // namespace

bool looks_like_private_key(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (is_first_line(text.substr(0, end))) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

void find_private_keys(int root, const std::string& home, std::vector<std::string>& found) {
  const auto directory =
      sys::open_at2(root, home.c_str(), O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  if (!directory) return;
  const auto st = sys::stat_fd(directory->get());
  if (st) Search(root, st->st_uid, found).look_at(directory->get(), home, ".ssh", std::nullopt, 0);
}

}  // namespace rehearse::sandbox
