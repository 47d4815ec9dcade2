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
  explicit UnitWork(std::vector<ledger::UnitStep> steps) : steps_(std::move(steps)) {}
  UnitWork() = default;

  [[nodiscard]] const std::vector<ledger::UnitStep>& steps() const { return steps_; }
  /// Whether there is anything to ask the manager.
  [[nodiscard]] bool pending() const;
  /// Only a part of the run is promoted (unit_part.h).
  void leave_other_parts(std::span<const effects::Change> changes, const std::vector<bool>& taken) {
    promote::leave_other_parts(steps_, changes, taken);
  }
  /// What is pending is not to be carried out, for this reason.
  void leave(const std::string& why);

  /// Writes the steps to the ledger, before anything is done: what a crash leaves is known by it.
  Result<void> announce(const ledger::StateDir& state, const std::string& promotion) const;
  /// The promotion came to nothing.
  static void withdraw(const ledger::StateDir& state, const std::string& promotion);
  /// Carries out what is pending. A step that fails does not keep the others back.
  void carry_out(const ledger::StateDir& state, const std::string& promotion, const UnitOrder& order,
                 const std::function<void(std::uint64_t)>& progress);
  /// "restart web.service: Job for web.service failed", a line each of what failed.
  [[nodiscard]] std::vector<std::string> failed() const;

 private:
  std::vector<ledger::UnitStep> steps_;
};

/// Marks what an interrupted promotion has not come to; a line each, with what to do about it.
Result<std::vector<std::string>> name_interrupted_units(const ledger::StateDir& state,
                                                        const std::string& promotion);

}  // namespace rehearse::promote
