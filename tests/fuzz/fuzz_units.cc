// Sizes and durations as people write and read them.
#include <cmath>

#include "base/clock.h"
#include "base/units.h"
#include "fuzz.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::uint64_t number = in.number();
  const std::string text(in.rest());

  if (const auto bytes = parse_bytes(text)) {
    FUZZ_REQUIRE(!text.empty() && text[0] != '-' && *bytes < std::uint64_t{1} << 63U);
  } else {
    FUZZ_REQUIRE(bytes.error().exit == ExitCode::kUsage);
  }
  if (const auto duration = parse_duration(text)) {
    FUZZ_REQUIRE(!text.empty() && text[0] != '-' && *duration >= 0);
  } else {
    FUZZ_REQUIRE(duration.error().exit == ExitCode::kUsage);
  }

  const std::string shown = format_bytes(number);
  FUZZ_REQUIRE(fuzz::is_harmless(shown));
  FUZZ_REQUIRE(std::atof(shown.c_str()) < 1024);
  const auto back = parse_bytes(shown);
  FUZZ_REQUIRE(back.has_value() || number > std::uint64_t{1} << 62U);
  if (back)
    FUZZ_REQUIRE(std::fabs(static_cast<double>(*back) - static_cast<double>(number)) <=
                 0.051 * static_cast<double>(number));

  const auto ns = static_cast<std::int64_t>(number);
  const std::string lasting = format_duration(ns);
  FUZZ_REQUIRE(fuzz::is_harmless(lasting) && !lasting.empty());
  if (ns >= 0 && ns < 1'000'000'000) FUZZ_REQUIRE(std::atof(lasting.c_str()) < 1000);
  if (ns >= 1'000'000'000 && ns < 60'000'000'000) FUZZ_REQUIRE(std::atof(lasting.c_str()) < 60);
  const std::string time = rfc3339(ns);
  FUZZ_REQUIRE(time.size() == 24 && time.find_first_not_of("0123456789-:.TZ") == std::string::npos);
  FUZZ_REQUIRE(time[4] == '-' && time[19] == '.' && time.rfind('-') == 7);
  return 0;
}
