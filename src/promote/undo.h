// Takes back a list of operations, of which any number may have been carried out: tells by looking at each
// object where it is. What is not the transaction's own any more is left alone and named, so that it ends.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"

namespace rehearse::promote {

/// What undoing met. Lines are raw.
struct Undone {
  std::uint64_t undone = 0;  ///< operations that had been done
  /// What had to make room or has no place to go back to, each with where in the store it is kept.
  std::vector<std::string> kept;
  std::vector<std::string> left;    ///< what somebody has moved, replaced or removed meanwhile: left as it is
  std::vector<std::string> failed;  ///< operations that could not be undone, and why; another try may help
};

/// How far the setting of an operation's attributes came. kUnknown: it has to be looked at.
enum class Setting : std::uint8_t { kNotBegun, kBegun, kDone, kUnknown };

class Undo {
 public:
  /// The site goes by notes. `ready_ns` (CLOCK_REALTIME): when everything lay ready; what lies in new
  /// directories was touched by somebody else if it was later. `settings`: of each operation; empty where all
  /// are unknown.
  Undo(Site& site, std::span<const Operation> operations, std::int64_t ready_ns,
       std::span<const Setting> settings = {})
      : site_(site), operations_(operations), ready_ns_(ready_ns), settings_(settings) {}

  /// In reverse, the first `count` of them. Goes on after a failure.
  Undone run(std::size_t count);

 private:
  void undo(const Operation& operation);
  Result<void> undo_move(const Operation& operation);
  Result<bool> move_back(const Operation& operation);
  Result<void> undo_exchange(const Operation& operation);
  Result<void> name_kept(const Operation& operation);
  Result<bool> is_moved_object(const Operation& operation, const Look& there);
  Result<bool> is_another(const Operation& operation, End end, const struct stat& now);
  Result<bool> is_edited(const Operation& operation, const struct stat& now);
  Result<void> undo_attributes(const Operation& operation);
  Result<void> undo_rewrite(const Operation& operation);
  [[nodiscard]] bool is_parked(const Operation& operation) const;
  [[nodiscard]] Setting setting_of(const Operation& operation) const;
  bool wait();

  Site& site_;
  std::span<const Operation> operations_;
  std::int64_t ready_ns_;
  std::span<const Setting> settings_;
  std::unordered_set<std::string> parked_;  ///< places in stores that operations take objects of the host to
  Undone report_;
  unsigned patience_ = 0;
};

}  // namespace rehearse::promote
