// What earlier promotions and rollbacks of a run have moved on the host themselves, and what they have moved
// and put back: it is no reason why the rest of the run could not be promoted, or all of it again.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/restored.h"

namespace rehearse::promote {

class OwnMoves {
 public:
  OwnMoves() = default;
  /// From the journals that are kept with the run.
  static Result<OwnMoves> read(const ledger::Bundle& bundle);

  /// There were none.
  [[nodiscard]] bool none() const { return all_.empty() && restored_.empty(); }
  /// One of them was the last to change what stands at `path` (absolute), whose change time this is.
  [[nodiscard]] bool explain(const std::string& path, std::int64_t ctime_ns) const;
  /// One of them took away what stood at `path`, or above it; nothing is there.
  [[nodiscard]] bool took_away(const std::string& path) const;
  /// One of them worked in this directory: its time is not a sign of anybody else.
  [[nodiscard]] bool worked_in(const std::string& directory) const;

 private:
  struct One {
    std::int64_t begun_ns = 0;
    std::int64_t settled_ns = 0;
    std::vector<std::string> put;  ///< sorted, as are the others
    std::vector<std::string> set;  ///< what got attributes or other bytes
    std::vector<std::string> taken;
    std::vector<std::string> directories;  ///< that hold any of these
  };
  std::vector<One> all_;
  Restored restored_;  ///< by what was taken back
};

}  // namespace rehearse::promote
