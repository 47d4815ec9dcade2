#include "trace/foreign_process.h"

#include <linux/ioprio.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "syscalls/table.h"
#include "trace/directories.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint64_t kInt = 0xffffffff;

bool is_number(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

/// Of a call of that kind, which argument says who.
std::optional<unsigned> naming_argument(const Record& record) {
  switch (record.head().nr) {
    case Nr::kill:
    case Nr::tkill:
    case Nr::tgkill:
    case Nr::rt_sigqueueinfo:
    case Nr::rt_tgsigqueueinfo:
    case Nr::sched_setparam:
    case Nr::sched_getparam:
    case Nr::sched_setscheduler:
    case Nr::sched_getscheduler:
    case Nr::sched_setattr:
    case Nr::sched_getattr:
    case Nr::sched_setaffinity:
    case Nr::sched_getaffinity:
      return 0;
    case Nr::setpriority:
    case Nr::getpriority:
    case Nr::ioprio_set:
    case Nr::ioprio_get:
      return 1;
    case Nr::prlimit64:
      return record.argument(2) == 0 ? std::nullopt : std::optional<unsigned>(0);
    default:
      return std::nullopt;
  }
}

/// All processes of a user: those inside are but a few of them.
bool sets_for_user(const Record& record) {
  const std::uint64_t which = record.argument(0) & kInt;
  return (record.head().nr == Nr::setpriority && which == PRIO_USER) ||
         (record.head().nr == Nr::ioprio_set && which == IOPRIO_WHO_USER);
}

bool names_user(const Record& record) {
  const std::uint64_t which = record.argument(0) & kInt;
  const std::uint32_t nr = record.head().nr;
  return ((nr == Nr::setpriority || nr == Nr::getpriority) && which == PRIO_USER) ||
         ((nr == Nr::ioprio_set || nr == Nr::ioprio_get) && which == IOPRIO_WHO_USER);
}

/// Of an open for writing below /proc/NUMBER.
std::optional<std::uint32_t> written_process(const TraceEvent& event, const EventStream& events) {
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags || !opens_for_writing(*flags)) return std::nullopt;
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
  const std::string path = arg ? events.place(event, *arg) : std::string();
  const std::string_view who = of_process(path).who;
  std::uint32_t number = 0;
  if (!is_number(who) || std::from_chars(who.data(), who.data() + who.size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

}  // namespace

OfProcess of_process(std::string_view path) {
  if (!is_within(path, "/proc") || path.size() < 7) return {};
  path.remove_prefix(6);
  const std::size_t slash = path.find('/');
  const std::string_view who = path.substr(0, slash);
  if (slash == std::string_view::npos || (who != "self" && who != "thread-self" && !is_number(who)))
    return {};
  return {who, path.substr(slash + 1)};
}

std::optional<std::uint32_t> named_process(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.record->head().abi != 0) return std::nullopt;
  const Record& record = *event.record;
  if (const auto arg = naming_argument(record)) {
    const auto number = static_cast<std::int32_t>(record.argument(*arg));
    if (number <= 0 || names_user(record)) return std::nullopt;
    return static_cast<std::uint32_t>(number);
  }
  return written_process(event, events);
}

bool acts_on_foreign_process(const TraceEvent& event, const EventStream& events) {
  if (event.unfinished || event.type != EventType::kCall || event.record->head().abi != 0) return false;
  if (sets_for_user(*event.record)) return true;
  if (!event.failed() || (event.result() != -ESRCH && event.result() != -ENOENT)) return false;
  // Nobody of that user is there inside.
  if (names_user(*event.record)) return true;
  const auto number = named_process(event, events);
  return number && !events.tree().was_inside(*number);
}

}  // namespace rehearse::trace
