#include "trace/event_stream.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "trace/overwritten_inputs.h"
#include "trace/second_return.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMostPipes = 4096;

const struct rh_call& call_of(const Record& record) {
  return reinterpret_cast<const struct rh_call&>(record.head());
}

/// User strings and bytes of `record`, where `call` has none yet; bytes also where it has those of before.
void take_attachments(syscalls::Call& call, const Record& record) {
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.arg >= call.args.size() || (attachment.flags & RH_FAULT) != 0) return;
    if (attachment.kind == RH_TEXT && !call.texts[attachment.arg])
      call.texts[attachment.arg] =
          syscalls::Text{std::string(attachment.bytes), (attachment.flags & RH_CUT) != 0};
    if (attachment.kind == RH_BLOB) {
      auto& blob = call.blobs[attachment.arg];
      (blob ? call.blobs_after[attachment.arg] : blob) = std::string(attachment.bytes);
    }
    if (attachment.kind == RH_PEER && !call.peer) call.peer = std::string(attachment.bytes);
    if (attachment.kind == RH_WORDS) {
      call.argv = words_of(attachment.bytes, (attachment.flags & RH_REDACTED) != 0);
      call.argv_cut = (attachment.flags & RH_CUT) != 0;
    }
  });
}

/// The string of argument `arg`, nothing if it could not be read or is not there.
std::optional<std::string_view> text_of(const Record& record, unsigned arg) {
  std::optional<std::string_view> text;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_TEXT && attachment.arg == arg && (attachment.flags & RH_FAULT) == 0)
      text = attachment.bytes;
  });
  return text;
}

/// The descriptor a call works on: its first argument, if the table says that it is one.
std::optional<std::int32_t> first_descriptor(const Record& record) {
  if (record.head().abi != 0 || record.head().args == 0) return std::nullopt;
  const syscalls::Syscall* known = syscalls::find_syscall(record.head().nr);
  if (known == nullptr || known->count == 0) return std::nullopt;
  for (unsigned i = 0; i < known->count; ++i) {
    if (known->args[i] == syscalls::Arg::kFd) return static_cast<std::int32_t>(record.argument(i));
    if (i == 0 && known->args[i] == syscalls::Arg::kAtFd &&
        static_cast<std::int32_t>(record.argument(0)) >= 0)
      return static_cast<std::int32_t>(record.argument(0));
  }
  return std::nullopt;
}

bool executes(const Record& record) {
  const struct rh_head& head = record.head();
  if (head.abi == static_cast<std::uint32_t>(syscalls::Abi::kI386)) {
    const std::string_view name = syscalls::i386_name(head.nr);
    return name == "execve" || name == "execveat";
  }
  constexpr std::uint32_t kX32Bit = 0x40000000, kX32Execve = 520, kX32Execveat = 545;
  const std::uint32_t nr = head.nr & ~kX32Bit;
  return nr == SYS_execve || nr == SYS_execveat ||
         (head.abi != 0 && (nr == kX32Execve || nr == kX32Execveat));
}

/// What the kernel was asked to execute, by its own copy of the name: "/dev/fd/3" and "/dev/fd/3/NAME" are
/// what execveat(2) makes of "" and of a name that begins at a descriptor.
std::string_view asked_name(std::string_view kernels, bool by_descriptor) {
  constexpr std::string_view kDescriptors = "/dev/fd/";
  if (!by_descriptor || !kernels.starts_with(kDescriptors)) return kernels;
  const std::size_t slash = kernels.find('/', kDescriptors.size());
  return slash == std::string_view::npos ? std::string_view() : kernels.substr(slash + 1);
}

