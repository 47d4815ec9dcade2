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

bool is_job(const UnitStep& step) {
  return std::any_of(kJobs.begin(), kJobs.end(), [&](const Word& word) { return word.verb == step.verb; });
}

bool is_up(std::string_view state) {
  return state == "active" || state == "reloading" || state == "activating" || state == "refreshing";
}

UnitStep job(std::string_view verb, const std::string& unit) {
  UnitStep step;
  step.verb = verb;
  step.unit = unit;
  step.mode = "replace";
  return step;
}

/// One unit over all steps of a promotion.
struct Touched {
  std::string unit;
  std::string before;
  std::string after;
  bool restarted = false;
  bool reloaded = false;
};

}  // namespace

std::vector<UnitStep> plan_unit_steps(std::span<const UnitRecord> asked) {
  std::vector<UnitStep> steps;
  std::vector<UnitStep> last;
  bool reloaded = false;
  for (const UnitRecord& one : asked) {
    if (!one.changes()) continue;
    UnitStep step;
    if (one.answered == "carried-out") {
      step.verb = "daemon-reload";
    } else {
      step = plan_one(one);
    }
    // All files are there before the first step: one reload finds them all.
    if (step.verb == "daemon-reload" && std::exchange(reloaded, true)) continue;
    (ends_system(step) ? last : steps).push_back(std::move(step));
  }
  steps.insert(steps.end(), std::make_move_iterator(last.begin()), std::make_move_iterator(last.end()));
  return steps;
}

std::vector<UnitStep> plan_unit_undo(std::span<const UnitStep> done) {
  std::vector<Touched> touched;
  std::vector<UnitStep> lost;
  bool reload = false;
  for (const UnitStep& step : done) {
    // Of one that failed or was cut off nobody knows what it has done: where the unit is now tells.
    if (step.result == StepResult::kLeft || step.result == StepResult::kPending) continue;
    reload = reload || step.verb == "daemon-reload" || step.verb == "daemon-reexec";
    if (step.irreversible) {
      UnitStep named = step;
      named.result = StepResult::kLeft;
      named.detail = "nothing takes it back";
      lost.push_back(std::move(named));
    }
    if (!is_job(step) || step.irreversible) continue;
    auto known = std::find_if(touched.begin(), touched.end(),
                              [&](const Touched& one) { return one.unit == step.unit; });
    if (known == touched.end())
      known = touched.insert(touched.end(), {step.unit, step.before, "", false, false});
    known->after = step.after;
    known->reloaded = known->reloaded || step.verb == "reload";
    known->restarted = known->restarted || (step.verb != "reload" && step.verb != "stop");
  }
  std::vector<UnitStep> undo;
  for (auto one = touched.rbegin(); one != touched.rend(); ++one) {
    if (!is_up(one->before) && is_up(one->after)) undo.push_back(job("stop", one->unit));
  }
  if (reload) undo.emplace_back().verb = "daemon-reload";
  for (const Touched& one : touched) {
    if (!is_up(one.before)) continue;
    if (!is_up(one.after))
      undo.push_back(job("start", one.unit));
    else if (one.restarted)
      undo.push_back(job("try-restart", one.unit));
    else if (one.reloaded)
      undo.push_back(job("try-reload-or-restart", one.unit));
  }
  undo.insert(undo.end(), std::make_move_iterator(lost.begin()), std::make_move_iterator(lost.end()));
  return undo;
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
