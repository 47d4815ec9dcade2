// The unit steps of one promotion or rollback, carried out in order and recorded as they go.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "ledger/unit_steps.h"
#include "promote/unit_part.h"

namespace rehearse::promote {

/// What the operator says about unit requests.
struct UnitOrder {
  bool carry_out = true;
  std::int64_t most_ns = 120'000'000'000;  ///< for each; systemd gives a service 90 s to start
};

class UnitWork {
 public:
  using Progress = std::function<void(std::uint64_t)>;

  /// `units`: whose state the steps may change.
  UnitWork(std::vector<ledger::UnitStep> steps, const std::vector<std::string>& units);
  UnitWork() = default;

  [[nodiscard]] const std::vector<ledger::UnitStep>& steps() const { return steps_; }
  /// Whether there is anything to ask the manager.
  [[nodiscard]] bool pending() const;
  /// What is pending is not to be carried out, for this reason.
  void leave(const std::string& why);
  /// Stops of units whose files go are for before the files go (unit_part.h).
  void put_early_stops(std::span<const effects::Change> changes, const std::vector<bool>& taken) {
    early_ = promote::put_early_stops(steps_, changes, taken);
  }
  /// So are all with which the steps begin.
  void stop_early();

  /// Writes the steps to the ledger, before anything is done: what a crash leaves is known by it.
  Result<void> announce(const ledger::StateDir& state, const std::string& promotion) const;
  /// The promotion came to nothing.
  static void withdraw(const ledger::StateDir& state, const std::string& promotion);
  /// Carries out what is for before the files, when nothing more is expected to stand against them. If the
  /// files do not follow, take_back().
  void carry_out_early(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                       const Progress& progress);
  /// Carries out what is pending. A step that fails does not keep the others back.
  void carry_out(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                 const Progress& progress);
  /// Starts again what the early steps have brought down. Nothing, if there were none.
  void take_back(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order);
  /// Of units that were neither up nor failed before: what has failed since is as if it had not.
  void forget_failures(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                       std::span<const ledger::UnitState> before);
  /// "restart web.service: Job for web.service failed", a line each of what failed.
  [[nodiscard]] std::vector<std::string> failed() const;
  /// Why where the units were could not be written down; empty: it was.
  [[nodiscard]] const std::string& unkept() const { return unkept_; }

 private:
  void carry_out_some(std::size_t count, const ledger::StateDir& state, const std::string& promotion,
                      const UnitOrder& order, const Progress& progress);
  void add_and_carry_out(ledger::UnitStep step, const ledger::StateDir& state, const std::string& promotion,
                         const UnitOrder& order);
  void look_before(const UnitOrder& order);
  void look_after(const UnitOrder& order);
  void tell_who_came_and_went();
  void keep_states(const ledger::StateDir& state, const std::string& promotion);

  std::vector<ledger::UnitStep> steps_;
  std::vector<ledger::UnitState> units_;
  std::size_t early_ = 0;  ///< of the steps, for before the files
  std::string unkept_;
  bool looked_at_ = false;  ///< units_ has where they were before the first step
};

/// Fills in where the units are now, of which no end is on record: rehearse ended before it had looked.
void look_again(std::vector<ledger::UnitStep>& steps, std::vector<ledger::UnitState>& units,
                const UnitOrder& order);

/// Of a promotion or rollback that was undone: what had been asked for it; a line each.
Result<std::vector<std::string>> name_early_units(const ledger::StateDir& state,
                                                  const std::string& promotion);

/// Marks what an interrupted promotion has not come to; a line each, with what to do about it.
Result<std::vector<std::string>> name_interrupted_units(const ledger::StateDir& state,
                                                        const std::string& promotion);

}  // namespace rehearse::promote
