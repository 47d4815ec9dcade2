// Takes back a list of operations, of which any number may have been carried out: tells by looking at each
// object where it is. What is not the transaction's own any more is left alone and named, so that it ends.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"
#include "promote/tree_print.h"

namespace rehearse::promote {

/// What undoing met. Lines are raw.
struct Undone {
  std::uint64_t undone = 0;  ///< operations that had been done
  /// What had to make room or has no place to go back to, each with where in the store it is kept.
  std::vector<std::string> kept;
  std::vector<std::string> left;    ///< what somebody has moved, replaced or removed meanwhile: left as it is
  std::vector<std::string> failed;  ///< what could not be undone, why, and what to do before the next try
};

/// How far the setting of an operation's attributes came. kUnknown: it has to be looked at.
enum class Setting : std::uint8_t { kNotBegun, kBegun, kDone, kUnknown };

class Undo {
 public:
  /// The site goes by notes. `ready_ns` (CLOCK_REALTIME): when everything lay ready; what was made then or
  /// later is somebody else's. `settings`: of each operation; empty where all are unknown.
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
  Result<bool> holds_other(const Operation& operation);
  Result<void> undo_attributes(const Operation& operation);
  Result<void> take_back_settings(const Operation& operation, const Spot& at, const struct stat& st,
                                  const std::string& shown);
  Result<bool> holds_other_names(const Operation& operation, const Spot& at);
  Result<void> undo_rewrite(const Operation& operation);
  Result<bool> is_it(const Operation& operation, End end, const Look& look);
  Result<void> keep_written(const Operation& operation);
  Result<void> name_written(const Operation& operation);
  [[nodiscard]] std::string written_place(const Operation& operation, unsigned number) const;
  [[nodiscard]] bool is_parked(const Operation& operation) const;
  [[nodiscard]] Setting setting_of(const Operation& operation) const;
  bool wait();

  Site& site_;
  std::span<const Operation> operations_;
  std::int64_t ready_ns_;
  std::span<const Setting> settings_;
  std::set<std::string> parked_;  ///< places in stores that operations take objects of the host to
  std::map<std::uint32_t, TouchedInodes> touched_;  ///< of each volume
  Undone report_;
  unsigned patience_ = 0;
};

}  // namespace rehearse::promote
