#include "promote/unit_part.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "units/unit_name.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using ledger::StepResult;
using ledger::UnitStep;

/// systemd.unit(5), "Unit File Search Path", of the system's manager.
constexpr std::array<std::string_view, 5> kDirectories = {"/etc/systemd/system", "/run/systemd/system",
                                                          "/usr/local/lib/systemd/system",
                                                          "/usr/lib/systemd/system", "/lib/systemd/system"};

/// What `path` is below a directory of unit files, or empty. Also below "system.control" and its like.
std::string_view below_units(std::string_view path) {
  for (const std::string_view directory : kDirectories) {
    if (!path.starts_with(directory)) continue;
    const std::string_view rest = path.substr(directory.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || (slash != 0 && rest.front() != '.')) continue;
    return rest.substr(slash + 1);
  }
  return {};
}

bool belongs(std::string_view path, std::string_view name) {
  if (name.empty()) return false;
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.starts_with(name) && (part.size() == name.size() || part.substr(name.size()) == ".d"))
      return true;
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  return false;
}

struct Share {
  bool some = false;  ///< a file of it is in the part
  bool all = true;    ///< and none is left out
};

Share share_of(const UnitStep& step, std::span<const Change> changes, const std::vector<bool>& taken) {
  const bool any_unit = step.verb == "daemon-reload";
  const std::string unit_template = units::template_of(step.unit);
  Share share;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    for (const std::string_view path :
         {std::string_view(changes[i].path), std::string_view(changes[i].from)}) {
      const std::string_view below = below_units(path);
      if (below.empty() || !(any_unit || belongs(below, step.unit) || belongs(below, unit_template)))
        continue;
      share.some = share.some || taken[i];
      share.all = share.all && (taken[i] || any_unit);
    }
  }
  return share;
}

}  // namespace

void leave_other_parts(std::span<UnitStep> steps, std::span<const Change> changes,
                       const std::vector<bool>& taken) {
  for (UnitStep& step : steps) {
    if (step.result != StepResult::kPending) continue;
    const Share share =
        step.unit.empty() && step.verb != "daemon-reload" ? Share() : share_of(step, changes, taken);
    if (share.some && share.all) continue;
    step.result = StepResult::kLeft;
    step.detail = share.some
                      ? "a part is promoted, and not all files of this unit"
                      : "a part is promoted, and no file of this unit: its requests are about the whole";
  }
}

}  // namespace rehearse::promote
