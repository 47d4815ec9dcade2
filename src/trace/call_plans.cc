#include "trace/call_plans.h"

#include <algorithm>

#include "syscalls/structs.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

/// Opens something that has a path.
/// Of a copy too it is the kernel that says what it stands for: a filter of the action's own may say that
/// there is one, and none is made.
bool opens_file(std::uint32_t nr) {
  return nr == Nr::open || nr == Nr::openat || nr == Nr::openat2 || nr == Nr::creat ||
         nr == Nr::memfd_create || nr == Nr::dup || nr == Nr::dup2 || nr == Nr::dup3;
}

/// Calls that move bytes return even when the caller is killed in them; recording their begin too would
/// double what the most frequent calls of all cost.
bool moves_bytes(std::uint32_t nr) {
  constexpr std::uint32_t kCalls[] = {Nr::read,     Nr::write,    Nr::readv,   Nr::writev,
                                      Nr::sendfile, Nr::sendto,   Nr::sendmsg, Nr::recvfrom,
                                      Nr::recvmsg,  Nr::sendmmsg, Nr::recvmmsg};
  return std::ranges::find(kCalls, nr) != std::end(kCalls);
}

/// Whose message may be one to the kernel (netlink(7)).
bool sends(std::uint32_t nr) {
  return nr == Nr::sendto || nr == Nr::sendmsg || nr == Nr::sendmmsg;
}

/// Names begin elsewhere after it.
bool moves(std::uint32_t nr) {
  return nr == Nr::chdir || nr == Nr::fchdir || nr == Nr::chroot || nr == Nr::pivot_root;
}

struct rh_memory plan_memory(const syscalls::Capture& capture) {
  using Length = syscalls::Capture::Length;
  struct rh_memory memory = {};
  memory.arg = capture.arg;
  memory.direction = capture.out ? RH_OUT : RH_IN;
  memory.unit = capture.length == Length::kPointer ? 0 : capture.unit;
  memory.most = capture.most;
  switch (capture.length) {
    case Length::kFixed:
      memory.length = RH_FIXED;
      break;
    case Length::kNext:
    case Length::kPointer:
      memory.length = static_cast<std::uint8_t>(capture.arg + 1);
      break;
    case Length::kBefore:
      memory.length = static_cast<std::uint8_t>(capture.arg - 1);
      break;
    case Length::kFirst:
      memory.length = 0;
      break;
    case Length::kNested:
      memory.length = RH_NESTED;
      break;
    case Length::kResult:
      memory.length = RH_BY_RESULT;
      break;
  }
  return memory;
}

/// What is read and then filled in is read twice.
void plan_memories(struct rh_call_plan& plan, const syscalls::Syscall& call) {
  std::size_t count = 0;
  for (std::uint8_t i = 0; i < call.count; ++i) {
    const auto capture = syscalls::capture_of(call.args[i], i);
    if (!capture || count + (capture->both ? 1 : 0) >= std::size(plan.memory)) continue;
    plan.memory[count++] = plan_memory(*capture);
    if (!capture->both) continue;
    plan.memory[count] = plan.memory[count - 1];
    plan.memory[count++].direction = RH_OUT;
  }
}

bool names_peer(const syscalls::Syscall& call) {
  constexpr syscalls::Arg kMessages[] = {syscalls::Arg::kMessage, syscalls::Arg::kMessageOut,
                                         syscalls::Arg::kMessages, syscalls::Arg::kMessagesOut};
  return std::ranges::any_of(kMessages, [&](syscalls::Arg kind) { return call.find(kind).has_value(); });
}

}  // namespace

void fill_call_plans(struct rh_call_plan* plans) {
  for (unsigned nr = 0; nr < RH_CALLS; ++nr) {
    struct rh_call_plan& plan = plans[nr];
    plan = {};
    plan.args = syscalls::kMaxArguments;
    std::ranges::fill(plan.text, RH_NONE);
    plan.words = RH_NONE;
    for (struct rh_memory& memory : plan.memory) memory.arg = RH_NONE;
    const syscalls::Syscall* call = syscalls::find_syscall(nr);
    if (call == nullptr) continue;
    plan.args = call->count;
    std::ranges::copy(call->strings(), plan.text);
    plan.words = static_cast<std::uint8_t>(call->find(syscalls::Arg::kArgv).value_or(RH_NONE));
    plan_memories(plan, *call);
    if ((call->at_entry() && !moves_bytes(nr)) || call->sockaddr_in() ||
        call->result == syscalls::Return::kNever || nr == Nr::rt_sigreturn)
      plan.flags |= RH_AT_ENTRY;
    if (opens_file(nr)) plan.flags |= RH_RETURNS_FD;
    if (sends(nr)) plan.flags |= RH_SENDS;
    if (moves(nr)) plan.flags |= RH_MOVES;
    if (names_peer(*call)) plan.flags |= RH_MESSAGE;
    if (nr == Nr::connect) plan.flags |= RH_CONNECTS;
    if (call->privilege == syscalls::Privilege::kIds) plan.flags |= RH_HAS_CREDS;
  }
}

}  // namespace rehearse::trace
