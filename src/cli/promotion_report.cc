#include "cli/promotion_report.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "promote/unit_plan.h"

namespace rehearse::cli {
namespace {

using promote::Outcome;

constexpr std::size_t kMostLines = 40;  ///< of a list, for a person; JSON has all

const char* result_word(const Outcome& outcome) {
  if (outcome.dry_run && outcome.exit == ExitCode::kDone) return "dry run";
  switch (outcome.exit) {
    case ExitCode::kDone:
    case ExitCode::kDiverged:
      return outcome.id.empty() ? "nothing to do" : outcome.rollback ? "rolled back" : "promoted";
    case ExitCode::kStale:
      return "stale";
    case ExitCode::kRolledBack:
      return "undone";
    case ExitCode::kRollbackIncomplete:
      return "incomplete";
    case ExitCode::kRed:
    case ExitCode::kInconclusive:
      return "blocked";
    default:
      return "failed";
  }
}

/// Whose use of the path it is that has to hold: not what somebody did to it.
std::string use_words(const promote::Moved& moved) {
  if (moved.use == "promoted") return {};
  if (moved.use == "written") return "  (the run changed it)";
  if (moved.use == "on its mount") return "  (on a mount that the run changed)";
  if (moved.use == "looked for in vain") return "  (the run looked for it in vain)";
  return "  (the run " + moved.use + " it)";
}

/// One fact, with what it was and what it is.
std::string moved_lines(const promote::Moved& moved, bool rollback) {
  const char* then = rollback ? "when promoted " : "when rehearsed";
  std::string text =
      fmt::format("{}{}\n      {}  {}\n      {:<14}  {}", escape_text(moved.path), use_words(moved), then,
                  escape_text(moved.then), "now", escape_text(moved.now));
  if (!moved.owner.empty()) text += fmt::format("\n      {:<14}  {}", "owner", escape_text(moved.owner));
  return text;
}

void strings(JsonWriter& json, const char* name, const std::vector<std::string>& lines) {
  json.key(name).open_array();
  for (const std::string& line : lines) json.string(to_utf8_lossy(line));
  json.close_array();
}

}  // namespace

std::string promotion_json(const Outcome& outcome) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.promotion/1");
  json.key("kind").string(outcome.rollback ? "rollback" : "promote").key("id");
  if (outcome.id.empty())
    json.null();
  else
    json.string(outcome.id);
  json.key("run").string(outcome.run).key("digest").string(outcome.digest);
  json.key("dry_run").boolean(outcome.dry_run).key("result").string(result_word(outcome));
  json.key("exit").integer(std::int64_t{static_cast<int>(outcome.exit)});
  json.key("why").string(to_utf8_lossy(outcome.why)).key("fix").string(to_utf8_lossy(outcome.fix));
  json.bytes("again", outcome.again).bytes("rest", outcome.rest);
  json.bytes("authority", outcome.authority);
  json.key("decision").integer(outcome.decision).key("started").string(rfc3339(outcome.started_ns));
  json.key("operations").open_array();
  for (const promote::Shown& shown : outcome.operations) {
    json.open_object().key("what").string(shown.what).bytes("path", shown.path);
    if (!shown.from.empty()) json.bytes("from", shown.from);
    json.close_object();
  }
  json.close_array().key("units").open_array();
  for (const ledger::UnitStep& step : outcome.units) {
    json.open_object().bytes("request", step.verb).bytes("unit", step.unit).bytes("mode", step.mode);
    json.key("result").string(ledger::to_string(step.result)).key("irreversible").boolean(step.irreversible);
    json.bytes("before", step.before).bytes("after", step.after).bytes("detail", step.detail);
    json.key("took_s").seconds(step.took_ns).close_object();
  }
  json.close_array().key("moved").open_array();
  for (const promote::Moved& moved : outcome.staleness.moved) {
    json.open_object().bytes("path", moved.path).key("use").string(moved.use);
    json.key("then").string(to_utf8_lossy(moved.then)).key("now").string(to_utf8_lossy(moved.now));
    json.key("owner").string(to_utf8_lossy(moved.owner));
    json.key("acceptable").boolean(moved.acceptable).close_object();
  }
  json.close_array().key("not_compared").open_array();
  for (const promote::LeftOut& ignored : outcome.staleness.ignored)
    json.open_object()
        .bytes("path", ignored.path)
        .key("why")
        .string(to_utf8_lossy(ignored.why))
        .close_object();
  json.close_array();
  strings(json, "accepted", outcome.staleness.accepted);
  json.key("left_out").open_array();
  for (const promote::LeftOut& left : outcome.left_out)
    json.open_object().bytes("path", left.path).key("why").string(to_utf8_lossy(left.why)).close_object();
  json.close_array();
  strings(json, "notes", outcome.notes);
  strings(json, "kept", outcome.kept);
  strings(json, "left_alone", outcome.left_alone);
  strings(json, "not_undone", outcome.not_undone);
  json.key("phases")
      .open_object()
      .key("check_s")
      .seconds(outcome.check_ns)
      .key("prepare_s")
      .seconds(outcome.stage_ns);
  json.key("commit_s").seconds(outcome.commit_ns).key("window_s").seconds(outcome.window_ns).close_object();
  json.close_object();
  return text + "\n";
}