/// The return of a program's execution as that of the call that was made. The kernel has cleared the
/// registers by then and calls every one of them execve, in the new program's way of calling. The caller's
/// memory is gone too, and perhaps could not be read when the call began: `kernels` is the kernel's copy of
/// the name.
std::string as_called(const Record& exit, const Record& entry, std::string_view kernels) {
  std::string bytes(reinterpret_cast<const char*>(&exit.head()), exit.head().size);
  auto& call = reinterpret_cast<struct rh_call&>(*bytes.data());
  call.head.nr = entry.head().nr;
  call.head.abi = entry.head().abi;
  for (unsigned i = 0; i < exit.head().args && i < entry.head().args; ++i) call.arg[i] = entry.argument(i);
  const syscalls::Syscall* known = entry.head().abi == 0 ? syscalls::find_syscall(entry.head().nr) : nullptr;
  const auto path = known == nullptr ? std::nullopt : known->find(syscalls::Arg::kPath);
  if (!path || kernels.empty()) return bytes;
  // An absolute name may itself lie in /dev/fd.
  const bool by_descriptor = *path > 0 && static_cast<std::int32_t>(entry.argument(0)) != AT_FDCWD &&
                             text_of(entry, static_cast<unsigned>(*path)) != kernels;
  const std::string_view name = asked_name(kernels, by_descriptor);
  const struct rh_attachment head = {RH_TEXT, static_cast<__u8>(*path), 0, 0,
                                     static_cast<__u32>(name.size())};
  bytes.append(reinterpret_cast<const char*>(&head), sizeof head).append(name);
  bytes.resize((bytes.size() + 7) & ~std::size_t{7});
  reinterpret_cast<struct rh_call&>(*bytes.data()).head.size = static_cast<__u32>(bytes.size());
  return bytes;
}

/// What a thread that forks shares with its child; all, if how it was asked is not known and the child is a
/// thread.
std::uint64_t clone_flags(const std::string* begin, bool thread) {
  const auto entry = begin == nullptr ? std::nullopt : Record::at(*begin);
  if (!entry) return thread ? CLONE_FILES | CLONE_FS : 0;
  if (entry->head().nr == SYS_clone) return entry->argument(0);
  std::uint64_t flags = 0;
  if (entry->head().nr != SYS_clone3) return flags;
  entry->each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_BLOB && attachment.bytes.size() >= sizeof flags)
      std::memcpy(&flags, attachment.bytes.data(), sizeof flags);
  });
  return flags;
}

/// Keeps its memory for the thread's next call, if that is little.
void forget(std::string& begin) {
  constexpr std::size_t kKept = 4096;
  if (begin.capacity() > kKept)
    std::string().swap(begin);
  else
    begin.clear();
}

bool returns_descriptor(const Record& record) {
  const syscalls::Syscall* known =
      record.head().abi == 0 ? syscalls::find_syscall(record.head().nr) : nullptr;
  if (known == nullptr) return false;
  const std::uint64_t command = record.argument(1);
  const bool copies = known->nr == SYS_fcntl && (command == F_DUPFD || command == F_DUPFD_CLOEXEC);
  return copies || known->result == syscalls::Return::kFd;
}

}  // namespace

syscalls::Call TraceEvent::call() const {
  syscalls::Call call;
  const Record& from = *record;
  call.nr = from.head().nr;
  call.abi = from.head().abi;
  for (unsigned i = 0; i < call.args.size(); ++i) call.args[i] = from.argument(i);
  call.returned = !unfinished;
  call.result = call_of(from).result;
  // What the arguments were when the call began; the kernel clears them when a program is executed.
  if (entry != nullptr) {
    for (unsigned i = 0; i < entry->head().args && i < call.args.size(); ++i)
      call.args[i] = entry->argument(i);
    take_attachments(call, *entry);
  }
  take_attachments(call, from);
  if (late != nullptr) take_attachments(call, *late);
  for (unsigned lost = overwritten(), i = 0; lost != 0; lost >>= 1U, ++i)
    if ((lost & 1U) != 0) call.blobs[i].reset();
  if (executes(from) && entry != nullptr && returned_zero() && !process->images.empty()) {
    call.argv = process->images.back()->words();
    call.argv_cut = process->images.back()->argv_cut;
  }
  return call;
}

