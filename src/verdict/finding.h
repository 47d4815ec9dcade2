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
  std::string rule;  ///< stable, namespaced: "core.command-failed"
  Level level = Level::kYellow;
  std::string enforce = "soft";  ///< advisory | soft | hard
  std::vector<Evidence> evidence;
  std::string why;
  std::string fix;
  std::vector<std::string> refs = {};  ///< ATT&CK techniques and the like
  std::uint64_t count = 0;  ///< how many facts there are; `evidence` may hold only the first of them
  bool shadow = false;      ///< of a rule on trial: reported, does not decide
  bool by_policy = false;   ///< made anew whenever the run is judged again; else it is evidence

  [[nodiscard]] bool decides() const { return !shadow && enforce != "advisory"; }
};

/// A rule's match that somebody has answered for, as it was found when the run was judged.
struct AppliedException {
  std::string rule;
  std::string owner;
  std::string reason;
  std::string expires;       ///< the first day on which it does not apply: 2027-03-01
  std::uint64_t count = 0;   ///< facts that it took out, or would have
  std::string refused = {};  ///< why it did not apply; empty: it did
};

/// Something that was not like production or was not observed, and the best verdict that it leaves possible.
struct Gap {
  std::string what;
  std::string why;
  Level cap = Level::kYellow;
  /// Of a mount that is shown otherwise than it is: what the action must have done there for the gap to cap
  /// anything, decided when the run has ended. kFile: as kLooked, and it is a file. kDiffers: something was
  /// changed there, or failed.
  enum class Concern : std::uint8_t { kAlways, kLooked, kFile, kDiffers } concern = Concern::kAlways;
  std::vector<std::string> mountpoints = {};  ///< of what the gap is about, all of them
};

struct Verdict {
  Level level = Level::kInconclusive;
  std::vector<Finding> findings;
  double fidelity_score = 1.0;                 ///< for display only
  std::string policy_digest = {};              ///< "sha256:<hex>"; empty: judged before there was a policy
  std::vector<std::string> policy_files = {};  ///< that the policy was merged from
  std::vector<AppliedException> exceptions = {};
  bool clock_trusted = true;  ///< false: the host's clock had gone back, so that no exception counts
};

const char* to_string(Level level);

}  // namespace rehearse::verdict
