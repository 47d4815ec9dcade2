// What several verbs share: opening the state, colour, the `--state` to repeat in printed commands.
#pragma once

#include <optional>
#include <string>

#include "cli/verbs.h"
#include "ledger/state.h"
#include "report/terminal.h"

namespace rehearse::cli {

/// The state directory; nothing when it is the default one and no run was ever made.
Result<std::optional<ledger::StateDir>> open_existing_state(const Globals& globals);

bool use_color(const Globals& globals, int fd);

/// Fills in who would notice the run's changes now; nothing if there are none.
Result<void> ask_who_is_affected(report::RunRecord& record, int manifest_fd);

/// Options of the terminal report on `fd` for run `id`.
report::TerminalOptions terminal_options(const Globals& globals, int fd, const std::string& id);

}  // namespace rehearse::cli
