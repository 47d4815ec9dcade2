// What promotions and rollbacks ask of the host's service manager: the ledger's table `unit_steps`.
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
  /// The promotion came to nothing.
  Result<void> remove(const std::string& promotion);

 private:
  struct Impl;
  explicit UnitSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rehearse::ledger
