#include "sandbox/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kEntryCost =
    4096;                       ///< what an entry counts for, whatever its size: bounds their number
constexpr int kMaxDepth = 200;  ///< one descriptor pair a level

struct Budget {
  std::uint64_t left;
  int top = -1;  ///< of the copy
  std::map<std::pair<dev_t, ino_t>, std::string> several =
      {};  ///< where in the copy an object with several names is
  Result<void> take(std::uint64_t bytes) {
    if (bytes > left) return fail("larger than what is copied", ExitCode::kUnavailable);
    left -= bytes;
    return {};
  }
};

Result<void> copy_data(int from, int to, Budget& budget) {
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(from, buffer, sizeof buffer);
    if (n < 0) return sys::last_error("read");
    if (n == 0) return {};
    RH_CHECK(budget.take(static_cast<std::uint64_t>(n)));
    RH_CHECK(sys::write_all(to, {buffer, static_cast<std::size_t>(n)}));
  }
}

Result<void> copy_regular(int from, int to, const char* name, Budget& budget) {
  RH_TRY(auto out, sys::open_beneath(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
  RH_CHECK(copy_data(from, out.get(), budget));
  return copy_attributes(from, out.get());
}

Result<void> set_times(int directory, const char* name, const struct stat& st) {
  const struct timespec times[2] = {st.st_atim, st.st_mtim};
  if (::utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) != 0)
    return sys::last_error("utimensat", name);
  return {};
}

/// The host has removed or replaced it since it was listed.
bool is_gone(int err) {
  return err == ENOENT || err == ENOTDIR || err == ELOOP || err == EINVAL;
}

Result<void> copy_link(const std::string& target, const struct stat& st, int to, const char* name) {
  if (::symlinkat(target.c_str(), to, name) != 0) return sys::last_error("symlink", name);
  if (::fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return sys::last_error("chown", name);
  return set_times(to, name, st);
}

Result<void> copy_node(const char* name, const struct stat& st, int to) {
  if (::mknodat(to, name, st.st_mode & (S_IFMT | 07777U), st.st_rdev) != 0)
    return sys::last_error("mknod", name);
  if (::fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return sys::last_error("chown", name);
  if (::fchmodat(to, name, st.st_mode & 07777U, 0) != 0) return sys::last_error("chmod", name);
  return set_times(to, name, st);
}

Result<void> copy_level(int from, int to, const std::string& path, Budget& budget, int depth) {
  if (depth > kMaxDepth) return fail("deeper than what is copied", ExitCode::kUnavailable);
  RH_TRY(auto listing, sys::open_beneath(from, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(listing.release()), ::closedir);
  if (!entries) return sys::last_error("fdopendir");
  while (const dirent* entry = ::readdir(entries.get())) {
    const char* name = entry->d_name;
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
    RH_CHECK(budget.take(kEntryCost));
    auto st = sys::stat_at(from, name, AT_SYMLINK_NOFOLLOW);
    if (!st && st.error().err == ENOENT) continue;  // the host removed it meanwhile
    if (!st) return tl::make_unexpected(st.error());
    const std::string at = path + name;
    const bool several = st->st_nlink > 1 && !S_ISDIR(st->st_mode);
    // Objects of one mount may have several devices: those of an overlay, of btrfs.
    const std::pair object(st->st_dev, st->st_ino);
    if (const auto known = budget.several.find(object); several && known != budget.several.end()) {
      RH_CHECK(sys::link_at(budget.top, known->second.c_str(), to, name));
      continue;
    }
    if (S_ISDIR(st->st_mode)) {
      const auto source = sys::open_beneath(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (!source && is_gone(source.error().err)) continue;
      if (!source) return tl::make_unexpected(source.error());
      RH_CHECK(sys::mkdir_at(to, name, 0700));
      RH_TRY(auto target, sys::open_beneath(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      RH_CHECK(copy_level(source->get(), target.get(), at + '/', budget, depth + 1));
      RH_CHECK(copy_attributes(source->get(), target.get()));
    } else if (S_ISREG(st->st_mode)) {
      auto source = sys::open_beneath(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (!source && is_gone(source.error().err)) continue;
      if (!source) return tl::make_unexpected(source.error());
      RH_CHECK(copy_regular(source->get(), to, name, budget));
    } else if (S_ISLNK(st->st_mode)) {
      const auto target = sys::read_link_at(from, name);
      if (!target && is_gone(target.error().err)) continue;
      if (!target) return tl::make_unexpected(target.error());
      RH_CHECK(copy_link(*target, *st, to, name));
    } else if (!S_ISCHR(st->st_mode) || st->st_rdev != 0) {
      RH_CHECK(copy_node(name, *st, to));
    } else {
      continue;
    }
    if (several) budget.several.emplace(object, at);
  }
  return {};
}

}  // namespace

Result<void> copy_attributes(int from, int to) {
  RH_TRY(const auto st, sys::stat_fd(from));
  if (::fchown(to, st.st_uid, st.st_gid) != 0) return sys::last_error("fchown");
  if (::fchmod(to, st.st_mode & 07777U) != 0) return sys::last_error("fchmod");
  if (auto names = sys::list_xattrs(from)) {
    for (const std::string& name : *names) {
      if (name.starts_with("trusted.overlay.")) continue;
      const auto value = sys::get_xattr(from, name.c_str());
      if (!value) continue;
      if (auto set = sys::set_xattr(to, name.c_str(), *value); !set && set.error().err != EOPNOTSUPP)
        return set;
    }
  }
  const struct timespec times[2] = {st.st_atim, st.st_mtim};
  if (::futimens(to, times) != 0) return sys::last_error("futimens");
  return {};
}

Result<void> copy_tree(int from, int to, std::uint64_t limit) {
  Budget budget{limit};
  budget.top = to;
  RH_CHECK(copy_level(from, to, "", budget, 0));
  return copy_attributes(from, to);
}

Result<void> copy_file(int from, int to, const char* name, std::uint64_t limit) {
  Budget budget{limit};
  return copy_regular(from, to, name, budget);
}

}  // namespace rehearse::sandbox
