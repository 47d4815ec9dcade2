#include "trace/event_paths.h"

#include <algorithm>

#include "base/path.h"

namespace rehearse::trace {
namespace {

using syscalls::Arg;

const syscalls::Syscall* known_call(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  return event.type == EventType::kCall && head.abi == 0 ? syscalls::find_syscall(head.nr) : nullptr;
}

/// The descriptor is that of a directory, and a name below it is what counts.
bool names_below(const TraceEvent& event, const syscalls::Syscall& call) {
  if (event.opened || call.args[0] != Arg::kAtFd || event.directory_of(1) != event.fd_number) return false;
  const auto name = event.text(1);
  return name && !name->empty();
}

bool executed(const TraceEvent& event, const EventStream& stream, std::string_view path) {
  const Image& image = *event.process->images.back();
  return image.path == path || (!image.script.empty() && stream.resolve(event.tid, image.script) == path);
}

/// One reading of string argument `arg` leads to `path`, or is it.
bool leads_to(const TraceEvent& event, const EventStream& stream, Arg kind, unsigned arg,
              const std::optional<std::string_view>& text, std::string_view path) {
  if (!text || text->empty()) return false;
  if (kind == Arg::kPath) return stream.place(event, arg, *text) == path;
  return text->starts_with('/') && normal_path(*text) == path;
}

}  // namespace

std::optional<EventPath> object_of(const TraceEvent& event, const EventStream& stream) {
  const syscalls::Syscall* call = known_call(event);
  const bool below = call != nullptr && names_below(event, *call);
  if (event.fd != nullptr && !event.fd->name.empty() && !below) return EventPath{event.fd->name, false};
  for (std::string& path : named_paths(event, stream)) {
    if (!path.empty()) return EventPath{std::move(path), true};
  }
  return std::nullopt;
}

std::vector<std::string> named_paths(const TraceEvent& event, const EventStream& stream) {
  std::vector<std::string> paths;
  const syscalls::Syscall* call = known_call(event);
  for (unsigned arg = 0; call != nullptr && arg < call->count; ++arg) {
    if (call->args[arg] != Arg::kPath) continue;
    const auto text = event.text(arg);
    paths.push_back(text && !text->empty() ? stream.place(event, arg) : std::string());
  }
  return paths;
}

bool touches(const TraceEvent& event, const EventStream& stream, std::string_view path) {
  if (event.type == EventType::kExec) return executed(event, stream, path);
  if (event.type != EventType::kCall) return false;
  if (event.fd != nullptr && (event.fd->name == path || stream.place(event) == path)) return true;
  const syscalls::Syscall* call = known_call(event);
  if (call == nullptr) return false;
  const std::vector<std::string> named = named_paths(event, stream);
  if (std::ranges::find(named, path) != named.end()) return true;
  // Another thread may have changed a name meanwhile: whichever the kernel read, the event is about it.
  for (const std::uint8_t arg : call->strings()) {
    if (event.provenance(arg) == Provenance::kChanged &&
        leads_to(event, stream, call->args[arg], arg, event.text_at_return(arg), path))
      return true;
    if (call->args[arg] != Arg::kPath && leads_to(event, stream, call->args[arg], arg, event.text(arg), path))
      return true;
  }
  return false;
}

}  // namespace rehearse::trace
