#include "trace/absent_descriptors.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "syscalls/table.h"
#include "trace/foreign_process.h"
#include "trace/path_argument.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint64_t kInt = 0xffffffff;

/// As programs do with every number, or before they give one to something of their own: shells save what is
/// there, libraries keep it from the programs that they start.
bool is_precaution(const Record& record) {
  const std::uint32_t nr = record.head().nr;
  const std::uint64_t what = record.argument(1) & kInt;
  if (nr == Nr::close) return true;
  if (nr == Nr::ioctl) return what == FIOCLEX || what == FIONCLEX;
  return nr == Nr::fcntl &&
         (what == F_GETFD || what == F_SETFD || what == F_DUPFD || what == F_DUPFD_CLOEXEC);
}

/// 8 of "/dev/fd/8", "/proc/self/fd/8", "/proc/12/fdinfo/8" and what would lie below; -1: of none.
int named_descriptor(std::string_view path) {
  constexpr std::string_view kDevice = "/dev/fd/";
  std::string_view number;
  if (path.starts_with(kDevice)) {
    number = path.substr(kDevice.size());
  } else {
    const std::string_view what = of_process(path).what;
    for (const std::string_view part : {"fd/", "fdinfo/"})
      if (what.starts_with(part)) number = what.substr(part.size());
  }
  int fd = -1;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), fd);
  const bool whole = error == std::errc() && (end == number.data() + number.size() || *end == '/');
  return whole ? fd : -1;
}

}  // namespace

void AbsentDescriptors::add(const TraceEvent& event, const EventStream& events) {
  if (absent_.empty() || event.type != EventType::kCall || event.unfinished ||
      event.record->head().abi != 0 || !event.failed())
    return;
  if (event.result() == -ENOENT) return named(event, events);
  // What is open there may be no use for that: a file that is to be read only is not written to.
  if (event.result() == -EBADF && event.fd == nullptr && absent_.contains(event.fd_number) &&
      !is_precaution(*event.record))
    used_.insert(event.fd_number);
}

void AbsentDescriptors::named(const TraceEvent& event, const EventStream& events) {
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
  const auto name = arg ? path_argument(*call, *event.record, *arg) : std::nullopt;
  if (!name || name->path.empty()) return;
  const auto spelled = events.spell(event, name->directory, name->path);
  if (!spelled) return;
  const int fd = named_descriptor(*spelled);
  if (absent_.contains(fd)) used_.insert(fd);
}

}  // namespace rehearse::trace
