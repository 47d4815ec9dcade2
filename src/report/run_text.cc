#include "report/run_text.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/escape.h"
#include "report/network_text.h"
#include "report/terminal.h"
#include "report/units_text.h"

namespace rehearse::report {
namespace {

constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kApprovalDigits = 16;
constexpr std::size_t kTextLimit = 4096;

std::string counted(std::size_t count, const char* what) {
  return count == 0 ? std::string() : fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

bool is_given_to_all(const std::string& name) {
  return name == "HOME" || name == "TERM" || name == "LANG" || name == "TZ";
}

/// What no rollback takes back, if that was asked.
std::string irreversible_line(const RunRecord& record) {
  if (!record.rollback) return {};
  const std::size_t count = record.rollback->irreversible.size();
  return count == 0 ? "all reversible" : fmt::format("{} irreversible", count);
}

/// What a run that may write nothing left where it may.
std::string scratch_line(const RunRecord& record) {
  if (!record.read_only || record.read_only->scratch == 0) return {};
  return fmt::format("{} new in scratch, thrown away", record.read_only->scratch);
}

}  // namespace

std::string words_text(std::span<const std::string> argv, std::size_t limit) {
  std::string text;
  std::size_t shown = 0;
  for (const std::string& word : argv) {
    if (text.size() > limit) break;
    if (shown++ > 0) text += ' ';
    text += word.size() > limit ? escape_text(word, limit) : shell_quote(word);
  }
  if (shown == argv.size()) return text;
  std::size_t bytes = 0;
  for (const std::string& word : argv.subspan(shown)) bytes += word.size() + 1;
  return text + fmt::format(" …(+{} words, {} bytes)", argv.size() - shown, bytes);
}

std::string ending_text(const Command& command) {
  if (!command.error.empty()) return "never started";
  if (command.timed_out) return "timed out";
  if (command.signal) {
    const char* name = ::sigabbrev_np(*command.signal);
    return name != nullptr ? std::string("killed by SIG") + name
                           : fmt::format("killed by signal {}", *command.signal);
  }
  return command.exit ? fmt::format("exit {}", *command.exit) : "no exit status";
}

std::string verdict_sentence(const RunRecord& record) {
  const auto& verdict = record.verdict;
  const auto first =
      std::find_if(verdict.findings.begin(), verdict.findings.end(),
                   [&](const verdict::Finding& f) { return f.level == verdict.level && f.decides(); });
  const std::string why = first != verdict.findings.end() ? escape_text(first->why, 300) : std::string();
  switch (verdict.level) {
    case verdict::Level::kGreen:
      return "Every effect is one that policy accepts. " + why;
    case verdict::Level::kYellow:
      return "A person has to decide. " + why;
    case verdict::Level::kInconclusive:
      return "The evidence does not suffice for a verdict. " + why;
    case verdict::Level::kRed:
      return "Blocked. " + why;
  }
  return {};
}

std::string effects_line(const RunRecord& record) {
  std::string text = counts_line(record.counts);
  for (const std::string& part : {scratch_line(record), counted(record.accounts.size(), "account"),
                                  counted(record.packages.size(), "package"), units_line(record),
                                  network_line(count_network(record)), irreversible_line(record)})
    if (!part.empty()) text += " · " + part;
  return text;
}

bool awaits_decision(const RunRecord& record) {
  const verdict::Level level = record.verdict.level;
  const bool open = level == verdict::Level::kGreen || level == verdict::Level::kYellow;
  const bool asks = std::ranges::any_of(record.units, &UnitRecord::changes);
  return open && !record.digest.empty() && (asks || record.counts.total() != record.counts.identical);
}

std::string run_at_digest(const RunRecord& record) {
  const std::string_view hex(record.digest);
  return escape_text(record.id, 80) + '@' +
         escape_text(hex.substr(hex.find(':') + 1, kApprovalDigits), kApprovalDigits);
}

std::string program_text(const RunRecord& record) {
  // What executes it is there before it, and is no program of the action's.
  if (!record.command.error.empty()) return {};
  const auto first = std::ranges::find(record.processes, std::uint32_t{1}, &ProcessRecord::id);
  if (first == record.processes.end()) return {};
  const ProgramRecord& program = first->earlier.empty() ? *first : first->earlier.front();
  if (program.exe.empty()) return {};
  std::string text = escape_text(program.exe, kTextLimit);
  if (!program.script.empty()) text += ", script " + escape_text(program.script, kTextLimit);
  if (!program.sha256.empty()) text += "  sha256:" + escape_text(program.sha256, 80);
  return text;
}

std::string environment_text(const Action& action, std::size_t limit) {
  std::vector<std::string> words;
  for (const auto& [name, value] : action.env)
    if (!is_given_to_all(name) && !(name == "PATH" && value == kUsualPath))
      words.push_back(fmt::format("{}={}", name, value));
  return words_text(words, limit);
}

std::vector<std::pair<std::string, std::string>> provenance(const RunRecord& record) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto add = [&rows](const char* name, const std::string& text) {
    if (!text.empty()) rows.emplace_back(name, escape_text(text, kTextLimit));
  };
  const auto root = [](const std::string& hex) { return hex.empty() ? std::string() : "sha256:" + hex; };
  add("policy", record.verdict.policy_digest);
  for (const std::string& file : record.verdict.policy_files) add("from", file);
  add("mirror", fmt::format("the live host {}, boot {}", record.host_name, record.host_boot_id));
  add("rehearse", fmt::format("{}, kernel {}", record.tool_version, record.host_kernel));
  add("manifest", root(record.manifest_root));
  if (record.trace) add("trace", root(record.trace->root));
  if (record.trace) add("reads", root(record.reads.root));
  return rows;
}

}  // namespace rehearse::report
