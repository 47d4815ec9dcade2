#include "trace/write_attempts.h"

#include <algorithm>
#include <cerrno>

#include "syscalls/call.h"
#include "syscalls/table.h"
#include "trace/attempt_kind.h"
#include "trace/directories.h"
#include "trace/file_change.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kLongestDetail = 2048;

/// Attempts whose effect would be on the host and stay there. The others look, or concern the caller itself.
constexpr std::string_view kChanging[] = {"accounting",     "clock",
                                          "device control", "filesystem",
                                          "host process",   "hostname",
                                          "io_uring",       "ipc",
                                          "kexec",          "kill",
                                          "module",         "mount",
                                          "pipe",           "network configuration",
                                          "quota",          "reboot",
                                          "swap",           "call convention"};
/// Places that count only if they were to be written.
constexpr std::string_view kPlaces[] = {"device", "hardware", "kernel", "power", "raw device", "sysctl"};

template <std::size_t N>
bool is_among(std::string_view word, const std::string_view (&list)[N]) {
  return std::ranges::find(list, word) != std::end(list);
}

bool would_write(const TraceEvent& event) {
  const auto flags = open_flags(*event.record, event.entry);
  return flags ? opens_for_writing(*flags) : true;
}

bool names_path(const TraceEvent& event) {
  const syscalls::Syscall* call = syscalls::find_syscall(event.record->head().nr);
  return call != nullptr && call->find(syscalls::Arg::kPath).has_value();
}

/// What programs do to the memory that they share by names in /dev/shm (shm_open(3), sem_open(3)).
bool shares_memory(std::uint32_t nr) {
  return nr == Nr::link || nr == Nr::linkat || nr == Nr::unlink || nr == Nr::unlinkat || nr == Nr::rename ||
         nr == Nr::renameat || nr == Nr::renameat2 || nr == Nr::fchmod || nr == Nr::fchown;
}

/// A name in /dev that no device has: /dev/log, a directory or socket in /dev/shm.
bool changes_device_directory(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  if (event.failed() || event.unfinished || changes_times(nr)) return false;
  return std::ranges::any_of(changed_places(event, events), [&](std::string_view place) {
    // The directories themselves are others' too; what is in them is not.
    const bool own = is_within(place, "/dev/pts") || is_within(place, "/dev/fd");
    if (!is_within(place, "/dev") || (own && place != "/dev/pts" && place != "/dev/fd")) return false;
    return !is_within(place, "/dev/shm") || !shares_memory(nr);
  });
}

}  // namespace

std::string_view write_kind(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall && event.type != EventType::kUring) return "";
  const std::string_view kind = attempt_kind(event, events);
  if (is_among(kind, kChanging)) return kind;
  if (is_among(kind, kPlaces) && would_write(event)) return kind;
  // It would have entered one of the host's.
  if (kind == "namespace" && event.failed() && names_path(event)) return kind;
  if (event.failed() && event.result() == -EROFS) return "file";
  if (event.type == EventType::kCall && changes_device_directory(event, events)) return "file";
  return "";
}

WriteAttempt describe_write(const TraceEvent& event, const EventStream& events, std::string_view kind) {
  WriteAttempt attempt;
  attempt.what = kind;
  attempt.process = event.process->id;
  if (const Image* image = ProcessTree::image_of(*event.process)) {
    attempt.exe = image->path;
    attempt.argv = image->words();
  }
  if (event.type == EventType::kUring) {
    attempt.detail = "an operation that no system call shows";
    return attempt;
  }
  const syscalls::Call call = event.call();
  attempt.detail = syscalls::format_full_name(call) + '(' + syscalls::format_arguments(call) + ')';
  if (attempt.detail.size() > kLongestDetail) attempt.detail.resize(kLongestDetail);
  attempt.error = event.failed() ? static_cast<int>(-event.result()) : 0;
  if (kind != "file") return attempt;
  const syscalls::Syscall* known = syscalls::find_syscall(event.record->head().nr);
  const auto arg = known == nullptr ? std::nullopt : known->find(syscalls::Arg::kPath);
  attempt.path = arg ? events.place(event, *arg) : events.place(event);
  return attempt;
}

}  // namespace rehearse::trace
