#include "trace/mount_touches.h"

#include <cerrno>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/file_change.h"
#include "trace/path_argument.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 131072;  ///< names of each kind: some 20 MB

/// Those that ask more of a mount point than its attributes, which are the run's own there.
bool asks_for_mount(std::uint32_t nr) {
  static constexpr syscalls::NrSet kAsking(Nr::statfs, Nr::access, Nr::faccessat, Nr::faccessat2, Nr::mount,
                                           Nr::move_mount, Nr::open_tree, Nr::open_tree_attr, Nr::chroot,
                                           Nr::pivot_root, Nr::inotify_add_watch, Nr::fanotify_mark,
                                           Nr::name_to_handle_at);
  return kAsking.contains(nr);
}

bool executes(std::uint32_t nr) {
  return nr == Nr::execve || nr == Nr::execveat;
}

bool is_refusal(std::int64_t result) {
  return result == -EROFS || result == -EACCES || result == -EPERM;
}

/// "" above the first component; a name from a directory that is not known may have none.
std::string_view above(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

/// What was named is there, and this is said of it: no extended attribute, no link, made already.
bool is_answer(std::int64_t result) {
  return result == -ENODATA || result == -EOPNOTSUPP || result == -ERANGE || result == -EINVAL ||
         result == -EEXIST;
}

}  // namespace

MountTouches::MountTouches(std::set<std::string, std::less<>> watched, const HostPaths& paths)
    : watched_(std::move(watched)), paths_(paths) {
  for (const std::string& mountpoint : watched_) leaves_.insert(mountpoint.substr(mountpoint.rfind('/') + 1));
}

/// What most names of calls that succeed are spared: to be spelled out.
bool MountTouches::may_name_one(std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::string_view leaf = path.substr(path.rfind('/') + 1);
  return leaf.empty() || leaf == "." || leaf == ".." || leaves_.contains(leaf);
}

MountTouches::Touch MountTouches::at(const std::string& mountpoint) const {
  const auto found = touches_.find(mountpoint);
  return found == touches_.end() ? Touch() : found->second;
}

void MountTouches::keep(std::set<std::string>& in, const std::string& path) {
  if (in.size() < kMost)
    in.insert(path);
  else
    cut_ = cut_ || !in.contains(path);
}

/// A call names `path`, on the host as far as the action's own links and renames go.
void MountTouches::named(const std::string& path, const TraceEvent& event) {
  const std::uint32_t nr = event.record->head().nr;
  const std::int64_t result = event.result();
  for (std::string_view top = path; !top.empty(); top = above(top)) {
    const auto found = watched_.find(top);
    if (found == watched_.end()) continue;
    const bool exact = top.size() == path.size();
    Touch& touch = touches_[*found];
    if (event.failed())
      touch.failed = touch.failed || is_refusal(result) || (!exact && !is_answer(result));
    else if (exact)
      touch.named = true;
    if (asks_for_mount(nr) && (exact || nr == Nr::mount || nr == Nr::open_tree || nr == Nr::move_mount))
      touch.looked = true;
  }
  if (!event.failed() || is_answer(result)) return;
  if (executes(nr) && result == -ENOENT) keep(not_executed_, path);
  keep(failed_names_, path);
}

void MountTouches::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0) return;
  const std::uint32_t nr = event.record->head().nr;
  const syscalls::Syscall* call = syscalls::find_syscall(nr);
  if (call == nullptr) return;
  for (const std::uint8_t arg : call->strings()) {
    if (call->args[arg] != syscalls::Arg::kPath && nr != Nr::mount) continue;
    const auto name = path_argument(*call, *event.record, arg);
    if (!name || name->path.empty() || (nr == Nr::mount && !name->path.starts_with('/'))) continue;
    if (!event.failed() && !asks_for_mount(nr) && !may_name_one(name->path)) continue;
    if (const auto spelled = events.spell(event, name->directory, name->path))
      named(paths_.leads_to(*spelled), event);
  }
  if (event.failed()) return;
  if (event.fd != nullptr && call->result == syscalls::Return::kFd) {
    const std::string opened = paths_.leads_to(event.fd->name);
    if (const auto found = watched_.find(opened); found != watched_.end()) touches_[*found].looked = true;
  }
  for (const std::string& place : changed_places(event, events)) {
    const std::string path = paths_.leads_to(place);
    for (std::string_view top = path; !top.empty(); top = above(top)) {
      if (const auto found = watched_.find(top); found != watched_.end()) touches_[*found].changed = true;
    }
  }
}

}  // namespace rehearse::trace