std::optional<std::string_view> TraceEvent::text(unsigned arg) const {
  if (type != EventType::kCall) return std::nullopt;
  std::optional<std::string_view> found;
  if (entry != nullptr) found = text_of(*entry, arg);
  if (!found) found = text_of(*record, arg);
  if (!found && late != nullptr) found = text_of(*late, arg);
  return found;
}

std::optional<std::string_view> TraceEvent::text_at_return(unsigned arg) const {
  return type == EventType::kCall && !unfinished ? text_of(*record, arg) : std::nullopt;
}

std::int32_t TraceEvent::directory_of(unsigned arg) const {
  const syscalls::Syscall* known =
      record->head().abi == 0 ? syscalls::find_syscall(record->head().nr) : nullptr;
  if (known == nullptr || arg == 0 || known->args[arg - 1] != syscalls::Arg::kAtFd) return AT_FDCWD;
  const Record& from = entry != nullptr && arg <= entry->head().args ? *entry : *record;
  return static_cast<std::int32_t>(from.argument(arg - 1));
}

Provenance TraceEvent::provenance(unsigned arg) const {
  if (type != EventType::kCall) return Provenance::kNone;
  const std::optional<std::string_view> before = entry == nullptr ? std::nullopt : text_of(*entry, arg);
  const std::optional<std::string_view> after = unfinished ? std::nullopt : text_of(*record, arg);
  if (before) return after && *after != *before ? Provenance::kChanged : Provenance::kBegin;
  if (after) return Provenance::kReturn;
  return late != nullptr && text_of(*late, arg) ? Provenance::kLate : Provenance::kNone;
}

bool TraceEvent::tampered() const {
  if (type != EventType::kCall || entry == nullptr || unfinished) return false;
  bool differs = false;
  entry->each_attachment([&](const Attachment& before) {
    if (before.kind == RH_TEXT && provenance(before.arg) == Provenance::kChanged) differs = true;
  });
  return differs;
}

bool TraceEvent::has_late_copy() const {
  if (type != EventType::kCall || late == nullptr) return false;
  bool found = false;
  late->each_attachment([&](const Attachment& copy) {
    if (copy.kind == RH_TEXT && provenance(copy.arg) == Provenance::kLate) found = true;
  });
  return found;
}

bool TraceEvent::has_unread() const {
  // With EFAULT the kernel has not read it either.
  if (type != EventType::kCall || unfinished || result() == -EFAULT) return false;
  bool found = false;
  record->each_attachment([&](const Attachment& after) {
    if (after.kind == RH_TEXT && (after.flags & RH_FAULT) != 0 && provenance(after.arg) == Provenance::kNone)
      found = true;
  });
  return found;
}

const char* to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::kBegin:
      return "enter";
    case Provenance::kReturn:
      return "exit";
    case Provenance::kChanged:
      return "diff";
    case Provenance::kLate:
      return "late";
    case Provenance::kNone:
      break;
  }
  return "none";
}

unsigned TraceEvent::overwritten() const {
  if (type != EventType::kCall || unfinished || result() < 0 || record->head().abi != 0) return 0;
  unsigned lost = overwritten_inputs(*record);
  if (lost == 0 || entry == nullptr) return lost;
  entry->each_attachment([&](const Attachment& before) {
    if (before.kind == RH_BLOB && (before.flags & RH_FAULT) == 0 && before.arg < syscalls::kMaxArguments)
      lost &= ~(1U << before.arg);
  });
  return lost;
}

const char* to_string(SignalSender sender) {
  switch (sender) {
    case SignalSender::kProcess:
      return "process";
    case SignalSender::kKernel:
      return "kernel";
    case SignalSender::kRehearse:
      return "rehearse";
    case SignalSender::kHost:
      return "host";
  }
  return "";
}

