#include "trace/failed_calls.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMostOfOne = 12;        ///< of a process, each of the absent and the refused
constexpr std::size_t kMostProcesses = 8192;  ///< that live, or ended badly
constexpr std::size_t kLongestName = 1024;

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT;
}

/// ENOSPC of these is about a table of the kernel's.
bool fills_a_table(std::uint32_t nr) {
  return nr == Nr::inotify_add_watch || nr == Nr::fanotify_mark;
}

/// A character device has no room that files could take: /dev/full says so to each write.
bool is_of_device(const TraceEvent& event) {
  return event.fd != nullptr && event.fd->known_file && S_ISCHR(event.fd->file.mode);
}

bool only_asks(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::access, Nr::faccessat, Nr::faccessat2, Nr::stat, Nr::lstat,
                                          Nr::newfstatat, Nr::statx, Nr::readlink, Nr::readlinkat, Nr::statfs,
                                          Nr::getxattr, Nr::lgetxattr, Nr::listxattr, Nr::llistxattr);
  return kCalls.contains(nr);
}

struct Named {
  std::int32_t directory = AT_FDCWD;
  std::string_view path;
};

std::optional<Named> name_in(const Record& record, const syscalls::Syscall& call, std::uint8_t arg) {
  std::optional<Named> named;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT && attachment.arg == arg && (attachment.flags & RH_FAULT) == 0)
      named.emplace().path = attachment.bytes;
  });
  if (named && arg > 0 && call.args[arg - 1U] == syscalls::Arg::kAtFd)
    named->directory = static_cast<std::int32_t>(record.argument(arg - 1U));
  return named;
}

}  // namespace

void FailedCalls::add(const TraceEvent& event, const EventStream& events) {
  if (event.type == EventType::kEnd) {
    if (event.process->exit == 0 && !event.process->signal) recent_.erase(event.process->id);
    return;
  }
  if (!event.failed() || event.record->head().abi != 0) return;
  const int error = static_cast<int>(-event.result());
  const bool absent = error == ENOENT || error == ENOTDIR;
  const bool refused = error == EACCES || error == EPERM || error == EROFS;
  if (is_full(error) && is_of_device(event)) {
    full_device_ = true;
    return;
  }
  if (!absent && !refused && !is_full(error)) return;
  const std::uint32_t nr = event.record->head().nr;
  const syscalls::Syscall* call = syscalls::find_syscall(nr);
  // What only an administrator may do is an attempt: whether a host would have let it is not known.
  if (call == nullptr || call->privilege != syscalls::Privilege::kNone || fills_a_table(nr)) return;
  CallFailure failure;
  if (const auto arg = call->find(syscalls::Arg::kPath)) {
    auto named = name_in(*event.record, *call, *arg);
    if (!named && event.entry != nullptr) named = name_in(*event.entry, *call, *arg);
    if (!named || named->path.empty()) return;
    failure.spelled = named->path.substr(0, kLongestName);
    failure.path = events.spell(event, named->directory, named->path).value_or("");
  } else if (is_full(error) && event.fd != nullptr) {
    failure.path = events.place(event);
  } else {
    return;
  }
  auto found = recent_.find(event.process->id);
  if (found == recent_.end()) {
    if (recent_.size() >= kMostProcesses) {
      cut_ = true;
      return;
    }
    found = recent_.emplace(event.process->id, Recent()).first;
  }
  failure.number = event.number;
  failure.process = event.process->id;
  failure.nr = nr;
  failure.error = error;
  failure.asks = only_asks(nr);
  std::deque<CallFailure>& list = absent ? found->second.absent : found->second.refused;
  // The same again is the same: a program that tries in a loop does not push the others out.
  if (!list.empty() && list.back().nr == nr && list.back().error == error &&
      list.back().spelled == failure.spelled) {
    list.back().number = event.number;
    return;
  }
  if (list.size() == kMostOfOne) list.pop_front();
  list.push_back(std::move(failure));
}

std::vector<CallFailure> FailedCalls::list(const ProcessTree& tree) const {
  std::vector<CallFailure> all;
  for (const auto& [id, recent] : recent_) {
    if (id >= tree.processes().size()) continue;
    const Process& process = tree.processes()[id];
    if (process.end_ns && process.exit == 0 && !process.signal) continue;
    for (const auto* list : {&recent.absent, &recent.refused})
      all.insert(all.end(), list->begin(), list->end());
  }
  std::ranges::sort(all, {}, &CallFailure::number);
  return all;
}

}  // namespace rehearse::trace
