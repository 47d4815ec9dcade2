#include "trace/attempts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/escape.h"
#include "syscalls/call.h"
#include "syscalls/table.h"
#include "trace/attempt_capability.h"
#include "trace/foreign_process.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;
constexpr std::size_t kLongestDetail = 2048;
constexpr std::size_t kLongestName = 256;

bool writes_by_descriptor(std::uint32_t nr) {
  return nr == Nr::write || nr == Nr::pwrite64 || nr == Nr::writev;
}

/// Calls about another process's memory and registers: whom, and with ptrace(2) what; nothing: it is none.
std::optional<unsigned> telling_arguments(std::uint32_t nr) {
  if (nr == Nr::ptrace) return 2;
  if (nr == Nr::process_vm_readv || nr == Nr::process_vm_writev) return 1;
  return std::nullopt;
}

/// A tracer makes one for each word and register: without where they are, these are the same.
std::string arguments_of(const syscalls::Call& call, std::uint32_t nr) {
  std::string text = syscalls::format_arguments(call);
  std::size_t end = 0;
  for (unsigned i = telling_arguments(nr).value_or(0); i > 0; --i)
    end = std::min(text.find(", ", end == 0 ? 0 : end + 1), text.size());
  if (end != 0) text.resize(end);
  return text;
}

/// The message is the kernel's numbers; the command line says in words what it is to do.
std::string run_as(const Process& process) {
  const Image* image = ProcessTree::image_of(process);
  std::string line;
  if (image != nullptr)
    for (const std::string& word : image->words()) line += (line.empty() ? "" : " ") + word;
  return line.empty() ? line : "  run as: " + escape_text(line, kLongestName);
}

}  // namespace

std::string Attempts::describe(const TraceEvent& event, const EventStream& events,
                               std::string_view kind) const {
  if (event.type == EventType::kUring) return "an operation that no system call shows";
  if (event.type == EventType::kModule)
    return "the kernel would have loaded the module " + escape_text(module_name(*event.record));
  const syscalls::Call call = event.call();
  std::string detail =
      syscalls::format_full_name(call) + '(' + arguments_of(call, event.record->head().nr) + ')';
  if (detail.size() > kLongestDetail) detail.resize(kLongestDetail);
  // Of a descriptor the call says nothing but its number.
  if (writes_by_descriptor(event.record->head().nr) && event.fd != nullptr) {
    const std::string place = events.place(event);
    if (place.starts_with('/')) detail += "  to " + escape_text(place, kLongestName);
  }
  if (kind == "network configuration") detail += run_as(*event.process);
  // On the host it would have met another process.
  const bool elsewhere = kind == "host process" || kind == "kill" || kind == "ptrace";
  const auto number = elsewhere ? named_process(event, events) : std::nullopt;
  if (number && !events.tree().was_inside(*number)) {
    const std::string name = host_process_(*number);
    if (!name.empty()) detail += "  on the host: " + escape_text(name, 64);
  }
  return detail;
}

void Attempts::add(const TraceEvent& event, const EventStream& events) {
  const std::string_view kind = attempt_kind(event, events, &paths_);
  if (kind.empty()) return;
  Attempt attempt;
  attempt.what = kind;
  attempt.detail = describe(event, events, kind);
  attempt.capability = capability_of(event, events, kind, &paths_);
  attempt.outcome = outcome_of(event);
  attempt.error = event.failed() ? static_cast<int>(-event.result()) : 0;
  attempt.process = event.process->id;
  if (const Image* image = ProcessTree::image_of(*event.process)) attempt.exe = image->path;
  attempt.count = 1;
  note(std::move(attempt));
}

void Attempts::note(Attempt attempt) {
  ++total_;
  auto key = std::tuple(attempt.process, attempt.exe, attempt.error, attempt.detail);
  if (const auto found = known_.find(key); found != known_.end()) {
    ++list_[found->second].count;
    return;
  }
  if (list_.size() >= kMost) {
    ++unlisted_;
    return;
  }
  known_.emplace(std::move(key), list_.size());
  list_.push_back(std::move(attempt));
}

}  // namespace rehearse::trace
