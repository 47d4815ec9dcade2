#include "promote/unit_plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "units/unit_name.h"

namespace rehearse::promote {
namespace {

using ledger::StepResult;
using ledger::UnitStep;
using report::UnitRecord;

struct Word {
  std::string_view request;  ///< as it was asked over D-Bus
  std::string_view verb;     ///< as systemctl takes it
};
constexpr std::array<Word, 8> kJobs = {{{"start", "start"},
                                        {"stop", "stop"},
                                        {"reload", "reload"},
                                        {"restart", "restart"},
                                        {"try-restart", "try-restart"},
                                        {"reload-or-restart", "reload-or-restart"},
                                        {"reload-or-try-restart", "try-reload-or-restart"},
                                        {"try-reload", "try-reload-or-restart"}}};
constexpr std::array<Word, 5> kEndings = {{{"reboot", "reboot"},
                                           {"poweroff", "poweroff"},
                                           {"halt", "halt"},
                                           {"kexec", "kexec"},
                                           {"softreboot", "soft-reboot"}}};
constexpr std::array<Word, 2> kOther = {{{"FreezeUnit", "freeze"}, {"ThawUnit", "thaw"}}};
constexpr std::array<std::string_view, 9> kJobModes = {"replace",
                                                       "fail",
                                                       "isolate",
                                                       "replace-irreversibly",
                                                       "ignore-dependencies",
                                                       "ignore-requirements",
                                                       "flush",
                                                       "triggering",
                                                       "restart-dependencies"};
/// With the names that systemd's own links give them, and the services that do the work.
constexpr std::array<std::string_view, 18> kEndingUnits = {"reboot.target",
                                                           "poweroff.target",
                                                           "halt.target",
                                                           "kexec.target",
                                                           "soft-reboot.target",
                                                           "exit.target",
                                                           "shutdown.target",
                                                           "umount.target",
                                                           "final.target",
                                                           "runlevel0.target",
                                                           "runlevel6.target",
                                                           "ctrl-alt-del.target",
                                                           "systemd-reboot.service",
                                                           "systemd-poweroff.service",
                                                           "systemd-halt.service",
                                                           "systemd-kexec.service",
                                                           "systemd-soft-reboot.service",
                                                           "systemd-exit.service"};
constexpr std::array<std::string_view, 6> kWho = {"main",      "control",      "all",
                                                  "main-fail", "control-fail", "all-fail"};

template <std::size_t N>
std::string_view verb_of(const std::array<Word, N>& words, std::string_view request) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.request == request; });
  return found == words.end() ? std::string_view() : found->verb;
}
template <std::size_t N>
bool holds(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

UnitStep left(const UnitRecord& asked, std::string why) {
  UnitStep step;
  step.verb = asked.request;
  step.unit = asked.unit;
  step.mode = asked.mode;
  step.result = StepResult::kLeft;
  step.detail = std::move(why);
  return step;
}

UnitStep step_of(std::string_view verb, const UnitRecord& asked) {
  UnitStep step;
  step.verb = verb;
  step.unit = asked.unit;
  return step;
}

/// Nothing takes it back: what the manager knew of the failure is forgotten, and how long a unit stood still
/// is not on record.
UnitStep final_step_of(std::string_view verb, const UnitRecord& asked) {
  UnitStep step = step_of(verb, asked);
  step.irreversible = true;
  return step;
}

/// "SIGHUP main": a signal's name or number, and whose.
bool is_kill_mode(std::string_view mode) {
  const auto space = mode.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view signal = mode.substr(0, space);
  const std::string_view who = mode.substr(space + 1);
  const bool plain = !signal.empty() && std::all_of(signal.begin(), signal.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  return plain && (who.empty() || holds(kWho, who));
}

UnitStep plan_one(const UnitRecord& asked) {
  if (!asked.unit.empty() && !units::is_unit_name(asked.unit)) return left(asked, "that is no unit's name");
  if (asked.request == "daemon-reload" || asked.request == "daemon-reexec")
    return step_of(asked.request, asked);
  if (const auto verb = verb_of(kEndings, asked.request); !verb.empty()) {
    UnitStep step = final_step_of(verb, asked);
    step.unit.clear();
    return step;
  }
  if (asked.request == "reset-failed") return final_step_of("reset-failed", asked);
  if (asked.unit.empty()) return left(asked, "what it was about is not on record");
  if (const auto verb = verb_of(kJobs, asked.request); !verb.empty()) {
    if (!holds(kJobModes, asked.mode)) return left(asked, "an unknown job mode");
    UnitStep step = step_of(verb, asked);
    step.mode = asked.mode;
    step.also = asked.also;
    step.irreversible = asked.mode == "isolate" || holds(kEndingUnits, asked.unit);
    return step;
  }
  if (asked.request == "kill") {
    if (!is_kill_mode(asked.mode)) return left(asked, "an unknown signal");
    UnitStep step = final_step_of("kill", asked);
    step.mode = asked.mode;
    return step;
  }
  if (const auto verb = verb_of(kOther, asked.request); !verb.empty()) return final_step_of(verb, asked);
  if (asked.request == "start-transient")
    return left(asked, "a transient unit, whose settings are not on record");
  return left(asked, "what it was to set is not on record");
}

bool ends_system(const UnitStep& step) {
  const bool ending =
      std::any_of(kEndings.begin(), kEndings.end(), [&](const Word& word) { return word.verb == step.verb; });
  return ending || holds(kEndingUnits, step.unit);
}

}  // namespace

std::vector<UnitStep> plan_unit_steps(std::span<const UnitRecord> asked) {
  std::vector<UnitStep> steps;
  std::vector<UnitStep> last;
  enum class Reload : std::uint8_t { kNone, kDue, kDone } reload = Reload::kNone;
  const auto read_files_anew = [&] {
    if (std::exchange(reload, Reload::kDone) == Reload::kDue) steps.emplace_back().verb = "daemon-reload";
  };
  for (const UnitRecord& one : asked) {
    if (!one.changes()) continue;
    if (one.answered == "carried-out" || one.request == "daemon-reload") {
      if (reload == Reload::kNone) reload = Reload::kDue;
      continue;
    }
    UnitStep step = plan_one(one);
    // What is stopped is stopped as the manager knows it: its file may be one of those that are gone.
    if (reload == Reload::kDue && is_job(step) && step.verb != "stop") read_files_anew();
    (ends_system(step) ? last : steps).push_back(std::move(step));
  }
  if (reload == Reload::kDue) read_files_anew();
  steps.insert(steps.end(), std::make_move_iterator(last.begin()), std::make_move_iterator(last.end()));
  return steps;
}

std::vector<std::string> concerned_units(std::span<const UnitStep> steps) {
  std::vector<std::string> units;
  const auto add = [&units](std::string_view unit) {
    if (!units::is_unit_name(unit) || units::is_template(unit)) return;
    if (std::find(units.begin(), units.end(), unit) == units.end()) units.emplace_back(unit);
  };
  for (const UnitStep& step : steps) {
    if (!is_job(step) || step.irreversible || step.result == StepResult::kLeft) continue;
    std::vector<std::string_view> all = {step.unit};
    for (const std::string& also : step.also)
      all.push_back(std::string_view(also).substr(also.find(' ') + 1));
    // What a start pulls in comes up before it, the furthest first.
    if (is_start(step)) std::reverse(all.begin(), all.end());
    std::for_each(all.begin(), all.end(), add);
  }
  return units;
}

UnitStep request(std::string_view verb, const std::string& unit) {
  UnitStep step;
  step.verb = verb;
  step.unit = unit;
  if (is_job(step)) step.mode = "replace";
  return step;
}

bool is_job(const UnitStep& step) {
  return std::any_of(kJobs.begin(), kJobs.end(), [&](const Word& word) { return word.verb == step.verb; });
}

bool is_start(const UnitStep& step) {
  return step.verb == "start" || step.verb == "restart" || step.verb == "reload-or-restart";
}

bool is_up(std::string_view state) {
  return state == "active" || state == "reloading" || state == "activating" || state == "refreshing";
}

std::string line_of(const UnitStep& step) {
  std::string line = step.verb;
  if (step.verb == "kill") {
    line += " (" + step.mode + ")";
  } else if (!step.mode.empty() && step.mode != "replace") {
    line += " (" + step.mode + ")";
  }
  if (!step.unit.empty()) line += ' ' + step.unit;
  return line;
}

}  // namespace rehearse::promote