const Process* EventStream::shown(std::uint32_t tid) const {
  return tree_.of_action(tid);
}

const Process* EventStream::signaller(const Record& record) const {
  if (const Process* process = shown(record.head().tid)) return process;
  const auto found = ended_.find(record.head().tid);
  const auto* signal = record.as<struct rh_signal>();
  // The end of the first process is told to the run's init, which is not the action's.
  if (found == ended_.end() || signal == nullptr || shown(signal->target_tid) == nullptr) return nullptr;
  return &tree_.processes()[found->second];
}

SignalSender EventStream::sender_of(const struct rh_signal& signal) const {
  if (signal.sender == RH_BY_KERNEL) return SignalSender::kKernel;
  if (signal.sender == RH_BY_OUTSIDER) return SignalSender::kHost;
  if (signal.sender == RH_BY_REHEARSE) return SignalSender::kRehearse;
  const Process* caller = tree_.of_thread(signal.head.tid);
  // The run's init is rehearse's.
  return caller != nullptr && caller->id == 0 ? SignalSender::kRehearse : SignalSender::kProcess;
}

/// A signal is told of who sent it, and of who gets it where no process of the action did.
bool EventStream::tell_signal(TraceEvent event) {
  const auto* signal = event.record->as<struct rh_signal>();
  if (signal == nullptr) return true;
  event.type = EventType::kSignal;
  event.sender = sender_of(*signal);
  if (event.sender == SignalSender::kProcess) {
    event.process = signaller(*event.record);
  } else {
    event.process = shown(signal->target_tid);
    event.tid = signal->target_tid;
  }
  return event.process == nullptr || emit(event);
}

bool EventStream::emit(TraceEvent event) {
  event.number = ++number_;
  return visit_(event);
}

bool EventStream::add(const Record& record) {
  led_.clear();
  const struct rh_head& head = record.head();
  TraceEvent event;
  event.record = &record;
  event.tid = head.tid;
  event.time_ns = head.time_ns;
  switch (head.kind) {
    case RH_ENTER:
      begun_[head.tid].assign(reinterpret_cast<const char*>(&head), head.size);
      return true;
    case RH_LATE:
      late_[head.tid].assign(reinterpret_cast<const char*>(&head), head.size);
      return true;
    case RH_EXIT:
      return finish_call(record);
    case RH_FORK: {
      tree_.add(record);
      const auto* fork = record.as<struct rh_fork>();
      if (fork == nullptr) return true;
      const bool thread = fork->child_tid != fork->child_tgid;
      share(*fork, thread);
      if (thread) return true;
      const Process* child = tree_.of_thread(fork->child_tid);
      ended_.erase(fork->child_tid);
      if (child == nullptr || child->id == 0) return true;
      if (child->id == 1) {
        begun_ns_ = head.time_ns;
        return true;
      }
      event.type = EventType::kStart;
      event.process = child;
      event.tid = fork->child_tid;
      return emit(event);
    }
    case RH_EXEC:
      tree_.add(record);
      // Its argument list follows; the event is made when the call returns, in whatever thread it was begun.
      if (const auto* exec = record.as<struct rh_exec>(); exec != nullptr && exec->old_tid != head.tid) {
        if (std::string* begun = begun_.find(exec->old_tid); begun != nullptr && !begun->empty()) {
          std::string begin = std::move(*begun);
          begun_.erase(exec->old_tid);
          begun_[head.tid] = std::move(begin);
        }
      }
      if (const auto* exec = record.as<struct rh_exec>()) {
        fds_.exec(exec->old_tid, head.tid);
        directories_.exec(exec->old_tid, head.tid, record);
      }
      return true;
    case RH_DEATH:
      return end_thread(record);
    case RH_SIGNAL:
      tree_.add(record);
      note_refused(record);
      return tell_signal(event);
    case RH_URING:
      event.type = EventType::kUring;
      event.process = shown(head.tid);
      return event.process == nullptr || emit(event);
    case RH_MODULE:
      event.type = EventType::kModule;
      event.process = record.as<struct rh_module>() == nullptr ? nullptr : shown(head.tid);
      return event.process == nullptr || emit(event);
    case RH_SOCKET:
      event.type = EventType::kSocket;
      event.process = record.as<struct rh_socket>() == nullptr ? nullptr : shown(head.tid);
      return event.process == nullptr || emit(event);
    default:
      tree_.add(record);
      return true;
  }
}

