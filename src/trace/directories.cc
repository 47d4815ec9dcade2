#include "trace/directories.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <charconv>

namespace rehearse::trace {
namespace {

constexpr std::size_t kLongestPath = 4096;  ///< PATH_MAX; what is longer is not followed
constexpr std::size_t kMostAliases = 256;
constexpr int kMostLinks = 8;

std::string_view text_of(const Record& record, unsigned arg) {
  std::string_view text;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT && attachment.arg == arg && (attachment.flags & (RH_FAULT | RH_CUT)) == 0)
      text = attachment.bytes;
  });
  return text;
}

/// How much of a root's path ".." cannot leave.
std::size_t kept_of(std::string_view root) {
  return root == "/" ? 0 : root.size();
}

}  // namespace

Directories::Place& Directories::place(std::uint32_t tid) {
  return places_.change(tid, [] { return std::make_shared<Place>(); });
}

std::string Directories::root(std::uint32_t tid) const {
  const Place* known = places_.find(tid);
  return known == nullptr ? "/" : known->root;
}

std::string_view Directories::working(std::uint32_t tid) const {
  const Place* known = places_.find(tid);
  return known == nullptr ? std::string_view() : known->working;
}

void Directories::exec(std::uint32_t old_tid, std::uint32_t tid, const Record& exec) {
  places_.rename(old_tid, tid);
  places_.unshare(tid);
  moved(tid, exec);
}

/// By what the kernel says after it.
void Directories::moved(std::uint32_t tid, const Record& record) {
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind != RH_PATH || (attachment.arg != RH_CWD && attachment.arg != RH_ROOT)) return;
    std::string path = (attachment.flags & RH_CUT) != 0 ? std::string() : path_of(attachment.bytes);
    Place& own = place(tid);
    (attachment.arg == RH_CWD ? own.working : own.root) = std::move(path);
  });
}

/// The directory that relative paths begin at; "" if it is not known.
std::string Directories::base(std::uint32_t tid, std::int32_t at) const {
  if (at == AT_FDCWD) return std::string(working(tid));
  const auto info = fds_.find(tid, at);
  return info == nullptr ? std::string() : info->name;
}

std::optional<std::string> Directories::spell(std::uint32_t tid, std::int32_t at,
                                              std::string_view path) const {
  std::string whole = path.starts_with('/') ? root(tid) : base(tid, at);
  if (!whole.starts_with('/') || whole.size() + path.size() > kLongestPath) return std::nullopt;
  if (whole == "/") whole.clear();
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (!part.empty() && part != ".") (whole += '/') += part;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return whole.empty() ? "/" : whole;
}

bool Directories::follow_own(std::uint32_t tid, std::string& path) const {
  for (const std::string_view own : {"/proc/self", "/proc/thread-self", "/dev"}) {
    if (!is_within(path, own) || path.size() == own.size()) continue;
    const std::string_view rest = std::string_view(path).substr(own.size() + 1);
    const std::string_view link = rest.substr(0, rest.find('/'));
    std::string_view below = rest.substr(link.size());
    std::string to;
    if (own != "/dev" && link == "cwd") to = working(tid);
    if (own != "/dev" && link == "root") to = root(tid);
    if (link == "fd" && below.size() > 1) {
      const std::string_view number = below.substr(1, below.find('/', 1) - 1);
      std::int32_t fd = -1;
      std::from_chars(number.data(), number.data() + number.size(), fd);
      if (const auto info = fds_.find(tid, fd)) to = info->name;
      below.remove_prefix(1 + number.size());
    }
    if (!to.starts_with('/') || to.size() > kLongestPath) continue;
    path = joined_path(to, 0, below);
    return true;
  }
  return false;
}

std::string Directories::plain(std::string_view path) const {
  for (auto alias = aliases_.rbegin(); alias != aliases_.rend(); ++alias) {
    if (is_within(path, alias->name)) return alias->stands_for + std::string(path.substr(alias->name.size()));
  }
  return std::string(path);
}

std::string Directories::resolve(std::uint32_t tid, std::int32_t at, std::string_view path) const {
  const std::string top = root(tid);
  std::string resolved;
  if (path.starts_with('/')) {
    resolved = joined_path(top, kept_of(top), path);
  } else {
    const std::string from = base(tid, at);
    if (!from.starts_with('/') || from.size() > kLongestPath) return std::string(path);
    resolved = joined_path(from, is_within(from, top) ? kept_of(top) : 0, path);
  }
  for (int links = 0; links < kMostLinks && follow_own(tid, resolved);) ++links;
  return plain(resolved);
}

void Directories::mounted(std::uint32_t tid, const Record& exit) {
  const std::string name = resolve(tid, AT_FDCWD, text_of(exit, 1));
  const std::string_view type = text_of(exit, 2);
  const std::uint64_t flags = exit.argument(3);
  std::string stands_for;
  if ((flags & (MS_BIND | MS_MOVE)) != 0 && (flags & MS_REMOUNT) == 0)
    stands_for = resolve(tid, AT_FDCWD, text_of(exit, 0));
  else if (type == "proc")
    stands_for = "/proc";
  else if (type == "sysfs")
    stands_for = "/sys";
  const bool kernels = is_within(stands_for, "/proc") || is_within(stands_for, "/sys");
  if (!kernels || !name.starts_with('/') || name == stands_for || name.size() > kLongestPath ||
      stands_for.size() > kLongestPath)
    return;
  if (aliases_.size() >= kMostAliases) aliases_.erase(aliases_.begin());
  aliases_.push_back({name, stands_for});
}

void Directories::call(std::uint32_t tid, const Record& exit) {
  const struct rh_head& head = exit.head();
  if (head.abi != 0 || reinterpret_cast<const struct rh_call&>(head).result != 0) return;
  switch (head.nr) {
    case SYS_chdir:
    case SYS_fchdir:
    case SYS_chroot:
    case SYS_pivot_root:
      return moved(tid, exit);
    case SYS_unshare:
      if ((exit.argument(0) & (CLONE_FS | CLONE_NEWNS)) != 0) places_.unshare(tid);
      return;
    case SYS_mount:
      return mounted(tid, exit);
    default:
      return;
  }
}

}  // namespace rehearse::trace
