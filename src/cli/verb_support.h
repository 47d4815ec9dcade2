// What several verbs share: opening the state, colour, the `--state` to repeat in printed commands.
#pragma once

#include <optional>
#include <string>

#include "cli/verbs.h"
#include "ledger/state.h"
#include "report/terminal.h"
#include "verdict/policy.h"

namespace rehearse::cli {

/// The state directory; nothing when it is the default one and no run was ever made.
Result<std::optional<ledger::StateDir>> open_existing_state(const Globals& globals);

bool use_color(const Globals& globals, int fd);

/// The error as a person is told it: with the state directory in the commands it names, and with what to do
/// where something could not be written for want of room, which a system call's error alone does not say.
Error advised(Error error, const Globals& globals);

/// Fills in what the host says of the run's changes now: who would notice them, and what could not be taken
/// back; nothing if there are none.
Result<void> ask_host(report::RunRecord& record, int manifest_fd);
/// Fills in what the ledger has of the run's rollback and of other runs of the same action; returns what was
/// decided about it, and by `policy` (the one in force; nullptr: it cannot be read) who may approve it. What
/// cannot be read is left out.
report::Decided ask_ledger(report::RunRecord& record, const ledger::StateDir& state,
                           const verdict::Policy* policy);

/// What a printed command says for the state directory: nothing for the default one, else "--state DIR ".
std::string state_option(const Globals& globals);
/// The same for the commands in advice ("see: rehearse list"): the layers that give it do not know the line.
std::string with_state(std::string advice, const Globals& globals);

/// Options of the terminal report on `fd` for run `id`.
report::TerminalOptions terminal_options(const Globals& globals, int fd, const std::string& id);

}  // namespace rehearse::cli
