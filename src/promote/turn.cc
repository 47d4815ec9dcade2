#include "promote/turn.h"

#include <utility>

#include "promote/recover.h"

namespace rehearse::promote {
namespace {

Result<std::vector<std::string>> recover_first(const ledger::StateDir& state, const HostLock& lock) {
  std::vector<std::string> lines;
  RH_TRY(const auto recovered, recover_all(state, lock));
  for (const Recovered& one : recovered) {
    if (one.way == Recovered::Way::kFailed)
      return fail("promotion " + one.id + " was interrupted and could not be undone" +
                      (one.notes.empty() ? "" : ": " + one.notes.back()),
                  ExitCode::kRollbackIncomplete, kRecoverAgain);
    for (const std::string& line : one.units) lines.push_back("promotion " + one.id + ": " + line);
  }
  return lines;
}

}  // namespace

Result<Turn> take_turn(const ledger::StateDir& state, const TurnWish& wish) {
  Turn turn;
  if (wish.dry_run) {
    std::string holder;
    RH_TRY(turn.lock, HostLock::try_take(wish.run, &holder));
    if (!turn.lock) {
      turn.notes.push_back(holder + ": what is said here is of the host as it is meanwhile");
      return turn;
    }
  } else {
    RH_TRY(turn.lock, HostLock::take(wish.run, wish.wait_ns, wish.waiting));
  }
  RH_TRY(turn.notes, recover_first(state, *turn.lock));
  return turn;
}

}  // namespace rehearse::promote
