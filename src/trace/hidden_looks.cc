#include "trace/hidden_looks.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/directories.h"
#include "trace/foreign_process.h"
#include "trace/ipc_call.h"
#include "trace/open_call.h"
#include "trace/path_argument.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;  ///< of each kind
constexpr std::uint64_t kInt = 0xffffffff;

bool sends_signal(std::uint32_t nr) {
  return nr == Nr::kill || nr == Nr::tkill || nr == Nr::tgkill || nr == Nr::rt_sigqueueinfo ||
         nr == Nr::rt_tgsigqueueinfo;
}

/// Commands that are about all objects of a kind, or about one by its place in the table.
bool lists_all(IpcKind kind, std::int32_t command) {
  constexpr std::int32_t kIpcInfo = 3, kVersion = 0x100;
  constexpr std::int32_t kMsgStat = 11, kMsgInfo = 12, kMsgStatAny = 13;
  constexpr std::int32_t kShmStat = 13, kShmInfo = 14, kShmStatAny = 15;
  constexpr std::int32_t kSemStat = 18, kSemInfo = 19, kSemStatAny = 20;
  command &= ~kVersion;
  if (command == kIpcInfo) return true;
  switch (kind) {
    case IpcKind::kShm:
      return command == kShmStat || command == kShmInfo || command == kShmStatAny;
    case IpcKind::kSem:
      return command == kSemStat || command == kSemInfo || command == kSemStatAny;
    case IpcKind::kMsg:
      return command == kMsgStat || command == kMsgInfo || command == kMsgStatAny;
  }
  return false;
}

/// The caller's own descriptors and process: they say nothing of the host.
bool is_own(std::string_view path) {
  constexpr std::string_view kOwn[] = {"/proc/self", "/proc/thread-self", "/dev/fd",
                                       "/dev/stdin", "/dev/stdout",       "/dev/stderr"};
  return std::ranges::any_of(kOwn, [&](std::string_view own) { return is_within(path, own); });
}

bool opens(std::uint32_t nr) {
  return nr == Nr::open || nr == Nr::openat || nr == Nr::openat2;
}

bool makes(std::uint32_t nr) {
  static constexpr syscalls::NrSet kMaking(Nr::mkdir, Nr::mkdirat, Nr::mknod, Nr::mknodat, Nr::creat);
  return kMaking.contains(nr);
}

}  // namespace

void HiddenLooks::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0) return;
  const std::uint32_t nr = event.record->head().nr;
  const std::int64_t result = event.result();
  if (result == -ENOENT || result == -ENOTDIR) {
    named(event, events);
    if (ipc_call(nr)) asked_for_ipc(event);
  } else if (result == -ESRCH) {
    asked_for_process(event, events);
  } else if (opens(nr)) {
    asked_for_ipc(event);
    opened(event);
  } else if (ipc_call(nr)) {
    asked_for_ipc(event);
  }
}

void HiddenLooks::opened(const TraceEvent& event) {
  if (event.failed() || event.fd == nullptr) return;
  std::string path = paths_.leads_to(event.fd->name);
  if (emptied_.contains(path)) empty_.insert(std::move(path));
}

void HiddenLooks::named(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const syscalls::Syscall* call = syscalls::find_syscall(record.head().nr);
  if (call == nullptr || call->string_count == 0) return;
  const auto arg = call->find(syscalls::Arg::kPath);
  const auto name = arg ? path_argument(*call, record, *arg) : std::nullopt;
  if (!name || name->path.empty()) return;
  const auto spelled = events.spell(event, name->directory, name->path);
  if (!spelled) return;  // ReadSet counts these
  std::string path = paths_.leads_to(*spelled);
  const auto lies_below = [&](const std::string& top) { return is_within(path, top); };
  if (is_own(path) || std::ranges::none_of(apart_, lies_below)) return;
  if (const auto number = process_number(path)) return process(*number, events);
  const Image* image = ProcessTree::image_of(*event.process);
  Name looked(std::move(path), image == nullptr ? std::string() : image->path);
  if (names_.size() >= kMost) {
    cut_ = cut_ || !names_.contains(looked);
    return;
  }
  const auto flags = open_flags(record, event.entry);
  Use& use = names_[std::move(looked)];
  use.written = use.written || (flags && opens_for_writing(*flags));
  use.made = use.made || (flags && (*flags & O_CREAT) != 0) || makes(record.head().nr);
}

void HiddenLooks::process(std::uint32_t number, const EventStream& events) {
  if (number == 0 || events.tree().was_inside(number) || processes_.contains(number) ||
      nobody_.contains(number))
    return;
  // The host is asked no more often than that, however many numbers an action tries.
  if (processes_.size() + nobody_.size() >= kMost) {
    cut_ = true;
    return;
  }
  std::string name = host_process_(number);
  if (name.empty())
    nobody_.insert(number);
  else
    processes_.emplace(number, std::move(name));
}

/// A signal that is more than a question is an attempt (attempt_kind.h).
void HiddenLooks::asked_for_process(const TraceEvent& event, const EventStream& events) {
  const Record& record = *event.record;
  const auto arg = process_argument(record);
  if (arg && sends_signal(record.head().nr) && int_argument(record, *arg + 1) != 0) return;
  if (const auto number = arg ? named_process(event, events) : std::nullopt) process(*number, events);
}

void HiddenLooks::asked_for_ipc(const TraceEvent& event) {
  const Record& record = *event.record;
  const auto call = ipc_call(record.head().nr);
  if (!call) {
    constexpr std::string_view kTables = "/proc/sysvipc/";
    if (event.failed() || event.fd == nullptr || !event.fd->name.starts_with(kTables)) return;
    const auto kind = std::ranges::find(kIpcNames, std::string_view(event.fd->name).substr(kTables.size()));
    if (kind != kIpcNames.end()) ipc_[static_cast<std::size_t>(kind - kIpcNames.begin())].listed = true;
    return;
  }
  IpcLooks& looks = ipc_[static_cast<std::size_t>(call->kind)];
  const auto note = [](std::set<std::int32_t>& in, std::int32_t number) {
    if (in.size() < kMost) in.insert(number);
  };
  if (call->gets) {
    // One that it made under a key may be there on the host already.
    const std::int32_t key = int_argument(record, 0);
    if (event.result() == -ENOENT || (!event.failed() && key != IPC_PRIVATE)) note(looks.keys, key);
  } else if (lists_all(call->kind, int_argument(record, call->command))) {
    looks.listed = true;
  } else if (event.result() == -EINVAL || event.result() == -EIDRM) {
    note(looks.ids, int_argument(record, 0));
  }
}

}  // namespace rehearse::trace
