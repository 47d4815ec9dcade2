// Carries out unit steps on the host, by its own systemctl: the only code of promotion that asks the service
// manager for anything.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/unit_steps.h"

namespace rehearse::promote {

/// systemd is this host's service manager (sd_booted(3)), and there is a systemctl.
bool has_service_manager();

/// Runs systemctl with a clean environment, no terminal and no input. Each call ends within `most_ns`.
class UnitRunner {
 public:
  explicit UnitRunner(std::int64_t most_ns) : most_ns_(most_ns) {}

  /// Fills in how `step` ended, and the unit's state before and after it. Never fails otherwise.
  /// `begun` is called before anything is asked of the manager that changes something.
  void carry_out(ledger::UnitStep& step, const std::function<void()>& begun) const;

  /// A unit, as the manager sees it now.
  struct Seen {
    std::string id;     ///< not that of an alias
    std::string state;  ///< ActiveState
    std::vector<std::string>
        followers;  ///< what goes down with it, or when it comes up; by any of their names
  };
  /// One for each of `names`; empty where there was no answer.
  [[nodiscard]] std::vector<Seen> look_at(const std::vector<std::string>& names) const;

 private:
  struct Answer {
    bool done = false;
    std::string output;  ///< the last bytes of it
  };
  [[nodiscard]] Result<Answer> systemctl(const std::vector<std::string>& words,
                                         std::size_t most_output) const;
  [[nodiscard]] Result<std::vector<Seen>> ask(std::vector<std::string> names) const;
  [[nodiscard]] std::string state_of(const std::string& unit) const;

  std::int64_t most_ns_;
};

}  // namespace rehearse::promote
