// Calls of any shape to strace's lines: nothing from a hostile program reaches a terminal raw.
#include <algorithm>
#include <string>

#include "fuzz.h"
#include "syscalls/call.h"

using namespace rehearse;

namespace {

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

syscalls::Call read_call(fuzz::Bytes& in) {
  syscalls::Call call;
  call.nr = in.small();
  call.abi = in.byte();
  call.returned = in.flag();
  call.result = static_cast<std::int64_t>(in.number());
  for (std::size_t i = 0; i < syscalls::kMaxArguments; ++i) {
    call.args[i] = in.number();
    if (in.flag()) {
      call.texts[i] = syscalls::Text{in.text(), false};
      call.texts[i]->truncated = in.flag();
    } else if (in.flag()) {
      call.blobs[i] = in.text();
      if (in.flag()) call.blobs_after[i] = in.text();
    }
  }
  for (std::uint32_t n = in.below(8); n > 0; --n) call.argv.push_back(in.text());
  call.envp_names.resize(in.below(8));
  return call;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  syscalls::Call call = read_call(in);
  const auto check = [&] {
    const std::string name = syscalls::format_name(call);
    const std::string arguments = syscalls::format_arguments(call);
    const std::string result = syscalls::format_result(call);
    FUZZ_REQUIRE(!name.empty() && !result.empty());
    FUZZ_REQUIRE(is_printable(arguments) && is_printable(result));
    FUZZ_REQUIRE(syscalls::format_call(call) ==
                 syscalls::format_full_name(call) + '(' + arguments + ") = " + result);
  };
  check();
  // The same bytes as every other call.
  call.nr %= syscalls::kLastSyscall + 2;
  call.abi = 0;
  call.returned = true;
  check();
  return 0;
}
