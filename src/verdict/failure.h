// Predictable failures told from each other: from how the action's processes ended, the system calls that
// failed them, where they could not get, what they said, and what validators say of changed configuration.
// Pure, over plain facts; docs/failures.md says which evidence makes which finding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/failure_patterns.h"
#include "verdict/finding.h"

namespace rehearse::verdict {

/// A process of the action, in the order of ids; the action itself is 1.
struct RanProcess {
  std::uint32_t id = 0;
  std::uint32_t parent = 0;
  std::string program;  ///< name of the executed file, without directories
  std::optional<int> exit;
  std::optional<int> signal;
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;
  std::string called = {};  ///< what it was started as, without directories: its own claim

  [[nodiscard]] bool failed() const { return signal || exit.value_or(0) != 0; }
};

/// A system call that failed a process, about a path.
struct FailedCall {
  std::uint32_t process = 0;
  std::string call;     ///< its name
  std::string path;     ///< absolute where that is known
  std::string spelled;  ///< as the process said it
  int error = 0;
  bool asks = false;  ///< only asked: access(2), stat(2)
  bool executes = false;
};

/// Where a process could not get to.
struct RefusedEndpoint {
  std::uint32_t process = 0;
  std::string text;  ///< "tcp 203.0.113.9:443 (example.com): denied, ECONNREFUSED"
  std::string path;  ///< of a local socket, which says little alone: half of all programs look for some
};

struct RefusedUnit {
  std::uint32_t process = 0;
  std::string text;  ///< "restart nosuch.service: Unit nosuch.service not found."
};

/// A validator that was run inside, because files that it knows had changed.
struct ConfigCheck {
  std::string command;             ///< as a line
  std::vector<std::string> files;  ///< that had changed
  bool valid = true;
  std::string said;                       ///< the end of what it printed
  std::optional<bool> valid_before = {};  ///< without the command's changes; nothing: not known
  std::string said_before = {};
};

struct FailureFacts {
  std::optional<int> exit;
  std::optional<int> signal;
  bool timed_out = false;
  bool ended_here = false;  ///< the rehearsal killed what still ran
  std::int64_t wall_ns = 0;
  std::string start_error;
  int start_errno = 0;
  std::vector<std::string> limits_hit;
  bool traced = false;
  std::vector<RanProcess> processes;
  std::vector<FailedCall> calls;  ///< in the order of time
  bool full_device = false;       ///< a device like /dev/full has no room: what is said of that is no failure
  std::vector<RefusedEndpoint> endpoints;
  std::vector<RefusedUnit> units;
  std::string_view out;  ///< what the action printed, or its end
  std::string_view err;
  std::vector<ConfigCheck> checks;
};

/// At most one finding for each kind, all yellow. Those of a command that ended with 0 are advisory, and made
/// only where the evidence is strong.
std::vector<Finding> find_failures(const FailureFacts& facts, const FailurePatterns& patterns);

}  // namespace rehearse::verdict