std::string promotion_text(const Outcome& outcome, const std::string& state_option) {
  std::string text =
      fmt::format("{}  {}\n", result_word(outcome), outcome.id.empty() ? outcome.run : outcome.id);
  const auto list = [&text](const char* title, std::size_t count, auto line) {
    if (count == 0) return;
    text += fmt::format("{} ({})\n", title, count);
    for (std::size_t i = 0; i < std::min(count, kMostLines); ++i) text += "  " + line(i) + "\n";
    if (count > kMostLines) text += fmt::format("  ... {} more: --json has them all\n", count - kMostLines);
  };
  if (!outcome.authority.empty()) text += "  " + escape_text(outcome.authority) + "\n";
  if (!outcome.why.empty()) text += "  " + escape_text(outcome.why) + "\n";
  const auto& moved = outcome.staleness.moved;
  list(outcome.rollback ? "changed since the promotion" : "moved since the rehearsal", moved.size(),
       [&](std::size_t i) { return moved_lines(moved[i], outcome.rollback); });
  if (!outcome.fix.empty() && outcome.exit != ExitCode::kDone) text += "  " + escape_text(outcome.fix) + "\n";
  if (!outcome.rest.empty()) text += fmt::format("rest  rehearse {}{}\n", state_option, outcome.rest);
  // Options of the run that are not in its record are the reader's to add.
  if (!outcome.again.empty()) text += fmt::format("again  rehearse {}{}\n", state_option, outcome.again);
  if (outcome.dry_run) {
    // The exact list is what a dry run is for: never cut.
    text += fmt::format("operations ({})\n", outcome.operations.size());
    for (const promote::Shown& shown : outcome.operations)
      text += fmt::format("  {:<10} {}{}\n", shown.what, escape_text(shown.path),
                          shown.from.empty() ? "" : " from " + escape_text(shown.from));
  }
  list("unit requests", outcome.units.size(), [&](std::size_t i) {
    const ledger::UnitStep& step = outcome.units[i];
    std::string line =
        fmt::format("{:<11} {}", ledger::to_string(step.result), escape_text(promote::line_of(step)));
    if (!step.after.empty())
      line += fmt::format("  {} -> {}", escape_text(step.before), escape_text(step.after));
    if (!step.detail.empty()) line += "  " + escape_text(step.detail, 200);
    if (step.irreversible) line += "  (cannot be taken back)";
    return line;
  });
  list("notes", outcome.notes.size(), [&](std::size_t i) { return escape_text(outcome.notes[i]); });
  list("accepted although it has moved", outcome.staleness.accepted.size(),
       [&](std::size_t i) { return escape_text(outcome.staleness.accepted[i]); });
  list("not compared", outcome.staleness.ignored.size(), [&](std::size_t i) {
    return escape_text(outcome.staleness.ignored[i].path) + "  " +
           escape_text(outcome.staleness.ignored[i].why);
  });
  list("left out", outcome.left_out.size(), [&](std::size_t i) {
    return escape_text(outcome.left_out[i].path) + "  " + escape_text(outcome.left_out[i].why);
  });
  list("kept aside", outcome.kept.size(), [&](std::size_t i) { return escape_text(outcome.kept[i]); });
  list("left as it is", outcome.left_alone.size(),
       [&](std::size_t i) { return escape_text(outcome.left_alone[i]); });
  list("NOT UNDONE", outcome.not_undone.size(),
       [&](std::size_t i) { return escape_text(outcome.not_undone[i]); });
  if (!outcome.id.empty())
    text +=
        fmt::format("{} {}; checked in {}, prepared in {}, committed in {}; the host was mixed for {}\n",
                    outcome.operations.size(), outcome.operations.size() == 1 ? "operation" : "operations",
                    format_duration(outcome.check_ns), format_duration(outcome.stage_ns),
                    format_duration(outcome.commit_ns), format_duration(outcome.window_ns));
  if (!outcome.id.empty() && outcome.exit == ExitCode::kDone && !outcome.rollback)
    text += fmt::format("back  rehearse {}rollback {}\n", state_option, outcome.run);
  return text;
}

}  // namespace rehearse::cli
