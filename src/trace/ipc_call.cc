#include "trace/ipc_call.h"

namespace rehearse::trace {

std::int32_t int_argument(const Record& call, unsigned argument) {
  constexpr std::uint64_t kInt = 0xffffffff;
  return static_cast<std::int32_t>(call.argument(argument) & kInt);
}

}  // namespace rehearse::trace
