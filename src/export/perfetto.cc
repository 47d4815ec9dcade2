#include "export/perfetto.h"

#include <fmt/format.h>

#include "base/escape.h"
#include "trace/socket_text.h"

namespace rehearse::exporting {
namespace {

using trace::EventType;
using trace::TraceEvent;

// Field numbers: protos/perfetto/trace of github.com/google/perfetto.
namespace trace_field {  // trace.proto
constexpr std::uint32_t kPacket = 1;
}
namespace packet {  // trace_packet.proto
constexpr std::uint32_t kClockSnapshot = 6;
constexpr std::uint32_t kTimestamp = 8;
constexpr std::uint32_t kSequenceId = 10;
constexpr std::uint32_t kTrackEvent = 11;
constexpr std::uint32_t kSequenceFlags = 13;
constexpr std::uint32_t kTimestampClockId = 58;
constexpr std::uint32_t kTrackDescriptor = 60;
constexpr std::uint32_t kFirstPacketOnSequence = 87;
constexpr std::uint64_t kStateCleared = 1;
}  // namespace packet
namespace clocks {  // clock_snapshot.proto, common/builtin_clock.proto
constexpr std::uint32_t kClocks = 1;
constexpr std::uint32_t kPrimary = 2;
constexpr std::uint32_t kClockId = 1;
constexpr std::uint32_t kClockTimestamp = 2;
constexpr std::uint64_t kRealtime = 1;
constexpr std::uint64_t kMonotonic = 3;
}  // namespace clocks
namespace descriptor {  // track_event/{track,process,thread}_descriptor.proto
constexpr std::uint32_t kUuid = 1;
constexpr std::uint32_t kProcess = 3;
constexpr std::uint32_t kThread = 4;
constexpr std::uint32_t kParentUuid = 5;
constexpr std::uint32_t kProcessPid = 1;
constexpr std::uint32_t kProcessCmdline = 2;
constexpr std::uint32_t kProcessName = 6;
constexpr std::uint32_t kProcessStart = 7;
constexpr std::uint32_t kThreadPid = 1;
constexpr std::uint32_t kThreadTid = 2;
constexpr std::uint32_t kThreadName = 5;
}  // namespace descriptor
namespace track_event {  // track_event/track_event.proto, debug_annotation.proto
constexpr std::uint32_t kAnnotations = 4;
constexpr std::uint32_t kType = 9;
constexpr std::uint32_t kTrackUuid = 11;
constexpr std::uint32_t kCategories = 22;
constexpr std::uint32_t kName = 23;
constexpr std::uint32_t kAnnotationInt = 4;
constexpr std::uint32_t kAnnotationString = 6;
constexpr std::uint32_t kAnnotationName = 10;
constexpr std::uint32_t kSliceBegin = 1;
constexpr std::uint32_t kSliceEnd = 2;
constexpr std::uint32_t kInstant = 3;
}  // namespace track_event

/// Any number but 0; "service-assigned".
constexpr std::uint64_t kSequence = 1;
/// A name is read, an annotation may be long.
constexpr std::size_t kMostName = 512;

/// Unlike what trace_processor derives from names, these are unique whatever numbers the run used twice.
std::uint64_t process_uuid(const trace::Process& process) {
  return (std::uint64_t{process.id} + 1) << 32U;
}

bool never_returns(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  return head.abi == 0 && (head.nr == syscalls::Nr::exit || head.nr == syscalls::Nr::exit_group);
}

std::string_view category(const syscalls::Call& call) {
  using syscalls::Class;
  const syscalls::Syscall* known = call.abi == 0 ? syscalls::find_syscall(call.nr) : nullptr;
  if (known == nullptr) return "other";
  for (const auto one : {Class::kNetwork, Class::kFile, Class::kMemory, Class::kSignal, Class::kIpc,
                         Class::kTime, Class::kCreds, Class::kProcess, Class::kDesc, Class::kSystem}) {
    if (syscalls::has(known->classes, one)) return syscalls::class_name(one);
  }
  return "other";
}

}  // namespace

PerfettoExporter::PerfettoExporter(const RunFacts& run, const trace::ProcessTree& whole, report::Writer& out)
    : run_(run), whole_(whole), out_(out) {
  put_clocks();
}

void PerfettoExporter::put_packet() {
  packet_.number(packet::kSequenceId, kSequence);
  // A trace is a message whose only field is the packet, repeated: a packet with its tag is a piece of a
  // file.
  out_.put(ProtobufWriter().message(trace_field::kPacket, packet_).data());
}

void PerfettoExporter::put_clocks() {
  ProtobufWriter snapshot;
  const auto clock = [&](std::uint64_t id, std::int64_t ns) {
    snapshot.message(clocks::kClocks, ProtobufWriter()
                                          .number(clocks::kClockId, id)
                                          .number(clocks::kClockTimestamp, static_cast<std::uint64_t>(ns)));
  };
  clock(clocks::kMonotonic, run_.monotonic_ns);
  clock(clocks::kRealtime, run_.realtime_ns);
  snapshot.number(clocks::kPrimary, clocks::kMonotonic);
  packet_.clear().message(packet::kClockSnapshot, snapshot);
  packet_.number(packet::kSequenceFlags, packet::kStateCleared).boolean(packet::kFirstPacketOnSequence, true);
  put_packet();
}

void PerfettoExporter::put_process(const trace::Process& process) {
  // What it ended as, if the tree of all events has it (a trace that changed meanwhile need not).
  const auto& all = whole_.processes();
  const bool there = process.id < all.size();
  const trace::Process& last = there ? all[process.id] : process;
  const trace::Image* image = there ? trace::ProcessTree::image_of(last) : nullptr;
  ProtobufWriter description;
  description.signed_number(descriptor::kProcessPid, process.inner_pid);
  if (image != nullptr) {
    for (const std::string& word : image->words()) description.text(descriptor::kProcessCmdline, word);
  }
  description.text(descriptor::kProcessName,
                   escape_text(image == nullptr ? last.comm : image->path, kMostName));
  description.number(descriptor::kProcessStart, process.start_ns);
  packet_.clear().message(packet::kTrackDescriptor, ProtobufWriter()
                                                        .number(descriptor::kUuid, process_uuid(process))
                                                        .message(descriptor::kProcess, description));
  put_packet();
}

std::uint64_t PerfettoExporter::track(const trace::Process& process, std::uint32_t tid) {
  const std::uint64_t parent = process_uuid(process);
  if (told_.insert(parent).second) put_process(process);
  const std::uint64_t uuid = parent + tid;
  if (tid == 0 || !told_.insert(uuid).second) return uuid;
  const bool first = tid == process.inner_pid;
  const auto& all = whole_.processes();
  const std::string& name = first && process.id < all.size() ? all[process.id].comm : process.comm;
  ProtobufWriter description;
  description.signed_number(descriptor::kThreadPid, process.inner_pid);
  description.signed_number(descriptor::kThreadTid, tid);
  description.text(descriptor::kThreadName, escape_text(name, kMostName));
  packet_.clear().message(packet::kTrackDescriptor, ProtobufWriter()
                                                        .number(descriptor::kUuid, uuid)
                                                        .number(descriptor::kParentUuid, parent)
                                                        .message(descriptor::kThread, description));
  put_packet();
  return uuid;
}

void PerfettoExporter::put_event(std::uint32_t type, std::uint64_t track, std::uint64_t time_ns) {
  body_.number(track_event::kType, type).number(track_event::kTrackUuid, track);
  packet_.clear().number(packet::kTimestamp, time_ns).number(packet::kTimestampClockId, clocks::kMonotonic);
  packet_.message(packet::kTrackEvent, body_);
  put_packet();
  body_.clear();
}

void PerfettoExporter::annotate(const char* name, std::string_view value) {
  body_.message(
      track_event::kAnnotations,
      ProtobufWriter().text(track_event::kAnnotationName, name).text(track_event::kAnnotationString, value));
}

void PerfettoExporter::annotate(const char* name, std::int64_t value) {
  body_.message(track_event::kAnnotations, ProtobufWriter()
                                               .text(track_event::kAnnotationName, name)
                                               .signed_number(track_event::kAnnotationInt, value));
}

void PerfettoExporter::put_call(const TraceEvent& event, std::uint64_t track) {
  const syscalls::Call call = event.call();
  body_.text(track_event::kCategories, category(call));
  body_.text(track_event::kName, syscalls::format_name(call));
  annotate("number", static_cast<std::int64_t>(event.number));
  annotate("args", syscalls::format_arguments(call));
  if (event.fd != nullptr) annotate("path", event.fd->name);
  if (!event.unfinished) annotate("result", syscalls::format_result(call));
  if (event.failed()) annotate("errno", syscalls::errno_name(static_cast<int>(-event.result())));
  if (event.tampered()) annotate("tampered", 1);
  if (!event.begun_ns || never_returns(event)) return put_event(track_event::kInstant, track, event.time_ns);
  put_event(track_event::kSliceBegin, track, *event.begun_ns);
  if (event.unfinished)
    open_[event.process->id].push_back(track);
  else
    put_event(track_event::kSliceEnd, track, event.time_ns);
}

Result<void> PerfettoExporter::event(const TraceEvent& event, const trace::EventStream& stream) {
  const trace::Process& process = *event.process;
  std::uint32_t inner = stream.tree().inner_tid(event.tid);
  // A thread that has just ended: what is still heard of it belongs to its process.
  if (inner == 0) inner = process.inner_pid;
  const std::uint64_t where = track(process, inner);
  if (event.type == EventType::kCall) {
    put_call(event, where);
    return {};
  }
  if (event.type == EventType::kEnd) {
    if (const auto found = open_.find(process.id); found != open_.end()) {
      for (const std::uint64_t one : found->second) put_event(track_event::kSliceEnd, one, event.time_ns);
      open_.erase(found);
    }
  }
  body_.text(track_event::kCategories, event.type == EventType::kSignal ? "signal" : "process");
  const auto named = [&](std::string_view name) {
    body_.text(track_event::kName, name);
    annotate("number", static_cast<std::int64_t>(event.number));
  };
  switch (event.type) {
    case EventType::kExec: {
      const trace::Image& image = *process.images.back();
      named("exec " + escape_text(image.path, kMostName));
      annotate("exe", image.path);
      if (!image.script.empty()) annotate("script", image.script);
      break;
    }
    case EventType::kStart:
      named("start");
      annotate("parent", std::int64_t{process.parent});
      annotate("maker", std::int64_t{process.maker});
      break;
    case EventType::kEnd:
      if (process.signal)
        named(fmt::format("killed by {}", syscalls::signal_name(*process.signal)));
      else
        named(fmt::format("exit {}", process.exit.value_or(0)));
      break;
    case EventType::kSignal: {
      const auto* signal = event.record->as<struct rh_signal>();
      named(signal == nullptr ? "signal" : syscalls::signal_name(signal->signal));
      if (signal != nullptr) annotate("target", std::int64_t{stream.tree().inner_tid(signal->target_tid)});
      break;
    }
    case EventType::kUring: {
      const auto* uring = event.record->as<struct rh_uring>();
      named("io_uring");
      if (uring != nullptr) annotate("opcode", std::int64_t{uring->opcode});
      break;
    }
    case EventType::kModule:
      named(fmt::format("module {} refused", trace::module_name(*event.record)));
      break;
    case EventType::kSocket:
      named(trace::socket_text(*event.record->as<struct rh_socket>()));
      break;
    case EventType::kCall:
      break;
  }
  put_event(track_event::kInstant, where, event.time_ns);
  return {};
}

}  // namespace rehearse::exporting
