#include "rehearsal/inside_checks.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "effects/manifest.h"

namespace rehearse {
namespace {

constexpr std::size_t kMostKept = 4096;  ///< of what a program printed, its end
constexpr std::size_t kMostChanged = 20;

std::string end_of(const std::string& text) {
  return text.size() <= kMostKept ? text : text.substr(text.size() - kMostKept);
}

report::InsideRecord describe_run(const std::vector<std::string>& argv, const sandbox::InsideEnd* end,
                                  const Recording* recording) {
  report::InsideRecord run;
  run.argv = argv;
  if (end == nullptr) {
    run.error = "the run was over before its turn came";
    return run;
  }
  run.ran = end->error.empty();
  run.exit = end->exit;
  run.signal = end->signal;
  run.timed_out = end->timed_out;
  run.error = end->error;
  run.wall_ns = end->wall_ns;
  run.out = end_of(end->out);
  run.err = end_of(end->err);
  if (recording == nullptr || end->pid == 0) return run;
  run.process = recording->process_of_tool(end->pid, end->started_ns);
  return run;
}

/// What they wrote to and what then differs from the host: whose doing it is cannot be told.
void list_changed(const ledger::Bundle& bundle, const Recording* recording,
                  const std::vector<report::InsideRecord*>& runs) {
  if (recording == nullptr) return;
  std::set<std::string> asked;
  for (const report::InsideRecord* run : runs) {
    const auto found = recording->tool_changes().paths().find(run->process);
    if (found != recording->tool_changes().paths().end())
      asked.insert(found->second.begin(), found->second.end());
  }
  if (asked.empty()) return;
  std::set<std::string> differs;
  const auto manifest = bundle.open_file("manifest");
  if (!manifest) return;
  (void)effects::read_manifest(manifest->get(), [&](const effects::Change& change) {
    if (change.kind == effects::ChangeKind::kIdentical) return true;
    for (const auto* path : {&change.path, &change.from})
      if (asked.contains(*path)) differs.insert(*path);
    return true;
  });
  for (report::InsideRecord* run : runs) {
    const auto found = recording->tool_changes().paths().find(run->process);
    if (found == recording->tool_changes().paths().end()) continue;
    for (const std::string& path : found->second) {
      if (differs.contains(path) && run->changed.size() < kMostChanged) run->changed.push_back(path);
    }
  }
}

/// Whether it printed something that the expression finds; an empty one finds nothing.
bool says(const sandbox::InsideEnd& end, const std::string& expression) {
  if (expression.empty()) return false;
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  const re2::RE2 regex(expression, options);
  return re2::RE2::PartialMatch(end.err, regex) || re2::RE2::PartialMatch(end.out, regex);
}

std::string result_of(const Validator& validator, const sandbox::InsideEnd* end) {
  if (end == nullptr || !end->error.empty() || end->timed_out || end->signal || !end->exit) return "unknown";
  if (*end->exit == 0) return "valid";
  if (says(*end, validator.passed)) return "valid";
  if (says(*end, validator.unsure)) return "unknown";
  return "invalid";
}

std::string line_of(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// The last lines that say something.
std::string last_said(const report::InsideRecord& run) {
  std::string text = run.err.empty() ? run.out : run.err;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::size_t kMostSaid = 1024;
  if (text.size() > kMostSaid) text.erase(0, text.size() - kMostSaid);
  return text;
}

}  // namespace

std::optional<sandbox::InsideProgram> InsideChecks::next() {
  if (!validations_) validations_ = validations_for(shipped_validators(), bundle_, plan_);
  const std::size_t turn = ends_.size();
  if (turn < validations_->runs.size()) {
    const Validation& validation = validations_->runs[turn];
    return sandbox::InsideProgram{validation.argv, false, validation.validator->timeout_ns};
  }
  if (turn >= validations_->runs.size() + probes()) return std::nullopt;
  const verdict::Probe& probe = expected_->probes[turn - validations_->runs.size()];
  return sandbox::InsideProgram{probe.run, true, probe.timeout_ns};
}

void InsideChecks::ended(sandbox::InsideEnd end) {
  ends_.push_back(std::move(end));
}

void InsideChecks::describe(const Recording* recording, report::RunRecord& record) const {
  const std::size_t first_probe = validations_ ? validations_->runs.size() : 0;
  const auto end_at = [this](std::size_t i) { return i < ends_.size() ? &ends_[i] : nullptr; };
  for (std::size_t i = 0; i < first_probe; ++i) {
    const Validation& validation = validations_->runs[i];
    record.validations.push_back({describe_run(validation.argv, end_at(i), recording),
                                  result_of(*validation.validator, end_at(i)), validation.files});
  }
  for (std::size_t i = 0; i < probes(); ++i) {
    const verdict::Probe& probe = expected_->probes[i];
    record.probes.push_back({describe_run(probe.run, end_at(first_probe + i), recording), probe.exit, false});
  }
  if (validations_ && validations_->cut)
    record.gaps.push_back({"validators: not all changed configuration was validated",
                           "more of it changed than they look at in one run", verdict::Level::kYellow});
  std::vector<report::InsideRecord*> runs;
  std::map<std::uint32_t, const char*> roles;
  for (auto& validation : record.validations) {
    runs.push_back(&validation.run);
    roles[validation.run.process] = "validator";
  }
  for (auto& probe : record.probes) {
    runs.push_back(&probe.run);
    roles[probe.run.process] = "probe";
  }
  list_changed(bundle_, recording, runs);
  for (report::ProcessRecord& process : record.processes) {
    if (process.root == 1) continue;
    const auto role = roles.find(process.root);
    process.role = role == roles.end() ? "tool" : role->second;
  }
}

std::vector<verdict::ProbeOutcome> InsideChecks::outcomes() const {
  const std::size_t first_probe = validations_ ? validations_->runs.size() : 0;
  std::vector<verdict::ProbeOutcome> outcomes(probes());
  for (std::size_t i = 0; i < probes(); ++i) {
    verdict::ProbeOutcome& outcome = outcomes[i];
    if (first_probe + i >= ends_.size()) {
      outcome.why_not = "the run was over before its turn came";
      continue;
    }
    const sandbox::InsideEnd& end = ends_[first_probe + i];
    outcome.ran = true;
    outcome.exit = end.exit;
    outcome.signal = end.signal;
    outcome.timed_out = end.timed_out;
    outcome.error = end.error;
    outcome.out = end.out;
  }
  return outcomes;
}

std::vector<verdict::ConfigCheck> config_checks(report::RunRecord& record) {
  std::vector<verdict::ConfigCheck> checks;
  for (const report::ValidationRecord& validation : record.validations) {
    const report::InsideRecord& run = validation.run;
    if (validation.result == "unknown") {
      const std::string why = !run.error.empty() ? "the validator was not started: " + run.error
                              : run.timed_out    ? "the validator did not end"
                                                 : "the validator could not tell: " + last_said(run);
      record.gaps.push_back(
          {fmt::format("configuration {} not checked by `{}`",
                       validation.files.empty() ? "" : validation.files.front(), line_of(run.argv)),
           why, verdict::Level::kYellow});
      continue;
    }
    checks.push_back({line_of(run.argv), validation.files, validation.result == "valid", last_said(run)});
  }
  return checks;
}

}  // namespace rehearse
