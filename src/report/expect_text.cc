#include "report/expect_text.h"

#include <fmt/format.h>

#include <cstring>

#include "base/escape.h"
#include "base/units.h"
#include "report/run_text.h"
#include "report/text_width.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kTextLimit = 1024;
constexpr std::size_t kLineLimit = 200;
constexpr std::size_t kMostLines = 3;  ///< of what a program printed, the last

std::string ending(const InsideRecord& run) {
  if (!run.error.empty()) return "not run: " + escape_text(run.error, kLineLimit);
  if (run.timed_out) return "timed out";
  if (run.signal) {
    const char* name = ::sigabbrev_np(*run.signal);
    return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", *run.signal);
  }
  return run.exit ? fmt::format("exit {}", *run.exit) : "not run";
}

std::string command(const InsideRecord& run) {
  return words_text(run.argv, kLineLimit);
}

/// The last lines of what it printed.
std::string printed(const InsideRecord& run) {
  std::string_view rest = run.err.empty() ? run.out : run.err;
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  std::string text;
  for (std::size_t i = 0; i < kMostLines && !rest.empty(); ++i) {
    const std::size_t before = rest.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? rest : rest.substr(before + 1);
    text.insert(0, "      " + escape_text(line, kLineLimit) + '\n');
    rest = before == std::string_view::npos ? std::string_view() : rest.substr(0, before);
  }
  return text;
}

std::string inside_line(const InsideRecord& run, const std::string& word) {
  std::string text =
      fmt::format("  {}  {}: {}, {}", word, command(run), ending(run), format_duration(run.wall_ns));
  if (run.process != 0) text += fmt::format("  [{}]", run.process);
  text += '\n';
  for (const std::string& path : run.changed)
    text += "      wrote to " + escape_text(path, kTextLimit) + '\n';
  return text;
}

}  // namespace

std::string claim_text(const RunRecord& record, const std::string& counts, std::size_t columns) {
  if (!record.action.claimed) return {};
  std::string text = "  ┌ Claimed by the requester, not verified\n";
  const std::string claim =
      wrap(escape_text(*record.action.claimed, 16U << 10U), 0, columns > 8 ? columns - 4 : 0);
  for (std::size_t at = 0; at < claim.size();) {
    const std::size_t end = std::min(claim.find('\n', at), claim.size());
    text += "  │ " + claim.substr(at, end - at) + '\n';
    at = end + 1;
  }
  return text + "  └ What happened: " + counts + '\n';
}

std::string expectations_text(const RunRecord& record, const Style& style) {
  std::string text;
  for (const verdict::Expectation& row : record.expectations) {
    const std::string word = row.met ? "met    " : style.yellow("NOT MET");
    const std::string wanted = row.wanted.empty() ? "nothing" : escape_text(row.wanted, kTextLimit);
    text += fmt::format("  {}  {}: {}", word, escape_text(row.what, 64), wanted);
    if (!row.met || row.what == "wall" || row.what == "cpu" || row.what == "memory" || row.what == "write")
      text += "; got " + escape_text(row.got, kTextLimit);
    text += '\n';
  }
  return text;
}

std::string inside_text(const RunRecord& record, const Style& style) {
  std::string text;
  for (const ProbeRecord& probe : record.probes) {
    text += inside_line(probe.run, probe.met ? "met    " : style.yellow("NOT MET"));
    if (!probe.met) text += printed(probe.run);
  }
  for (const ValidationRecord& validation : record.validations) {
    const bool valid = validation.result == "valid";
    const std::string word = fmt::format("{:<7}", escape_text(validation.result, 16));
    text += inside_line(validation.run, valid ? word : style.yellow(word));
    if (!valid) text += printed(validation.run);
    if (!validation.before.empty())
      text += "      without the command's changes: " + escape_text(validation.before, 16) + '\n';
  }
  return text;
}

}  // namespace rehearse::report
