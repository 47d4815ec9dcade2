// Digests of programs that may be gone when the run ends: what the action made itself and executes, be it in
// memory (memfd_create(2)) or removed again. Read through /proc/PID/exe as the record of the execution is
// drained; of a program that has ended by then, nothing is said.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "base/result.h"
#include "trace/record.h"

namespace rehearse::trace {

class FleetingImages {
 public:
  /// Takes a record of the programs. An RH_IMAGE record that belongs after it, if there is one; valid until
  /// the next call.
  const struct rh_head* after(const Record& record);

 private:
  [[nodiscard]] bool may_read(const struct rh_file& file) const;

  struct rh_image made_ = {};
  std::set<std::pair<std::uint64_t, std::uint64_t>> read_;  ///< inode and change time
  std::uint64_t bytes_ = 0;
};

}  // namespace rehearse::trace
