// Carries out a list of operations on the host, and undoes it. The only code that renames anything of the
// host. It reads nothing but the operations; before each it makes sure that what it is about to touch is what
// the operation expects.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/appearance.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// What undoing met.
struct Undone {
  std::uint64_t undone = 0;  ///< operations that had been done
  /// Somebody's edits of new objects that had to make room, a line each with where they are kept.
  std::vector<std::string> kept;
  std::vector<std::string> failed;  ///< operations that could not be undone, and why
};

class Transaction {
 public:
  /// Both are borrowed. `Operation::volume` is an index into `volumes`.
  Transaction(std::span<Volume> volumes, std::span<const Operation> operations)
      : volumes_(volumes), operations_(operations) {}

  /// In order. Stops at the first that fails: kStale if the host is not as expected. `done` operations are
  /// then to be undone.
  Result<void> perform(const std::function<void(std::uint64_t)>& progress = {});
  [[nodiscard]] std::size_t done() const { return done_; }
  /// CLOCK_MONOTONIC of the first rename to the last: how long the host was mixed.
  [[nodiscard]] std::int64_t window_ns() const { return window_ns_; }

  /// After `perform`: the objects that were taken away are the ones that were looked at, and nobody has
  /// written to them in between. kStale names one that is not.
  Result<void> check_displaced();

  /// In reverse, whatever of it was done: tells by looking at each object where it is. Of operations that
  /// were never begun it finds nothing to undo. Goes on after a failure.
  Undone undo();
  /// Only those that `perform` of this object has done.
  Undone undo_done();

  /// All objects are where the operations put them.
  Result<bool> all_done();
  /// Sets attributes and times again, after a crash that may have come before all were set.
  Result<void> set_attributes();

 private:
  /// What is known of an operation beside what it says itself.
  struct Seen {
    bool ahead = false;  ///< its object was looked at before the first rename, and is as expected
    std::optional<Appearance> appearance;  ///< of an object that is taken away, before its rename
    bool begun = false;                    ///< kAttributes: something may have been set
    bool done = false;                     ///< kAttributes: everything was
  };

  void look_ahead();
  Result<void> see(const Operation& operation, const Place& place, Seen& seen);
  Result<void> perform_one(const Operation& operation, Seen& seen);
  Result<void> expect_settings(const Operation& operation);
  Result<void> set_one(const Operation& operation);
  Result<void> unset_one(const Operation& operation, int dir, const std::string& name);
  Result<void> undo_one(const Operation& operation, Undone& report);
  Result<void> undo_move(const Operation& operation, Undone& report);
  Result<void> undo_exchange(const Operation& operation, Undone& report);
  Result<void> expect(const Operation& operation, const Place& place, const Facts& facts, bool times);
  Result<void> rename(const Operation& operation, const Place& from, const Place& to, unsigned flags);
  Result<bool> stands(const Operation& operation, const Place& place, std::uint64_t inode);
  Undone undo_first(std::size_t count);

  Volume& volume(const Operation& operation) { return volumes_[operation.volume]; }

  std::span<Volume> volumes_;
  std::span<const Operation> operations_;
  std::vector<Seen> seen_;  ///< of each operation; empty where `perform` was not called
  std::size_t done_ = 0;
  unsigned patience_ =
      0;  ///< while undoing: how often a directory that is elsewhere is looked for again, 1 ms apart
  std::int64_t window_ns_ = 0;
};

/// The operations that take the host back, in their order. The objects are expected as `operations` left
/// them: facts of what stands now are to be filled in.
std::vector<Operation> inverted(std::span<const Operation> operations);

}  // namespace rehearse::promote
