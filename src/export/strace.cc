#include "export/strace.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

namespace rehearse::exporting {
namespace {

using trace::EventType;
using trace::TraceEvent;

/// Where strace puts the "= " (its option -a).
constexpr std::size_t kResultColumn = 40;

std::string call_text(const TraceEvent& event) {
  const syscalls::Call call = event.call();
  std::string text = syscalls::format_name(call) + '(' + syscalls::format_arguments(call);
  const bool never_returns =
      call.abi == 0 && (call.nr == syscalls::Nr::exit || call.nr == syscalls::Nr::exit_group);
  if (event.unfinished && !never_returns) return text + " <unfinished ...>) = ?";
  text += ") ";
  text.resize(std::max(text.size(), kResultColumn), ' ');
  text += "= " + syscalls::format_result(call);
  if (!event.begun_ns || event.unfinished) return text;
  const std::uint64_t us = (event.time_ns - *event.begun_ns) / 1000;
  return text + fmt::format(" <{}.{:06}>", us / 1'000'000, us % 1'000'000);
}

std::string signal_text(int signal) {
  const std::string_view name = syscalls::signal_name(signal);
  return name.empty() ? std::to_string(signal) : std::string(name);
}

/// The name of si_code: those that any signal can have, and what a child tells its parent.
std::string code_text(int signal, int code) {
  switch (code) {
    case SI_USER:
      return "SI_USER";
    case SI_KERNEL:
      return "SI_KERNEL";
    case SI_QUEUE:
      return "SI_QUEUE";
    case SI_TIMER:
      return "SI_TIMER";
    case SI_TKILL:
      return "SI_TKILL";
    default:
      break;
  }
  if (signal == SIGCHLD) {
    constexpr const char* kChild[] = {"CLD_EXITED",  "CLD_KILLED",  "CLD_DUMPED",
                                      "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"};
    if (code >= CLD_EXITED && code <= CLD_CONTINUED) return kChild[code - CLD_EXITED];
  }
  return fmt::format("{:#x}", static_cast<unsigned>(code));
}

std::string ending_text(const trace::Process& process) {
  if (process.signal) return "+++ killed by " + signal_text(*process.signal) + " +++";
  return fmt::format("+++ exited with {} +++", process.exit.value_or(0));
}

/// What the kernel tells of the sender: for signals of processes, not for faults.
std::string sender_text(const struct rh_signal& signal, const trace::Process& sender, const RunFacts& run) {
  if (signal.sender != RH_BY_CALLER) return {};
  const bool child = signal.signal == SIGCHLD && signal.code >= CLD_EXITED && signal.code <= CLD_CONTINUED;
  if (!child && signal.code != SI_USER && signal.code != SI_TKILL && signal.code != SI_QUEUE) return {};
  std::string text = fmt::format(", si_pid={}, si_uid={}", sender.inner_pid, run.inside(sender.creds.uid));
  if (child && sender.signal)
    text += ", si_status=" + signal_text(*sender.signal);
  else if (child && sender.exit)
    text += fmt::format(", si_status={}", *sender.exit);
  return text;
}

}  // namespace

void StraceExporter::put(std::uint32_t tid, std::uint64_t time_ns, const std::string& text) {
  const std::int64_t us = std::max<std::int64_t>(run_.epoch_ns(time_ns), 0) / 1000;
  out_.put(fmt::format("{:<5} {}.{:06} {}\n", tid, us / 1'000'000, us % 1'000'000, text));
}

Result<void> StraceExporter::event(const TraceEvent& event, const trace::EventStream& stream) {
  const std::uint32_t inner = stream.tree().inner_tid(event.tid);
  switch (event.type) {
    case EventType::kCall:
      put(inner, event.begun_ns.value_or(event.time_ns), call_text(event));
      break;
    case EventType::kEnd:
      // Its thread is forgotten by now; the last line of a process has the number of the process.
      put(event.process->inner_pid, event.time_ns, ending_text(*event.process));
      break;
    case EventType::kSignal: {
      const auto* signal = event.record->as<struct rh_signal>();
      // The kernel's TRACE_SIGNAL_DELIVERED and _IGNORED: a traced process stops for those that it ignores
      // too, but never for SIGKILL.
      if (signal == nullptr || signal->inside == 0 || signal->result > 1 || signal->signal == SIGKILL) break;
      const trace::Process* receiver = stream.tree().of_thread(signal->target_tid);
      if (receiver == nullptr || receiver->id == 0) break;
      const std::uint32_t target = stream.tree().inner_tid(signal->target_tid);
      const std::string name = signal_text(signal->signal);
      put(target, event.time_ns,
          fmt::format("--- {} {{si_signo={}, si_code={}{}}} ---", name, name,
                      code_text(signal->signal, signal->code), sender_text(*signal, *event.process, run_)));
      break;
    }
    case EventType::kExec:
    case EventType::kStart:
    case EventType::kUring:
    case EventType::kSocket:
    case EventType::kModule:
      break;
  }
  return {};
}

}  // namespace rehearse::exporting
