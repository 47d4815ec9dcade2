// In what steps a filesystem keeps times: ext4 with inodes of 128 bytes (small ones, as /boot often is) in
// whole seconds. No call tells that: it is tried.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace rehearse::promote {

/// In nanoseconds; 1 where times are kept as they are. Makes and removes a file `name` in `directory`.
Result<std::int64_t> time_grain(int directory, const std::string& name);

/// As the filesystem keeps it.
constexpr std::int64_t on_grain(std::int64_t time_ns, std::int64_t grain_ns) {
  const std::int64_t rest = time_ns % grain_ns;
  return time_ns - (rest < 0 ? rest + grain_ns : rest);
}

}  // namespace rehearse::promote
