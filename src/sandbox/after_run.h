// What is run inside when the action has ended and before what it left running is ended: probes, one after
// the other, started by the run's PID 1 under the action's filter.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/init/protocol.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

struct InsideProgram {
  std::vector<std::string> argv;  ///< argv[0] is looked for in the action's PATH; it runs as the action did
  std::int64_t timeout_ns = 0;
};

/// How it ended. What it printed comes out of the clone: hostile.
struct InsideEnd {
  std::optional<int> exit;  ///< 127 not found, 126 not executable, as a shell says it
  std::optional<int> signal;
  bool timed_out = false;
  std::string error;             ///< why it was not started
  std::uint32_t pid = 0;         ///< inside
  std::uint64_t started_ns = 0;  ///< CLOCK_MONOTONIC
  std::int64_t wall_ns = 0;
  std::string out;  ///< its first kMostInsideOutput bytes
  std::string err;
};
inline constexpr std::size_t kMostInsideOutput = std::size_t{256} << 10U;

class AfterAction {
 public:
  virtual ~AfterAction() = default;
  /// The next program; nothing: that was all. The action has ended, and the one before.
  virtual std::optional<InsideProgram> next() = 0;
  virtual void ended(InsideEnd end) = 0;
};

/// Asks PID 1 for them and waits, as part of the supervisor's loop.
class AfterRun {
 public:
  /// `control`: socket to init; borrowed like the others.
  AfterRun(int control, const Plan& plan, AfterAction& wanted)
      : control_(control), plan_(plan), wanted_(wanted) {}

  /// False: there is none any more.
  Result<bool> start_next();
  [[nodiscard]] bool busy() const { return running_.has_value(); }
  /// CLOCK_MONOTONIC, when keep_time() has to be called.
  [[nodiscard]] std::int64_t deadline() const { return deadline_; }

  static constexpr std::size_t kPolls = 2;
  void add_polls(std::vector<struct pollfd>& polls) const;
  /// `polls`: those that add_polls() appended, with results.
  void move(const struct pollfd* polls);
  /// A message of init's about a probe.
  void hear(const InitMessage& message);
  /// Stops one that takes too long; an error if it does not end all the same.
  Result<void> keep_time();

 private:
  Result<void> ask(const InsideProgram& program);
  void read(UniqueFd& pipe, std::string& into);
  void finish();

  int control_;
  const Plan& plan_;
  AfterAction& wanted_;
  std::optional<InsideEnd> running_;
  std::int64_t begun_ = 0;
  std::int64_t deadline_ = 0;
  UniqueFd out_;
  UniqueFd err_;
};

}  // namespace rehearse::sandbox
