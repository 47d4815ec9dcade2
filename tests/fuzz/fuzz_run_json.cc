// run.json from a bundle that somebody else may have written.
#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "report/digest.h"
#include "report/json.h"
#include "report/terminal.h"

using namespace rehearse;

namespace {

/// JSON numbers are doubles to most readers: longer durations than these do not survive the journey.
bool exact(const report::RunRecord& record) {
  constexpr std::int64_t kMost = std::int64_t{1} << 52U;
  for (const std::int64_t ns :
       {record.command.wall_ns, record.command.user_ns, record.command.sys_ns, record.phases.plan_ns,
        record.phases.build_ns, record.phases.run_ns, record.phases.read_ns, record.phases.judge_ns}) {
    if (ns > kMost || ns < -kMost) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto record = report::parse_run_json({reinterpret_cast<const char*>(data), size});
  if (!record) {
    FUZZ_REQUIRE(record.error().exit == ExitCode::kDataError && !record.error().what.empty());
    return 0;
  }
  FUZZ_REQUIRE(!record->id.empty());
  const std::string text = report::to_json(*record);
  FUZZ_REQUIRE(fuzz::is_harmless(text, "\n"));
  FUZZ_REQUIRE(nlohmann::json::accept(text));
  const auto again = report::parse_run_json(text);
  FUZZ_REQUIRE(again.has_value());
  if (exact(*record)) FUZZ_REQUIRE(report::to_json(*again) == text);
  FUZZ_REQUIRE(report::run_digest(*again) == report::run_digest(*record));

  for (const std::size_t columns : {std::size_t{0}, std::size_t{80}}) {
    report::Writer out;
    report::TerminalOptions options;
    options.columns = columns;
    FUZZ_REQUIRE(report::write_terminal_report(out, *record, -1, options).has_value());
    FUZZ_REQUIRE(fuzz::is_harmless(out.text(), "\n"));
  }
  return 0;
}
