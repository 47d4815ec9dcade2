// Judged statements about a run, and the names of what could not be judged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rehearse::verdict {

/// In the order in which the worse wins: red > inconclusive > yellow > green.
enum class Level : std::uint8_t { kGreen, kYellow, kInconclusive, kRed };

struct Evidence {
  std::string kind;  ///< "file", "mount", "limit", "command", ...
  std::string text;  ///< a path or a value, raw bytes: whoever prints it escapes it
};

struct Finding {
  std::string rule;  ///< stable, namespaced: "core.not-judged"
  Level level = Level::kYellow;
  std::string enforce = "soft";  ///< advisory | soft | hard
  std::vector<Evidence> evidence;
  std::string why;
  std::string fix;
};

/// Something that was not like production or was not observed, and the best verdict that it leaves possible.
struct Gap {
  std::string what;
  std::string why;
  Level cap = Level::kYellow;
};

struct Verdict {
  Level level = Level::kInconclusive;
  std::vector<Finding> findings;
  double fidelity_score = 1.0;  ///< for display only
};

const char* to_string(Level level);

}  // namespace rehearse::verdict
