#include "cli/verb_support.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/escape.h"
#include "base/report_room.h"
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

std::string state_option(const Globals& globals) {
  return globals.state == Globals().state ? std::string() : "--state " + shell_quote(globals.state) + ' ';
}

std::string with_state(std::string advice, const Globals& globals) {
  constexpr std::string_view kCommand = ": rehearse ";
  const std::string option = state_option(globals);
  for (std::size_t at = 0; !option.empty() && (at = advice.find(kCommand, at)) != std::string::npos;) {
    at += kCommand.size();
    advice.insert(at, option);
    at += option.size();
  }
  return advice;
}

Error advised(Error error, const Globals& globals) {
  if (error.exit == ExitCode::kFailure && error.fix.empty()) {
    if (is_no_space(error.err)) error.fix = kMakeRoom;
    if (error.err == EROFS) error.fix = "name a writable place: --state DIR";
    if (error.err == EFBIG) error.fix = "raise the limit of file size (ulimit -f)";
    if (!error.fix.empty()) error.exit = ExitCode::kCantCreate;
  }
  error.fix = with_state(std::move(error.fix), globals);
  return error;
}

report::TerminalOptions terminal_options(const Globals& globals, int fd, const std::string& id) {
  report::TerminalOptions options;
  options.color = use_color(globals, fd);
  options.columns = report::terminal_columns(fd);
  options.bundle = globals.state + "/runs/" + id;
  options.state_option = state_option(globals);
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
