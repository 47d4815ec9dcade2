// What becomes of an object's attributes when they are given back to it: those that a promotion has set, or
// may have set in part, are as before again; what somebody else has set meanwhile stays.
#pragma once

#include <string>
#include <vector>

#include "promote/operation.h"

namespace rehearse::promote {

/// How far the object came to have its new attributes.
struct Extent {
  bool whole = false;  ///< all were set; else any of them may have been, and the rights be between the two
  bool rewritten = false;  ///< its bytes were written over, which takes a capability away
};

struct TakenBack {
  Settings settings;
  std::vector<std::string>
      theirs;  ///< what stays because somebody else has set it: "owner", "mode", "user.x"
};

/// Of an object that has `now`, and got or was getting `ours` in place of `before`. Mode and access list are
/// judged as one, and stay where somebody else has set either of them or has given the object away.
TakenBack taken_back(const Settings& now, const Settings& ours, const Settings& before, Extent extent);

}  // namespace rehearse::promote
