// What promotions and rollbacks ask of the host's service manager, and where its units were: the ledger's
// tables `unit_steps` and `unit_states`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"

namespace rehearse::ledger {

/// How far a step came.
enum class StepResult : std::uint8_t {
  kPending,      ///< the promotion has not come to it
  kBegun,        ///< asked, and no answer is on record
  kDone,         ///< the manager says that it has been done
  kFailed,       ///< it says otherwise, or nothing in time
  kLeft,         ///< not carried out, on purpose; `detail` says why
  kInterrupted,  ///< rehearse ended before or while it was asked
};
const char* to_string(StepResult result);

/// One request, as systemctl takes it. Texts are the action's or the manager's: escape them.
struct UnitStep {
  std::string verb;  ///< "restart", "daemon-reload", ...
  std::string unit;  ///< empty: the manager itself
  std::string mode;  ///< job mode ("replace"), signal and whose of kill ("SIGHUP main"), or empty
  StepResult result = StepResult::kPending;
  bool irreversible = false;  ///< nothing takes it back
  std::string before;         ///< the unit's ActiveState before it; empty: not asked
  std::string after;          ///< and after it
  std::string detail;         ///< why it is left, or what the manager said
  std::int64_t took_ns = 0;
  /// What it would mean for other units: "stop app.service". Not kept; where they were is (UnitState).
  std::vector<std::string> also;
};

/// Where a unit was that a step is about, or that would follow it.
struct UnitState {
  std::string name;    ///< as it was asked for; maybe an alias
  std::string id;      ///< what the manager calls it
  std::string before;  ///< its ActiveState before the first step; empty: not known
  std::string after;   ///< and after the last; empty: not known
  bool ran = false;    ///< it was started in between, and has ended by itself
};

class UnitSteps {
 public:
  static Result<UnitSteps> open(const StateDir& state);
  UnitSteps(UnitSteps&&) noexcept;
  UnitSteps& operator=(UnitSteps&&) noexcept;
  ~UnitSteps();

  /// Writes all steps of `promotion` ("RUN/N"), in order; durable when it returns. Replaces what was there.
  Result<void> put(const std::string& promotion, const std::vector<UnitStep>& steps);
  /// Replaces step `number` (from 0); durable when it returns.
  Result<void> set(const std::string& promotion, std::size_t number, const UnitStep& step);
  Result<std::vector<UnitStep>> of(const std::string& promotion);
  /// Writes where the units of `promotion` were; durable when it returns. Replaces what was there.
  Result<void> put_states(const std::string& promotion, const std::vector<UnitState>& states);
  Result<std::vector<UnitState>> states_of(const std::string& promotion);
  /// The promotion came to nothing.
  Result<void> remove(const std::string& promotion);

 private:
  struct Impl;
  explicit UnitSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rehearse::ledger
