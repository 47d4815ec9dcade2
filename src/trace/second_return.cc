#include "trace/second_return.h"

#include <sys/syscall.h>

#include "syscalls/call.h"

namespace rehearse::trace {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;

bool forks(const struct rh_head& head) {
  if (head.abi == static_cast<std::uint32_t>(syscalls::Abi::kI386)) {
    const std::string_view name = syscalls::i386_name(head.nr);
    return name == "fork" || name == "vfork" || name == "clone" || name == "clone3";
  }
  const std::uint32_t nr = head.nr & ~kX32Bit;
  return nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone || nr == SYS_clone3;
}

}  // namespace

bool is_second_return(const Record& exit) {
  const struct rh_head& head = exit.head();
  return head.kind == RH_EXIT && reinterpret_cast<const struct rh_call&>(head).result == 0 && forks(head);
}

}  // namespace rehearse::trace
