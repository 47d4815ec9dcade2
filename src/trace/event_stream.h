// Puts records together to events: a call with what it was asked at its begin and what came of it, by whom,
// on what.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "syscalls/call.h"
#include "trace/by_thread.h"
#include "trace/directories.h"
#include "trace/fd_table.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

/// When a string was read from the caller's memory. kChanged: it was another one when the call returned than
/// when it began; the first is shown. kNone: never, or it is no string.
enum class Provenance : std::uint8_t { kNone, kBegin, kReturn, kChanged, kLate };
/// "none", "enter", "exit", "diff", "late".
const char* to_string(Provenance provenance);

enum class EventType : std::uint8_t { kCall, kExec, kStart, kEnd, kSignal, kUring, kSocket, kModule };

/// Who sent a signal.
enum class SignalSender : std::uint8_t { kProcess, kKernel, kRehearse, kHost };
const char* to_string(SignalSender sender);

/// One event as a reviewer sees it. Borrows from the stream: valid during the visit.
struct TraceEvent {
  std::uint64_t number = 0;
  EventType type = EventType::kCall;
  std::uint64_t time_ns = 0;              ///< CLOCK_MONOTONIC; of a call: its return
  std::optional<std::uint64_t> begun_ns;  ///< of a call, where that was recorded
  bool unfinished = false;                ///< a call that never returned
  const Process* process = nullptr;
  std::uint32_t tid = 0;           ///< on the host
  const Record* record = nullptr;  ///< of a call: its return, or its begin if unfinished
  const Record* entry = nullptr;   ///< of a call: its begin
  const Record* late = nullptr;    ///< of a call: strings that were copied long after its return
  const FdInfo* fd = nullptr;      ///< what it works on, or has opened; none: not known
  bool opened = false;             ///< `fd` is what it has returned, not what it was given
  std::int32_t fd_number = -1;
  /// Of a signal: if not a process of the action, `process` and `tid` are those that it was sent to.
  SignalSender sender = SignalSender::kProcess;

  /// The call with all that is known of it.
  [[nodiscard]] syscalls::Call call() const;
  /// A string in user memory was another one when the call returned: "argument tampering".
  [[nodiscard]] bool tampered() const;
  /// String argument `arg` as the call began, else as it was read later; nothing if it could not be read.
  [[nodiscard]] std::optional<std::string_view> text(unsigned arg) const;
  /// The same as the call returned.
  [[nodiscard]] std::optional<std::string_view> text_at_return(unsigned arg) const;
  /// What path argument `arg` is relative to: a descriptor or AT_FDCWD.
  [[nodiscard]] std::int32_t directory_of(unsigned arg) const;
  /// Whose word string argument `arg` is.
  [[nodiscard]] Provenance provenance(unsigned arg) const;
  /// A string is a late copy; could be read at no time at all.
  [[nodiscard]] bool has_late_copy() const;
  [[nodiscard]] bool has_unread() const;
  /// Arguments, a bit each, whose structures the call filled in before they could be read: what it read there
  /// is not known.
  [[nodiscard]] unsigned overwritten() const;
  [[nodiscard]] bool failed() const {
    if (type == EventType::kModule) return true;
    return type == EventType::kCall && !unfinished && result() < 0 && result() >= -kMostErrno;
  }
  [[nodiscard]] bool returned_zero() const { return !unfinished && result() == 0; }
  [[nodiscard]] std::int64_t result() const {
    return type == EventType::kModule ? -EPERM
                                      : reinterpret_cast<const struct rh_call&>(record->head()).result;
  }

 private:
  static constexpr std::int64_t kMostErrno = 4095;
};

class EventStream {
 public:
  using Visit = std::function<bool(const TraceEvent&)>;
  /// `visit` returns false to stop.
  explicit EventStream(Visit visit) : visit_(std::move(visit)) {}

  /// Takes the next record; false once `visit` has returned false.
  bool add(const Record& record);

