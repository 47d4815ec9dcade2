// From staged objects to a changed host, and what is left behind when that fails: the part that promotion,
// rollback and recovery share.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/decisions.h"
#include "ledger/state.h"
#include "promote/journal.h"
#include "promote/journal_store.h"
#include "promote/store_use.h"
#include "promote/transaction.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// A volume of a promotion: opened, and as its journal has it.
struct UsedVolume {
  Volume volume;
  JournalVolume entry;
};

/// Opens the mount of a layer; finds out whether the run's uppers/<layer> lies on it, and the token of a
/// store that is there. Makes nothing.
Result<UsedVolume> use_volume(const ledger::Bundle& bundle, const std::string& mountpoint,
                              std::uint32_t layer);
/// Makes the store and its token, if they are not there.
Result<void> prepare_store(UsedVolume& used, const std::string& run);

/// The token of an opened store; empty if it has none.
std::string token_of(const Volume& volume);

/// Opens what a journal names. kTryLater if a filesystem is not mounted. Of filesystems in memory that did
/// not outlive a reboot the entry comes back without a store (`gone`). `then`: what to call once it is
/// mounted.
struct FoundVolumes {
  std::vector<UsedVolume> volumes;
  std::vector<bool> gone;
};
Result<FoundVolumes> find_volumes(const Journal& journal, const ledger::Bundle& bundle,
                                  const std::string& then);

/// Removes what journal number `number` of the run has staged, unless it is in use: all of it came to
/// nothing, or a rollback has taken it back. And the store, if nothing is left in it that a way back needs.
Result<void> clean_up(UsedVolume& used, const std::string& run, std::uint32_t number, const StoreUse& use);

struct CommitResult {
  bool committed = false;
  std::string why;  ///< not committed: what stood against it
  std::string fix;
  ExitCode cause = ExitCode::kFailure;
  bool touched = false;  ///< something had been renamed
  Undone undone;
  std::int64_t window_ns = 0;
};

struct CommitOrder {
  const ledger::StateDir* state = nullptr;
  const ledger::Bundle* bundle = nullptr;
  JournalHeader header;
  std::string tag;
  std::span<UsedVolume> volumes;
  std::vector<std::string> dropped;         ///< for the journal: its `given_up`
  const std::vector<Kept>* kept = nullptr;  ///< the same: its `kept`, when `prepare` has returned
  /// Stages and returns the operations. Called once, after the journal exists.
  std::function<Result<std::vector<Operation>>()> prepare;
  /// CLOCK_REALTIME: whoever decided on the operations has looked at the host since then. A directory that
  /// goes, and in which something was changed at this time or later, is not taken.
  std::int64_t looked_ns = 0;
  /// Called with everything staged and durable, before the journal is ready: the last chance to refuse.
  std::function<Result<void>(std::span<const Operation>)> admit;
  /// Right before the first operation.
  std::function<Result<void>(std::span<Volume>)> last_look;
  /// After all operations, beside what the transaction itself checks.
  std::function<Result<void>(std::span<Volume>)> verify;
  std::function<void(std::uint64_t)> progress;
  /// When all files are in place and durable. An error leaves the journal where recovery looks for it.
  std::function<Result<void>(const CommitResult&)> settled;
  /// When everything is as it was, for this reason. The journal is still there: what is written down of it
  /// now is not lost by a crash. An error leaves it there, with what was staged, and recovery does it again.
  std::function<Result<void>(const std::string& why)> given_up;
};

/// An error: nothing of the host has changed and nothing is left. Otherwise the result says what came of it.
Result<CommitResult> commit(const CommitOrder& order);

/// What is left to do for volume `index` when everything is committed: the overlay's index holds further
/// names of what is on the host now.
void finish_committed(UsedVolume& used, std::uint32_t index, const JournalHeader& header,
                      std::span<const Operation> operations);

/// "p3-": begins the names in a store of journal number 3 of a run.
std::string tag_of(std::uint32_t number);

}  // namespace rehearse::promote
