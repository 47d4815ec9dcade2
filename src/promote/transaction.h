// Carries out a list of operations on the host. It reads nothing but the operations; before each it makes
// sure that what it is about to touch is what the operation expects.
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
#include "promote/site.h"
#include "promote/undo.h"
#include "promote/volume.h"

namespace rehearse::promote {

class Transaction {
 public:
  /// All is borrowed. `Operation::volume` is an index into `volumes`; `directories` are those that the
  /// operations note.
  Transaction(std::span<Volume> volumes, std::span<const Operation> operations,
              std::span<const Directory> directories = {})
      : volumes_(volumes),
        operations_(operations),
        directories_(directories),
        site_(volumes, directories, Site::By::kPath) {}

  /// In order. Stops at the first that fails: kStale if the host is not as expected. `done` operations are
  /// then to be undone.
  Result<void> perform(const std::function<void(std::uint64_t)>& progress = {});
  [[nodiscard]] std::size_t done() const { return done_; }
  /// CLOCK_MONOTONIC of the first rename to the last: how long the host was mixed.
  [[nodiscard]] std::int64_t window_ns() const { return window_ns_; }

  /// After `perform`: the objects that were taken away are the ones that were looked at, and nobody has
  /// written to them in between. kStale names one that is not.
  Result<void> check_displaced();

  /// Takes back those that `perform` has done. `ready_ns`: see Undo.
  Undone undo_done(std::int64_t ready_ns);

 private:
  struct Settled;
  void look_ahead();
  bool is_ready(Site& site, std::size_t i);
  Result<void> see(std::size_t i, End end);
  Result<void> keep_appearance(Site& site, std::size_t i, End end, const struct stat& st);
  Result<void> perform_one(std::size_t i);
  static Result<void> expect(Site& site, const Operation& operation, End end, const Facts& facts, bool times);
  Result<void> check_one_displaced(Site& site, std::size_t i, const Settled& settled) const;
  Result<void> expect_settings(const Operation& operation);

  std::span<Volume> volumes_;
  std::span<const Operation> operations_;
  std::span<const Directory> directories_;
  Site site_;
  // Of each operation, once `perform` was called:
  /// Its object was looked at before the first rename, and is as expected. Bytes: several threads write them.
  std::vector<char> ahead_;
  std::vector<std::optional<Appearance>>
      appearances_;  ///< of an object that is taken away, before its rename
  std::vector<Setting> settings_;
  std::size_t done_ = 0;
  std::int64_t window_ns_ = 0;
};

/// The operations that take the host back, in their order. The objects are expected as `operations` left
/// them: facts of what stands now are to be filled in.
std::vector<Operation> inverted(std::vector<Operation> operations);

}  // namespace rehearse::promote
