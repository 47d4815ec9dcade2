#include "trace/foreign_process.h"

#include <sys/resource.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "syscalls/table.h"
#include "trace/directories.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint64_t kInt = 0xffffffff;
constexpr std::uint32_t kInit = 1;
constexpr std::uint64_t kIoPriorityOfUser = 3;  // IOPRIO_WHO_USER: Debian's linux/ioprio.h is no C++

/// Calls that take whom they are for from two arguments: of which kind it is, and its number.
bool is_by_kind(std::uint32_t nr) {
  return nr == Nr::setpriority || nr == Nr::getpriority || nr == Nr::ioprio_set || nr == Nr::ioprio_get;
}

bool names_user(const Record& record) {
  const std::uint64_t which = record.argument(0) & kInt;
  const std::uint32_t nr = record.head().nr;
  const bool io = nr == Nr::ioprio_set || nr == Nr::ioprio_get;
  return is_by_kind(nr) && which == (io ? kIoPriorityOfUser : std::uint64_t{PRIO_USER});
}

/// All processes of a user: those inside are but a few of them.
bool sets_for_user(const Record& record) {
  const std::uint32_t nr = record.head().nr;
  return names_user(record) && (nr == Nr::setpriority || nr == Nr::ioprio_set);
}

bool only_asks_for_limits(const Record& record) {
  return record.head().nr == Nr::prlimit64 && record.argument(2) == 0;
}

/// Changes the process that it names.
bool sets(const Record& record) {
  switch (record.head().nr) {
    case Nr::setpriority:
    case Nr::ioprio_set:
    case Nr::sched_setaffinity:
    case Nr::sched_setscheduler:
    case Nr::sched_setparam:
    case Nr::sched_setattr:
    case Nr::migrate_pages:
      return true;
    case Nr::prlimit64:
      return !only_asks_for_limits(record);
    case Nr::move_pages:
      return record.argument(3) != 0;  // to where; else it asks where they are
    default:
      return false;
  }
}

/// Of two the one that is none of the action's.
std::uint32_t compared_process(const Record& record, const EventStream& events) {
  const auto one = static_cast<std::uint32_t>(record.argument(0));
  const auto other = static_cast<std::uint32_t>(record.argument(1));
  return events.tree().was_inside(one) ? other : one;
}

/// Of an open for writing below /proc/NUMBER.
std::optional<std::uint32_t> written_process(const TraceEvent& event, const EventStream& events) {
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags || !opens_for_writing(*flags)) return std::nullopt;
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
  return arg ? process_number(events.place(event, *arg)) : std::nullopt;
}

}  // namespace

OfProcess of_process(std::string_view path) {
  const std::string_view whole = path;
  if (!is_within(path, "/proc") || path.size() < 7) return {};
  path.remove_prefix(6);
  const std::size_t slash = path.find('/');
  const std::string_view who = path.substr(0, slash);
  if (slash == std::string_view::npos || (who != "self" && who != "thread-self" && !process_number(whole)))
    return {};
  return {who, path.substr(slash + 1)};
}

std::optional<std::uint32_t> process_number(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  if (!path.starts_with(kProc)) return std::nullopt;
  path.remove_prefix(kProc.size());
  path = path.substr(0, path.find('/'));
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), number);
  if (error != std::errc() || end != path.data() + path.size()) return std::nullopt;
  return number;
}

std::optional<unsigned> process_argument(const Record& record) {
  const syscalls::Syscall* call = syscalls::find_syscall(record.head().nr);
  if (record.head().abi != 0 || call == nullptr || names_user(record)) return std::nullopt;
  if (is_by_kind(call->nr)) return 1;
  // The last: of tgkill(2) the thread.
  std::optional<unsigned> found;
  for (unsigned arg = 0; arg < call->count; ++arg) {
    if (call->args[arg] == syscalls::Arg::kPid) found = arg;
  }
  return found;
}

std::optional<std::uint32_t> named_process(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.record->head().abi != 0) return std::nullopt;
  if (event.record->head().nr == Nr::kcmp) return compared_process(*event.record, events);
  const auto arg = process_argument(*event.record);
  if (!arg) return written_process(event, events);
  // kill(2): a negative one is a group, by the number of its leader; 0 and -1 are nobody in particular.
  const auto number = static_cast<std::int32_t>(event.record->argument(*arg));
  if (number == 0 || number == -1) return std::nullopt;
  return static_cast<std::uint32_t>(std::abs(std::int64_t{number}));
}

bool acts_on_foreign_process(const TraceEvent& event, const EventStream& events) {
  if (event.unfinished || event.type != EventType::kCall || event.record->head().abi != 0) return false;
  if (sets_for_user(*event.record)) return true;
  const bool misused = event.result() == -EINVAL || event.result() == -EFAULT;
  if (!misused && sets(*event.record) && named_process(event, events) == kInit) return true;
  if (!event.failed() || (event.result() != -ESRCH && event.result() != -ENOENT)) return false;
  // Nobody of that user is there inside.
  if (names_user(*event.record)) return true;
  if (only_asks_for_limits(*event.record)) return false;
  const auto number = named_process(event, events);
  // Of the number of init there is no group inside, and may be one on a host.
  return number && (*number == kInit || !events.tree().was_inside(*number));
}

}  // namespace rehearse::trace
