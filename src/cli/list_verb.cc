// rehearse list: the runs, newest first.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "cli/command_line.h"
#include "cli/decision_text.h"
#include "cli/verb_support.h"
#include "ledger/ledger.h"
#include "report/style.h"
#include "report/terminal.h"
#include "report/text_width.h"
#include "report/writer.h"

namespace rehearse::cli {
namespace {

void optional_integer(JsonWriter& json, const char* name, const std::optional<int>& value) {
  json.key(name);
  if (value) {
    json.integer(std::int64_t{*value});
  } else {
    json.null();
  }
}

void row_json(JsonWriter& json, const ledger::Row& row, bool promoted) {
  json.open_object().key("id").string(to_utf8_lossy(row.id)).key("created").string(rfc3339(row.created_ns));
  json.key("state").string(ledger::to_string(row.state)).key("verdict");
  if (row.verdict.empty()) {
    json.null();
  } else {
    json.string(to_utf8_lossy(row.verdict));
  }
  json.key("digest");
  if (row.digest.empty()) {
    json.null();
  } else {
    json.string(to_utf8_lossy(row.digest));
  }
  json.key("argv").open_array();
  bool exact = true;
  for (const std::string& word : row.argv) {
    exact = exact && is_utf8(word);
    json.string(to_utf8_lossy(word));
  }
  json.close_array();
  if (!exact) {
    json.key("argv_b64").open_array();
    for (const std::string& word : row.argv) json.string(base64(word));
    json.close_array();
  }
  optional_integer(json, "exit", row.exit);
  optional_integer(json, "signal", row.signal);
  json.key("counts")
      .open_object()
      .key("created")
      .integer(row.counts.created)
      .key("modified")
      .integer(row.counts.modified);
  json.key("deleted").integer(row.counts.deleted).key("metadata").integer(row.counts.metadata);
  json.key("renamed").integer(row.counts.renamed).key("type").integer(row.counts.type);
  json.key("identical").integer(row.counts.identical).close_object();
  json.key("written_bytes").integer(row.written_bytes).key("wall_s").seconds(row.wall_ns);
  json.key("requester_uid")
      .integer(std::uint64_t{row.requester_uid})
      .key("promoted")
      .boolean(promoted)
      .close_object();
}

verdict::Level level_of(const std::string& word) {
  for (const auto level : {verdict::Level::kGreen, verdict::Level::kYellow, verdict::Level::kRed}) {
    if (word == verdict::to_string(level)) return level;
  }
  return verdict::Level::kInconclusive;
}

std::string row_line(const ledger::Row& row, bool promoted, const report::Style& style, std::size_t columns) {
  constexpr std::size_t kCommandBytes = 1024;
  std::string word = row.verdict.empty() ? ledger::to_string(row.state) : style.level(level_of(row.verdict));
  const std::size_t plain =
      row.verdict.empty() ? word.size() : std::string_view(verdict::to_string(level_of(row.verdict))).size();
  word.append(plain < 12 ? 12 - plain : 0, ' ');
  const std::string ended = row.signal ? fmt::format("sig {}", *row.signal)
                            : row.exit ? fmt::format("{}", *row.exit)
                                       : "-";
  std::string counts = row.state == ledger::State::kInterrupted || row.state == ledger::State::kRunning
                           ? "-"
                           : report::counts_line(row.counts);
  const std::size_t width = report::text_width(counts);
  counts.append(width < 24 ? 24 - width : 0, ' ');
  std::string command = promoted ? "[promoted]" : "";
  for (const std::string& argument : row.argv) {
    if (command.size() > kCommandBytes) break;
    if (!command.empty()) command += ' ';
    command += argument.size() > kCommandBytes ? escape_text(argument, kCommandBytes) : shell_quote(argument);
  }
  constexpr std::size_t kFixed = 22 + 2 + 12 + 2 + 6 + 2 + 24 + 2;
  if (columns > kFixed + 10) command = report::fit_middle(command, columns - kFixed);
  return fmt::format("{:<22}  {}  {:<6}  {}  {}\n", escape_text(row.id, 80), word, ended, counts, command);
}

/// Those that the ledger does not know yet: what began last may be what is looked for.
Result<void> add_unfinished(const ledger::StateDir& state, const ledger::Filter& filter,
                            std::vector<ledger::Row>& rows) {
  RH_TRY(const auto unfinished, state.unfinished_runs());
  for (const auto& run : unfinished) {
    if (std::ranges::find(rows, run.id, &ledger::Row::id) != rows.end()) continue;
    ledger::Row row;
    row.id = run.id;
    row.created_ns = ledger::time_of_run(run.id);
    row.argv = run.argv;
    row.state = run.going_on ? ledger::State::kRunning : ledger::State::kInterrupted;
    rows.push_back(std::move(row));
  }
  std::ranges::sort(rows, std::greater<>(), &ledger::Row::id);
  if (filter.limit != 0 && rows.size() > filter.limit) rows.resize(filter.limit);
  return {};
}

Result<int> list_overrides(const Globals& globals, const std::optional<ledger::StateDir>& state) {
  std::vector<ledger::Decision> all;
  if (state) {
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(*state));
    RH_TRY(all, decisions.overrides());
  }
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? overrides_json(all, realtime_ns()) : overrides_text(all, realtime_ns()));
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace

Result<int> list_verb(Globals& globals, Arguments arguments) {
  ledger::Filter filter;
  CommandLine line("List runs, newest first", "list", globals);
  std::optional<std::uint64_t> limit;
  line.option("--limit", limit, "At most so many (default: all)").type_name("N");
  line.flag("--removed", filter.include_removed, "Also runs whose bundle was removed");
  bool overrides = false;
  line.flag("--overrides", overrides, "Runs that passed without approval, and whether that was reviewed");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  if (limit == 0U)
    return fail("list: --limit 0 lists nothing", ExitCode::kUsage, "leave it out to list all runs");
  filter.limit = limit.value_or(0);

  std::vector<ledger::Row> rows;
  RH_TRY(const std::optional<ledger::StateDir> state, open_existing_state(globals));
  if (overrides) return list_overrides(globals, state);
  if (state) {
    std::string notice;
    RH_TRY(ledger::Ledger ledger, ledger::Ledger::open(*state, &notice));
    if (!notice.empty()) std::fprintf(stderr, "rehearse: %s\n", escape_text(notice).c_str());
    RH_TRY(rows, ledger.list(filter));
    RH_CHECK(add_unfinished(*state, filter, rows));
  }
  report::Writer out(STDOUT_FILENO);
  if (globals.json) {
    std::string text;
    JsonWriter json(text);
    json.open_object().key("schema").string("rehearse.list/1").key("runs").open_array();
    for (const ledger::Row& row : rows) {
      text += '\n';
      row_json(json, row, is_promoted(*state, row.id));
      out.put(text);
      text.clear();
    }
    json.close_array().close_object();
    out.put(text + "\n");
  } else if (rows.empty()) {
    out.put("no runs yet; make one: rehearse run -- COMMAND\n");
  } else {
    const report::Style style(use_color(globals, STDOUT_FILENO));
    const std::size_t columns = report::terminal_columns(STDOUT_FILENO);
    out.put(style.bold(fmt::format("{:<22}  {:<12}  {:<6}  {:<24}  {}", "RUN", "VERDICT", "EXIT", "CHANGES",
                                   "COMMAND")) +
            "\n");
    for (const ledger::Row& row : rows) out.put(row_line(row, is_promoted(*state, row.id), style, columns));
  }
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace rehearse::cli
