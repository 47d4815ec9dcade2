#include "cli/verb_support.h"

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"
#include "cli/decision_text.h"
#include "ledger/history.h"
#include "ledger/undo_trials.h"
#include "promote/affected.h"
#include "promote/decision.h"
#include "promote/undo_trial.h"
#include "report/run_text.h"

namespace rehearse::cli {

Result<std::optional<ledger::StateDir>> open_existing_state(const Globals& globals) {
  auto state = ledger::StateDir::open(globals.state, ledger::Create::kNo);
  if (state) return std::optional(std::move(*state));
  if (state.error().err == ENOENT && globals.state == Globals().state)
    return std::optional<ledger::StateDir>();
  return tl::make_unexpected(std::move(state).error());
}

bool use_color(const Globals& globals, int fd) {
  return globals.color == Color::kAlways || (globals.color == Color::kAuto && report::want_color(fd));
}

report::TerminalOptions terminal_options(const Globals& globals, int fd, const std::string& id) {
  report::TerminalOptions options;
  options.color = use_color(globals, fd);
  options.columns = report::terminal_columns(fd);
  options.bundle = globals.state + "/runs/" + id;
  if (globals.state != Globals().state) options.state_option = "--state " + shell_quote(globals.state) + ' ';
  return options;
}

Result<void> ask_host(report::RunRecord& record, int manifest_fd) {
  const bool asks = std::ranges::any_of(record.units, &report::UnitRecord::changes);
  if (record.counts.total() == record.counts.identical && !asks) return {};
  RH_TRY(record.affected, promote::find_affected(record, manifest_fd));
  RH_TRY(record.rollback, promote::untried_undo(record, manifest_fd));
  return {};
}

report::Decided ask_ledger(report::RunRecord& record, const ledger::StateDir& state,
                           const verdict::Policy* policy) {
  if (auto trial = ledger::undo_trial_of(state, record.id, record.digest); trial && *trial)
    record.rollback = std::move(*trial);
  if (auto history = ledger::history_of(state, record.id)) record.history = std::move(*history);
  report::Decided decided = decided_about(state, record.id);
  if (policy != nullptr && report::awaits_decision(record))
    decided.approval_rule = promote::approval_rule({record, *policy, realtime_ns()});
  return decided;
}

}  // namespace rehearse::cli
