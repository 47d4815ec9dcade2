#include "rehearsal/inside_checks.h"

#include <fmt/format.h>

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

}  // namespace

std::optional<sandbox::InsideProgram> InsideChecks::next() {
  const std::size_t turn = ends_.size();
  if (turn >= probes()) return std::nullopt;
  const verdict::Probe& probe = expected_->probes[turn];
  return sandbox::InsideProgram{probe.run, probe.timeout_ns};
}

void InsideChecks::ended(sandbox::InsideEnd end) {
  ends_.push_back(std::move(end));
}

void InsideChecks::describe(const ledger::Bundle& bundle, const Recording* recording,
                            report::RunRecord& record) const {
  for (std::size_t i = 0; i < probes(); ++i) {
    const verdict::Probe& probe = expected_->probes[i];
    const sandbox::InsideEnd* end = i < ends_.size() ? &ends_[i] : nullptr;
    record.probes.push_back({describe_run(probe.run, end, recording), probe.exit, false});
  }
  std::vector<report::InsideRecord*> runs;
  std::map<std::uint32_t, const char*> roles;
  for (auto& probe : record.probes) {
    runs.push_back(&probe.run);
    roles[probe.run.process] = "probe";
  }
  list_changed(bundle, recording, runs);
  for (report::ProcessRecord& process : record.processes) {
    if (process.root == 1) continue;
    const auto role = roles.find(process.root);
    process.role = role == roles.end() ? "tool" : role->second;
  }
}

std::vector<verdict::ProbeOutcome> InsideChecks::outcomes() const {
  std::vector<verdict::ProbeOutcome> outcomes(probes());
  for (std::size_t i = 0; i < probes(); ++i) {
    verdict::ProbeOutcome& outcome = outcomes[i];
    if (i >= ends_.size()) {
      outcome.why_not = "the run was over before its turn came";
      continue;
    }
    const sandbox::InsideEnd& end = ends_[i];
    outcome.ran = true;
    outcome.exit = end.exit;
    outcome.signal = end.signal;
    outcome.timed_out = end.timed_out;
    outcome.error = end.error;
    outcome.out = end.out;
  }
  return outcomes;
}

}  // namespace rehearse
