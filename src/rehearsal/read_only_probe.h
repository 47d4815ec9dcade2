// Whether a run that may write nothing is kept from it on this host, found out by doing it. For `rehearse
// doctor` only.
#pragma once

#include <string>

#include "base/result.h"

namespace rehearse {

struct ReadOnlyAbilities {
  bool proves = false;  ///< what only reads is proved to; else the file systems refuse, and nothing is proved
  std::string why_not;
};

/// Rehearses what only reads, and what writes, in a state directory that is thrown away, beside `state`. The
/// error says why that cannot be done, or that a write was let through.
Result<ReadOnlyAbilities> probe_read_only(const std::string& state);

}  // namespace rehearse
