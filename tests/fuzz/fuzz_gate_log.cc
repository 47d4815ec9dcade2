// A log that a worker in the wrong hands has written: what is read of it is bounded, and written again it
// comes back the same.
#include "base/sys.h"
#include "fuzz.h"
#include "gate/gate_log.h"

using namespace rehearse;
using namespace rehearse::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto log = parse_gate_log(text);
  if (!log) {
    FUZZ_REQUIRE(log.error().what.find('\n') == std::string::npos);
    return 0;
  }
  static const int kFile = sys::memfd("log", 0)->release();
  FUZZ_REQUIRE(::ftruncate(kFile, 0) == 0 && ::lseek(kFile, 0, SEEK_SET) == 0);
  GateLogWriter writer(kFile);
  for (const QuestionRecord& question : log->questions) writer.write(question);
  for (const ConnectionRecord& connection : log->connections) writer.write(connection);
  FUZZ_REQUIRE(writer.finish(log->totals.value_or(GateTotals{})));
  const auto again = read_gate_log(kFile);
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE(again->connections.size() == log->connections.size());
  for (std::size_t i = 0; i < log->connections.size(); ++i) {
    const ConnectionRecord& one = log->connections[i];
    const ConnectionRecord& other = again->connections[i];
    FUZZ_REQUIRE(one.address == other.address && one.port == other.port && one.verdict == other.verdict);
    FUZZ_REQUIRE(one.sni.substr(0, kMostTextKept) == other.sni);
    FUZZ_REQUIRE(one.bytes_in == other.bytes_in && one.ended_ns == other.ended_ns);
  }
  return 0;
}
