#include "verdict/finding.h"

namespace rehearse::verdict {

const char* to_string(Level level) {
  switch (level) {
    case Level::kGreen:
      return "green";
    case Level::kYellow:
      return "yellow";
    case Level::kInconclusive:
      return "inconclusive";
    case Level::kRed:
      return "red";
  }
  return "?";
}

}  // namespace rehearse::verdict