/// A filter that kills or traps (seccomp(2)) has the signal sent before the call returns.
void EventStream::note_refused(const Record& record) {
  constexpr int kSysSeccomp = 1;  // SYS_SECCOMP
  constexpr std::size_t kMostRefused = 65536;
  const auto* signal = record.as<struct rh_signal>();
  if (signal != nullptr && signal->signal == SIGSYS && signal->code == kSysSeccomp &&
      signal->target_tid == record.head().tid && refused_.size() < kMostRefused)
    refused_.insert(record.head().tid);
}

void EventStream::share(const struct rh_fork& fork, bool thread) {
  const std::string* begin = begun_.find(fork.head.tid);
  if (begin != nullptr && begin->empty()) begin = nullptr;
  const std::uint64_t flags = clone_flags(begin, thread);
  fds_.fork(fork.head.tid, fork.child_tid, (flags & CLONE_FILES) != 0);
  directories_.fork(fork.head.tid, fork.child_tid, (flags & CLONE_FS) != 0);
}

bool EventStream::finish_call(const Record& record) {
  tree_.add(record);
  // A call that the filter refuses is not begun: what was kept is another's, or nothing.
  std::string* begin = begun_.find(record.head().tid);
  if (begin == nullptr || begin->empty()) return finish_call(record, std::nullopt);
  const bool going = finish_call(record, Record::at(*begin));
  forget(*begin);
  return going;
}

bool EventStream::finish_call(const Record& record, const std::optional<Record>& entry) {
  const bool executed = executes(record) && call_of(record).result == 0;
  if (!executed || !entry || !executes(*entry)) return emit_call(record, entry);
  const Process* process = shown(record.head().tid);
  const bool known = process != nullptr && !process->images.empty();
  const std::string called =
      as_called(record, *entry, known ? std::string_view(process->images.back()->asked) : "");
  return emit_call(Record(reinterpret_cast<const struct rh_head&>(*called.data())), entry);
}

bool EventStream::emit_call(const Record& record, const std::optional<Record>& entry) {
  const struct rh_head& head = record.head();
  std::string copied;
  if (const auto found = late_.empty() ? late_.end() : late_.find(head.tid); found != late_.end()) {
    copied = std::move(found->second);
    late_.erase(found);
  }
  TraceEvent event;
  event.record = &record;
  event.tid = head.tid;
  event.time_ns = head.time_ns;
  event.process = shown(head.tid);
  std::optional<Record> late;
  if (!copied.empty()) late = Record::at(copied);
  if (late && late->head().nr == head.nr) event.late = &*late;
  if (entry && entry->head().nr == head.nr) {
    event.entry = &*entry;
    event.begun_ns = entry->head().time_ns;
  } else if (entry && entry->head().nr == SYS_rt_sigreturn && head.nr == UINT32_MAX) {
    // It restores the registers of another moment: its number is gone when it ends, and it has no result.
    event.record = event.entry = &*entry;
    event.begun_ns = entry->head().time_ns;
    event.unfinished = true;
  }
  // Such a call never began: its result is its own number, put back in its place.
  if (!refused_.empty() && refused_.erase(head.tid) != 0 &&
      call_of(record).result == static_cast<std::int64_t>(head.nr))
    event.unfinished = true;
  // What a descriptor stood for is said before it is closed; held until it has been told.
  std::shared_ptr<const FdInfo> held;
  if (const auto number = first_descriptor(record)) {
    event.fd_number = *number;
    if (FdTable::changes(head.nr)) held = fds_.find(head.tid, *number);
    event.fd = held != nullptr ? held.get() : fds_.peek(head.tid, *number);
  }
  note_led(event);
  fds_.call(head.tid, record, event.entry);
  directories_.call(head.tid, record);
  if (event.process == nullptr || is_second_return(record)) return true;
  // A filter of the action's own may answer 0 in the kernel's place: such a call never begins.
  const bool begun = event.entry != nullptr;
  if (executes(record) && begun && call_of(record).result == 0 && !event.process->images.empty()) {
    TraceEvent executed;
    executed.type = EventType::kExec;
    executed.record = &record;
    executed.tid = head.tid;
    executed.time_ns = head.time_ns;
    executed.process = event.process;
    if (!emit(executed)) return false;
  }
  if (returns_descriptor(record) && call_of(record).result >= 0) {
    event.fd_number = static_cast<std::int32_t>(call_of(record).result);
    event.fd = fds_.peek(head.tid, event.fd_number);
    event.opened = true;
  }
  note_pipe(event);
  return emit(event);
}

