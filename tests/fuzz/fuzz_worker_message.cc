// What the service manager's worker says: whatever the bytes, a message is taken whole, waited for or
// refused, and what was taken can be written and taken again.
#include "fuzz.h"
#include "units/worker_message.h"

using namespace rehearse;
using namespace rehearse::units;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string input(reinterpret_cast<const char*>(data), size);
  while (true) {
    const std::size_t before = input.size();
    auto message = take_message(input);
    if (!message || !*message) break;
    FUZZ_REQUIRE(input.size() < before);
    std::string again = encode(**message);
    auto copy = take_message(again);
    FUZZ_REQUIRE(copy && *copy && again.empty());
    FUZZ_REQUIRE((*copy)->topic == (*message)->topic && (*copy)->numbers == (*message)->numbers);
    FUZZ_REQUIRE((*copy)->texts == (*message)->texts);
    if (const auto request = to_request(**message)) {
      const auto same = to_request(to_message(*request));
      FUZZ_REQUIRE(same && same->also == request->also && same->unit == request->unit);
    }
  }
  return 0;
}
