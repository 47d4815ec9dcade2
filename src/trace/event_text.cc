#include "trace/event_text.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "trace/socket_text.h"

namespace rehearse::trace {
namespace {

std::string ending(const Process& process) {
  if (process.signal) return fmt::format("killed by {}", syscalls::signal_name(*process.signal));
  return fmt::format("exited with {}", process.exit.value_or(0));
}

std::string command_of(const Image& image) {
  std::string text = escape_text(image.path, 4096);
  if (!image.script.empty()) text += " for " + escape_text(image.script, 4096);
  text += " [";
  bool first = true;
  for (const std::string& word : image.words()) {
    if (text.size() > 8192) {
      text += " ...";
      break;
    }
    if (!first) text += ' ';
    first = false;
    text += shell_quote(word);
  }
  return text + ']';
}

/// Of a signal that no process of the action sent.
std::string sent_by(const TraceEvent& event) {
  switch (event.sender) {
    case SignalSender::kProcess:
      return {};
    case SignalSender::kKernel:
      return ", by the kernel";
    case SignalSender::kRehearse:
      return ", by rehearse";
    case SignalSender::kHost:
      return fmt::format(", by process {} of the host", event.record->head().nr);
  }
  return {};
}

std::string call_line(const TraceEvent& event) {
  const syscalls::Call call = event.call();
  std::string line = syscalls::format_call(call);
  if (event.opened && event.fd != nullptr && !event.fd->name.empty())
    line += '<' + escape_text(event.fd->name, 4096) + '>';
  else if (event.fd != nullptr && !event.fd->name.empty())
    line += "  <" + std::to_string(event.fd_number) + ": " + escape_text(event.fd->name, 4096) + '>';
  if (event.tampered()) line += "  !! an argument changed during the call";
  if (event.has_late_copy()) line += "  !! an argument was read long after the call";
  if (event.has_unread()) line += "  !! an argument could not be read";
  if (event.overwritten() != 0) line += "  !! an argument was overwritten by the call before it was read";
  return line;
}

std::int64_t since(std::uint64_t ns, std::uint64_t begun_ns) {
  return between(begun_ns, ns);
}

}  // namespace

const char* event_type_name(EventType type) {
  switch (type) {
    case EventType::kCall:
      return "syscall";
    case EventType::kExec:
      return "exec";
    case EventType::kStart:
      return "start";
    case EventType::kEnd:
      return "end";
    case EventType::kSignal:
      return "signal";
    case EventType::kUring:
      return "io_uring";
    case EventType::kSocket:
      return "network";
    case EventType::kModule:
      return "module";
  }
  return "";
}

std::string event_line(const TraceEvent& event, std::uint64_t begun_ns) {
  const std::int64_t at = since(event.begun_ns.value_or(event.time_ns), begun_ns);
  std::string line =
      fmt::format("[{}] {}.{:06} ", event.process->id, at / 1'000'000'000, at % 1'000'000'000 / 1000);
  switch (event.type) {
    case EventType::kCall:
      return line + call_line(event);
    case EventType::kExec:
      return line + "*** now " + command_of(*event.process->images.back()) + " ***";
    case EventType::kStart:
      return line + fmt::format("+++ started by [{}]{}, pid {} +++", event.process->maker,
                                event.process->maker == event.process->parent
                                    ? std::string()
                                    : fmt::format(" as a child of [{}]", event.process->parent),
                                event.process->inner_pid);
    case EventType::kEnd:
      return line + "+++ " + ending(*event.process) + " +++";
    case EventType::kSignal: {
      const auto* signal = event.record->as<struct rh_signal>();
      if (signal == nullptr) return line + "--- signal ---";
      return line + fmt::format("--- {} to {} {}{} ---", syscalls::signal_name(signal->signal),
                                signal->inside != 0 ? "thread" : "a process outside,", signal->target_tid,
                                sent_by(event));
    }
    case EventType::kUring: {
      const auto* uring = event.record->as<struct rh_uring>();
      return line + fmt::format("io_uring operation {}", uring == nullptr ? 0 : uring->opcode);
    }
    case EventType::kSocket:
      return line + "=== " + socket_text(*event.record->as<struct rh_socket>()) + " ===";
    case EventType::kModule:
      return line + "=== the kernel was not let load the module " + escape_text(module_name(*event.record)) +
             " ===";
  }
  return line;
}

std::string event_json(const TraceEvent& event, std::uint64_t begun_ns, std::int64_t realtime_offset_ns) {
  std::string text;
  JsonWriter json(text);
  json.open_object()
      .key("schema")
      .string("rehearse.event/1")
      .key("number")
      .integer(event.number)
      .key("type")
      .string(event_type_name(event.type));
  json.key("time").string(rfc3339(shifted(event.time_ns, realtime_offset_ns)));
  json.key("time_s").seconds(since(event.time_ns, begun_ns));
  json.key("process").integer(std::uint64_t{event.process->id});
  json.key("pid").integer(std::uint64_t{event.process->inner_pid});
  json.key("tid").integer(std::uint64_t{event.tid});
  json.bytes("comm", event.process->comm);
  if (event.type == EventType::kCall) {
    const syscalls::Call call = event.call();
    const syscalls::Syscall* known = call.abi == 0 ? syscalls::find_syscall(call.nr) : nullptr;
    json.key("nr").integer(std::uint64_t{call.nr});
    json.key("name").string(syscalls::format_name(call));
    if (call.abi != 0) json.key("abi").string(call.abi == 1 ? "i386" : "x32");
    json.key("args").open_array();
    for (unsigned i = 0; i < (known == nullptr ? 6U : known->count); ++i) json.integer(call.args[i]);
    json.close_array().bytes("text", syscalls::format_arguments(call));
    json.key("strings").open_array();
    for (unsigned i = 0; i < call.texts.size(); ++i) {
      if (!call.texts[i]) continue;
      json.open_object().key("arg").integer(std::uint64_t{i}).bytes("value", call.texts[i]->bytes);
      json.key("cut").boolean(call.texts[i]->truncated);
      json.key("seen").string(to_string(event.provenance(i))).close_object();
    }
    json.close_array();
    json.key("result");
    if (event.unfinished)
      json.null();
    else
      json.integer(call.result);
    json.key("errno");
    if (event.failed())
      json.string(syscalls::errno_name(static_cast<int>(-call.result)));
    else
      json.null();
    json.key("duration_s");
    if (event.begun_ns && !event.unfinished)
      json.seconds(since(event.time_ns, *event.begun_ns));
    else
      json.null();
    json.key("tampered").boolean(event.tampered());
    json.key("unread").boolean(event.has_unread());
    json.key("overwritten").boolean(event.overwritten() != 0);
    if (event.fd != nullptr) {
      json.key("fd").open_object().key("number").integer(std::int64_t{event.fd_number});
      json.bytes("name", event.fd->name).key("kind").string(std::string(1, event.fd->type));
      if (event.fd->known_file) {
        const struct rh_file& file = event.fd->file;
        json.key("dev").string(fmt::format("{}:{}", file.dev >> 20U, file.dev & 0xfffffU));
        json.key("ino").integer(std::uint64_t{file.ino}).key("upper").boolean((file.flags & RH_UPPER) != 0);
      }
      json.close_object();
    }
  } else if (event.type == EventType::kExec) {
    const Image& image = *event.process->images.back();
    json.bytes("exe", image.path).bytes("script", image.script).words("argv", image.words());
    json.key("secure").boolean(image.secure);
  } else if (event.type == EventType::kStart) {
    json.key("parent").integer(std::uint64_t{event.process->parent});
    json.key("maker").integer(std::uint64_t{event.process->maker});
  } else if (event.type == EventType::kEnd) {
    json.key("exit");
    if (event.process->exit)
      json.integer(std::int64_t{*event.process->exit});
    else
      json.null();
    json.key("signal");
    if (event.process->signal)
      json.integer(std::int64_t{*event.process->signal});
    else
      json.null();
  } else if (event.type == EventType::kSignal) {
    if (const auto* signal = event.record->as<struct rh_signal>()) {
      json.key("signal").string(syscalls::signal_name(signal->signal));
      json.key("target_tid").integer(std::uint64_t{signal->target_tid});
      json.key("inside").boolean(signal->inside != 0);
      json.key("sender").string(to_string(event.sender));
    }
  } else if (event.type == EventType::kSocket) {
    const auto& socket = *event.record->as<struct rh_socket>();
    json.key("what").string(what_of(socket)).key("proto").string(protocol_of(socket));
    json.key("dst").string(format_ip(address_of(socket))).key("port").integer(std::uint64_t{socket.port});
    json.key("verdict").string(verdict_of(socket)).key("rule").integer(std::uint64_t{socket.rule});
    json.key("errno");
    if (socket.verdict == RH_DENY)
      json.string(syscalls::errno_name(socket.error));
    else
      json.null();
  } else if (event.type == EventType::kModule) {
    json.bytes("module", module_name(*event.record));
  } else if (const auto* uring = event.record->as<struct rh_uring>()) {
    json.key("opcode").integer(std::uint64_t{uring->opcode});
  }
  json.close_object();
  return text;
}

}  // namespace rehearse::trace
