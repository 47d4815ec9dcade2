// Directories that operations take away from the host, with what they hold: nobody may change that between
// the last look at it and the end of the operations.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "promote/operation.h"
#include "promote/tree_print.h"
#include "promote/volume.h"

namespace rehearse::promote {

class Outgoing {
 public:
  /// Before the first of the operations. kStale if something there was changed at `looked_ns`
  /// (CLOCK_REALTIME) or later: whoever decided on the operations has looked at it since then.
  Result<void> look(std::span<Volume* const> volumes, std::span<const Operation> operations,
                    std::int64_t looked_ns);
  /// After the last of them. kStale names a directory in which something was changed.
  Result<void> check(std::span<Volume> volumes) const;

 private:
  struct One {
    std::uint32_t volume = 0;
    std::string kept;   ///< its place in the store
    std::string shown;  ///< its path on the host
    Sha256 print = {};
  };
  Result<void> look_at(Volume& volume, std::uint32_t number, const Place& old, const std::string& kept,
                       const std::set<std::string>& without);

  std::vector<Inodes> moved_;  ///< of each volume
  std::vector<One> all_;
  std::int64_t looked_ns_ = 0;
};

}  // namespace rehearse::promote
