#include "trace/attempts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <utility>

#include "syscalls/call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;
using syscalls::Privilege;

constexpr std::size_t kMost = 4096;
constexpr std::size_t kLongestDetail = 2048;
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                         CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | 0x80U;

/// Calls of these kinds concern the caller itself, or are what every program does.
bool is_ordinary(const syscalls::Syscall& call, const Record& record) {
  switch (call.privilege) {
    case Privilege::kNone:
    case Privilege::kIds:
    case Privilege::kLimits:
    case Privilege::kScheduling:
      return true;
    case Privilege::kNamespace:
      // clone3 is not there inside: libraries fall back to clone.
      return call.nr == Nr::clone3 ||
             ((call.nr == Nr::clone || call.nr == Nr::unshare) && (record.argument(0) & kNewNamespaces) == 0);
    case Privilege::kRawDevice: {
      const auto mode = record.argument(call.nr == Nr::mknodat ? 2 : 1) & S_IFMT;
      return mode != S_IFCHR && mode != S_IFBLK;
    }
    default:
      return false;
  }
}

/// Opening a kernel parameter for writing.
bool opens_sysctl(const syscalls::Syscall& call, const Record& record, std::string_view path) {
  const bool open = call.nr == Nr::open || call.nr == Nr::openat || call.nr == Nr::creat;
  if (!open || !path.starts_with("/proc/sys/")) return false;
  if (call.nr == Nr::creat) return true;
  return (record.argument(call.nr == Nr::openat ? 2 : 1) & O_ACCMODE) != O_RDONLY;
}

}  // namespace

void Attempts::add(const Record& record, const ProcessTree& tree) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_URING) {
    if (const Process* process = tree.of_action(head.tid))
      note({"io_uring", "an operation that no system call shows", false, 0, process->id, 1});
    return;
  }
  if (head.kind != RH_EXIT || head.abi != 0) return;
  const syscalls::Syscall* call = syscalls::find_syscall(head.nr);
  if (call == nullptr) return;
  std::string what(syscalls::to_string(call->privilege));
  if (is_ordinary(*call, record)) {
    if (call->strings().empty()) return;
    bool sysctl = false;
    record.each_attachment([&](const Attachment& attachment) {
      // By the kernel's path where it was opened, whatever way led there; else by what was asked for.
      if (attachment.kind == RH_PATH && attachment.arg == RH_OPENED)
        sysctl = sysctl || opens_sysctl(*call, record, path_of(attachment.bytes));
      else if (attachment.kind == RH_TEXT)
        sysctl = sysctl || opens_sysctl(*call, record, attachment.bytes);
    });
    if (!sysctl) return;
    what = "sysctl";
  }
  const Process* process = tree.of_action(head.tid);
  if (process == nullptr) return;
  syscalls::Call made;
  made.nr = head.nr;
  for (unsigned i = 0; i < made.args.size(); ++i) made.args[i] = record.argument(i);
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.arg >= made.args.size() || (attachment.flags & RH_FAULT) != 0) return;
    if (attachment.kind == RH_TEXT)
      made.texts[attachment.arg] =
          syscalls::Text{std::string(attachment.bytes), (attachment.flags & RH_CUT) != 0};
    if (attachment.kind == RH_BLOB) made.blobs[attachment.arg] = std::string(attachment.bytes);
  });
  Attempt attempt;
  attempt.what = std::move(what);
  attempt.detail = std::string(call->name) + '(' + syscalls::format_arguments(made) + ')';
  if (attempt.detail.size() > kLongestDetail) attempt.detail.resize(kLongestDetail);
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(head).result;
  attempt.denied = result < 0 && result >= -4095;
  attempt.error = attempt.denied ? static_cast<int>(-result) : 0;
  attempt.process = process->id;
  attempt.count = 1;
  note(std::move(attempt));
}

void Attempts::note(Attempt attempt) {
  ++total_;
  auto key = std::tuple(attempt.process, attempt.error, attempt.detail);
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
