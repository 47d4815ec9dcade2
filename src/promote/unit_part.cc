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

/// The unit's own file, or the script that stands for one, is not there any more.
bool loses_file(const std::string& unit, std::span<const Change> changes, const std::vector<bool>& taken) {
  const std::string unit_template = units::template_of(unit);
  const std::string script = "/etc/init.d/" + std::string(units::prefix_of(unit));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const bool renamed = changes[i].kind == effects::ChangeKind::kRenamed;
    if (!taken[i] || (!renamed && changes[i].kind != effects::ChangeKind::kDeleted)) continue;
    const std::string_view gone = renamed ? changes[i].from : changes[i].path;
    const std::string_view name = below_units(gone);
    if (gone == script || (!name.empty() && (name == unit || name == unit_template))) return true;
  }
  return false;
}

}  // namespace

std::size_t put_early_stops(std::vector<UnitStep>& steps, std::span<const Change> changes,
                            const std::vector<bool>& taken) {
  std::vector<bool> early(steps.size(), false);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const UnitStep& step = steps[i];
    if (step.verb != "stop" || step.result != StepResult::kPending) continue;
    bool first = true;
    for (std::size_t k = 0; k < i; ++k) first = first && steps[k].unit != step.unit;
    early[i] = first && loses_file(step.unit, changes, taken);
  }
  std::vector<UnitStep> ordered;
  for (const bool now : {true, false}) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (early[i] == now) ordered.push_back(std::move(steps[i]));
    }
  }
  steps = std::move(ordered);
  return static_cast<std::size_t>(std::count(early.begin(), early.end(), true));
}

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
