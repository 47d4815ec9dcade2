// Names inside the state directory; internal to the ledger.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace rehearse::ledger {

inline constexpr const char* kRuns = "runs";
inline constexpr const char* kActive = "active";
inline constexpr const char* kIntake = "intake";
inline constexpr const char* kTrash = "trash";
inline constexpr std::size_t kIdLength = 22;

inline std::string in(const char* directory, const std::string& id) {
  std::string path(directory);
  path += '/';
  path += id;
  return path;
}

/// Makes what is missing of the directories above.
Result<void> make_layout(int state);

/// Calls `visit` for each name in directory `rel` that does not start with a dot. A missing directory is
/// empty.
Result<void> for_each_name(int dir, const char* rel, const std::function<Result<void>(const char*)>& visit);

}  // namespace rehearse::ledger