  [[nodiscard]] const ProcessTree& tree() const { return tree_; }
  /// The absolute path that argument `arg` of a call names, as Directories follows it; "" if that is no path.
  /// Where it led when the call began, if the call changed that (chdir, chroot, mount).
  [[nodiscard]] std::string place(const TraceEvent& event, unsigned arg) const;
  /// The same for another reading of that argument.
  [[nodiscard]] std::string place(const TraceEvent& event, unsigned arg, std::string_view text) const {
    return directories_.resolve(event.tid, event.directory_of(arg), text);
  }
  /// The absolute path that `path` is for a thread at this moment, followed in the same way.
  [[nodiscard]] std::string resolve(std::uint32_t tid, std::string_view path) const;
  /// The same as the call spelled it: symlinks and ".." are kept, and nothing is guessed.
  [[nodiscard]] std::optional<std::string> spell(const TraceEvent& event, std::int32_t directory,
                                                 std::string_view path) const {
    return directories_.spell(event.tid, directory, path);
  }
  /// What a descriptor of a thread stands for at this moment, if that is known; valid during the visit.
  [[nodiscard]] const FdInfo* peek(std::uint32_t tid, std::int32_t fd) const { return fds_.peek(tid, fd); }
  /// The same, to be kept.
  [[nodiscard]] std::shared_ptr<const FdInfo> descriptor(std::uint32_t tid, std::int32_t fd) const {
    return fds_.find(tid, fd);
  }
  /// The path of what the event works on, as the kernel has it; "" if that is not known.
  [[nodiscard]] std::string place(const TraceEvent& event) const {
    return event.fd == nullptr ? std::string() : directories_.plain(event.fd->name);
  }
  /// The working directory of the event's thread, "" if it is not known.
  [[nodiscard]] std::string_view working_directory(const TraceEvent& event) const {
    return directories_.working(event.tid);
  }
  /// Whether the action has made a named pipe of that path.
  [[nodiscard]] bool made_pipe(const std::string& path) const { return pipes_.contains(path); }
  /// When the action's first process was born.
  [[nodiscard]] std::uint64_t begun_ns() const { return begun_ns_; }

 private:
  bool emit(TraceEvent event);
  bool finish_call(const Record& record);
  bool finish_call(const Record& record, const std::optional<Record>& entry);
  bool emit_call(const Record& record, const std::optional<Record>& entry);
  void note_refused(const Record& record);
  void share(const struct rh_fork& fork, bool thread);
  void note_pipe(const TraceEvent& event);
  void note_led(const TraceEvent& event);
  bool end_thread(const Record& record);
  /// The action's own, from its first program on: what sets the sandbox up is not.
  [[nodiscard]] const Process* shown(std::uint32_t tid) const;
  /// Whose signal it is: a thread still tells its parent after its own end.
  [[nodiscard]] SignalSender sender_of(const struct rh_signal& signal) const;
  bool tell_signal(TraceEvent event);
  [[nodiscard]] const Process* signaller(const Record& record) const;

  Visit visit_;
  ProcessTree tree_;
  FdTable fds_;
  Directories directories_{fds_};
  ByThread<std::string> begun_;                          ///< the record of a call's begin; empty: none
  std::unordered_map<std::uint32_t, std::string> late_;  ///< by thread: late copies for the next return
  std::unordered_set<std::uint32_t>
      refused_;  ///< threads that a filter stopped in a call, until that is told
  std::unordered_map<std::uint32_t, std::uint32_t> ended_;  ///< by thread that has ended: its process
  /// Where the arguments of the call at hand led before it changed that; empty for all other calls.
  std::vector<std::string> led_;
  std::uint64_t number_ = 0;
  std::uint64_t begun_ns_ = 0;
  std::set<std::string> pipes_;  ///< that the action has made, the first of them
};

}  // namespace rehearse::trace