void EventStream::note_led(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  if (head.abi != 0 || !event.returned_zero()) return;
  const bool moves = head.nr == SYS_chdir || head.nr == SYS_chroot || head.nr == SYS_pivot_root;
  if (!moves && head.nr != SYS_mount) return;
  std::vector<std::string> led;
  for (unsigned arg = 0; arg < 2; ++arg) led.push_back(place(event, arg));
  led_ = std::move(led);
}

void EventStream::note_pipe(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  if (head.abi != 0 || (head.nr != SYS_mknod && head.nr != SYS_mknodat) || !event.returned_zero()) return;
  const unsigned path = head.nr == SYS_mknodat ? 1 : 0;
  if ((event.record->argument(path + 1) & S_IFMT) == S_IFIFO && pipes_.size() < kMostPipes)
    pipes_.insert(place(event, path));
}

std::string EventStream::place(const TraceEvent& event, unsigned arg) const {
  const syscalls::Syscall* known =
      event.record->head().abi == 0 ? syscalls::find_syscall(event.record->head().nr) : nullptr;
  if (event.type != EventType::kCall || known == nullptr || arg >= known->count ||
      known->args[arg] != syscalls::Arg::kPath)
    return {};
  if (arg < led_.size()) return led_[arg];
  const std::optional<std::string_view> text = event.text(arg);
  return text ? directories_.resolve(event.tid, event.directory_of(arg), *text) : std::string();
}

std::string EventStream::resolve(std::uint32_t tid, std::string_view path) const {
  return directories_.resolve(tid, AT_FDCWD, path);
}

bool EventStream::end_thread(const Record& record) {
  const struct rh_head& head = record.head();
  const Process* process = shown(head.tid);
  bool going = true;
  if (std::string* begun = begun_.find(head.tid)) {
    const std::string begin = std::move(*begun);
    begun_.erase(head.tid);
    const auto entry = Record::at(begin);
    if (process != nullptr && entry) {
      TraceEvent event;
      event.record = &*entry;
      event.entry = &*entry;
      event.unfinished = true;
      event.tid = head.tid;
      event.time_ns = event.begun_ns.emplace(entry->head().time_ns);
      event.process = process;
      going = emit(event);
    }
  }
  tree_.add(record);
  if (process != nullptr) ended_[head.tid] = process->id;
  fds_.exit(head.tid);
  directories_.exit(head.tid);
  const auto* death = record.as<struct rh_death>();
  if (!going || process == nullptr || death == nullptr || death->last == 0) return going;
  TraceEvent event;
  event.type = EventType::kEnd;
  event.record = &record;
  event.tid = head.tid;
  event.time_ns = head.time_ns;
  event.process = process;
  return emit(event);
}

}  // namespace rehearse::trace
