#include "trace/call_plans.h"

#include <algorithm>

#include "syscalls/table.h"
#include "trace/stat_buffer.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint16_t kMostSockaddr = 128;  ///< sizeof(struct sockaddr_storage)
constexpr std::uint16_t kMostStruct = 128;    ///< struct clone_args, struct open_how

/// Opens something that has a path.
bool opens_file(std::uint32_t nr) {
  return nr == Nr::open || nr == Nr::openat || nr == Nr::openat2 || nr == Nr::creat || nr == Nr::memfd_create;
}

/// Calls that move bytes return even when the caller is killed in them; recording their begin too would
/// double what the most frequent calls of all cost.
bool moves_bytes(std::uint32_t nr) {
  constexpr std::uint32_t kCalls[] = {Nr::read,     Nr::write,    Nr::readv,   Nr::writev,
                                      Nr::sendfile, Nr::sendto,   Nr::sendmsg, Nr::recvfrom,
                                      Nr::recvmsg,  Nr::sendmmsg, Nr::recvmmsg};
  return std::ranges::find(kCalls, nr) != std::end(kCalls);
}

/// Names begin elsewhere after it.
bool moves(std::uint32_t nr) {
  return nr == Nr::chdir || nr == Nr::fchdir || nr == Nr::chroot || nr == Nr::pivot_root;
}

void plan_blob(struct rh_call_plan& plan, const syscalls::Syscall& call) {
  if (const auto in = call.sockaddr_in()) {
    plan.blob = *in;
    plan.blob_length = static_cast<std::uint8_t>(*in + 1);
    plan.blob_at = 1;
    plan.blob_bytes = kMostSockaddr;
  } else if (const auto out = call.sockaddr_out()) {
    plan.blob = *out;
    plan.blob_length = static_cast<std::uint8_t>(*out + 1);
    plan.blob_at = 2;
    plan.blob_bytes = kMostSockaddr;
  } else if (const auto sized = call.sized_struct()) {
    plan.blob = *sized;
    plan.blob_length = static_cast<std::uint8_t>(*sized + 1);
    plan.blob_at = 1;
    plan.blob_bytes = kMostStruct;
  } else if (const auto buffer = stat_buffer(call.nr)) {
    plan.blob = buffer->arg;
    plan.blob_at = 2;
    plan.blob_bytes = buffer->bytes;
  }
}

}  // namespace

void fill_call_plans(struct rh_call_plan* plans) {
  for (unsigned nr = 0; nr < RH_CALLS; ++nr) {
    struct rh_call_plan& plan = plans[nr];
    plan = {};
    plan.args = syscalls::kMaxArguments;
    std::ranges::fill(plan.text, RH_NONE);
    plan.blob = plan.blob_length = RH_NONE;
    const syscalls::Syscall* call = syscalls::find_syscall(nr);
    if (call == nullptr) continue;
    plan.args = call->count;
    std::ranges::copy(call->strings(), plan.text);
    plan_blob(plan, *call);
    if ((call->at_entry() && !moves_bytes(nr)) || plan.blob_at == 1 ||
        call->result == syscalls::Return::kNever || nr == Nr::rt_sigreturn)
      plan.flags |= RH_AT_ENTRY;
    if (opens_file(nr)) plan.flags |= RH_RETURNS_FD;
    if (moves(nr)) plan.flags |= RH_MOVES;
    if (call->privilege == syscalls::Privilege::kIds) plan.flags |= RH_HAS_CREDS;
  }
}

}  // namespace rehearse::trace
