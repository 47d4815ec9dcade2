// What an action prints, and how its processes are said to have ended: findings are bounded whatever they
// are.
#include "fuzz.h"
#include "verdict/failure.h"

using namespace rehearse::verdict;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rehearse::fuzz::Bytes input(data, size);
  FailureFacts facts;
  facts.traced = input.flag();
  if (input.flag()) facts.exit = input.byte();
  if (input.flag()) facts.signal = static_cast<int>(input.byte());
  facts.timed_out = input.flag();
  for (std::uint32_t n = input.below(8); n > 0; --n) {
    RanProcess process;
    process.id = input.below(8);
    process.parent = input.below(8);
    process.program = input.flag() ? "timeout" : "x";
    if (input.flag())
      process.exit = input.byte();
    else
      process.signal = static_cast<int>(input.byte());
    process.start_ns = input.byte();
    if (input.flag()) process.end_ns = input.byte();
    facts.processes.push_back(process);
  }
  constexpr int kErrors[] = {1, 2, 13, 20, 28, 30, 122};
  for (std::uint32_t n = input.below(8); n > 0; --n) {
    FailedCall call;
    call.process = input.below(8);
    call.spelled = input.text();
    call.error = kErrors[input.below(7)];
    call.asks = input.flag();
    call.executes = input.flag();
    facts.calls.push_back(call);
  }
  for (std::uint32_t n = input.below(4); n > 0; --n)
    facts.endpoints.push_back({input.below(8), "tcp", input.flag() ? input.text() : std::string()});
  const std::string_view rest = input.rest();
  facts.err = rest.substr(0, rest.size() / 2);
  facts.out = rest.substr(rest.size() / 2);
  for (const Finding& finding : find_failures(facts, FailurePatterns::shipped())) {
    FUZZ_REQUIRE(finding.rule.starts_with("failure.") && !finding.why.empty() && !finding.fix.empty());
    FUZZ_REQUIRE(!finding.evidence.empty() && finding.evidence.size() <= 12);
    for (const Evidence& evidence : finding.evidence) FUZZ_REQUIRE(!evidence.kind.empty());
  }
  return 0;
}
