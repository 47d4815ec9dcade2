// rehearse doctor: what works on this host, what is degraded, what to do about it.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "host/features.h"
#include "host/kernel_modules.h"
#include "rehearsal/gate_probe.h"
#include "rehearsal/read_only_probe.h"
#include "report/terminal.h"
#include "report/writer.h"
#include "sandbox/plan.h"
#include "units/host_units.h"

namespace rehearse::cli {
namespace {

std::string as_json(const std::vector<host::Check>& checks, bool possible) {
  nlohmann::json list = nlohmann::json::array();
  for (const host::Check& check : checks) {
    list.push_back({{"id", check.id},
                    {"group", check.group},
                    {"status", to_string(check.status)},
                    {"what", to_utf8_lossy(check.what)},
                    {"meaning", check.meaning},
                    {"fix", check.fix}});
  }
  return nlohmann::json{{"schema", "rehearse.doctor/1"}, {"possible", possible}, {"checks", list}}.dump(2) +
         '\n';
}

std::string as_text(const std::vector<host::Check>& checks, bool color) {
  std::string text;
  std::string group;
  for (const host::Check& check : checks) {
    if (check.group != group) {
      group = check.group;
      text += (text.empty() ? "" : "\n") + group + '\n';
    }
    const char* paint = check.status == host::Status::kOk         ? "\x1b[32m"
                        : check.status == host::Status::kDegraded ? "\x1b[33m"
                                                                  : "\x1b[31m";
    text += fmt::format("  {}{:<8}{}  {}\n", color ? paint : "", to_string(check.status),
                        color ? "\x1b[0m" : "", escape_text(check.what));
    if (check.status == host::Status::kOk) continue;
    text += "            " + check.meaning + '\n';
    text += "            fix: " + check.fix + '\n';
  }
  return text;
}

/// How the mounts of this host would be shown to an action: the plan of a run, in one check.
host::Check mounts_check(const host::HostFacts& facts, const std::string& state) {
  host::Check check{"filesystems.plan", "Filesystems", host::Status::kOk, "", "", "", true};
  sandbox::Request request;
  request.argv = {"true"};
  request.state_dir = state;
  const auto plan = sandbox::make_plan(std::move(request), facts);
  if (!plan) {
    check.status = host::Status::kMissing;
    check.what = plan.error().what;
    check.meaning = "this host cannot be shown";
    check.fix = plan.error().fix;
    return check;
  }
  std::size_t aliases = 0;
  std::string hidden;
  for (const sandbox::MountPlan& mount : plan->mounts) {
    if (mount.show == sandbox::Show::kAlias) ++aliases;
    if (mount.show == sandbox::Show::kHidden) hidden += (hidden.empty() ? "" : ", ") + mount.mountpoint;
  }
  check.what = fmt::format("{} mounts, all classified: {} layers, {} aliases", plan->mounts.size(),
                           plan->layers.size(), aliases);
  if (!hidden.empty()) {
    check.status = host::Status::kDegraded;
    check.what += ", hidden: " + hidden;
    check.meaning = "an action does not see what is hidden: its verdict is at best inconclusive";
    check.fix = "nothing to do if actions do not need it; see `rehearse run --plan -- true` for the reason";
  }
  return check;
}

host::Check gate_check(const host::HostFacts& facts) {
  host::Check check{"network.gate", "Network", host::Status::kOk, "", "", "", false};
  check.what =
      "the gate: socket hooks deny, the packet program (clsact) and socket assignment bring what is "
      "passed or mocked";
  const auto works = probe_gate(facts.cgroups);
  if (works) {
    check.what +=
        works->hears_local_sockets
            ? "; hooks in the kernel tell of local sockets, too"
            : "; of local sockets the trace tells (the kernel has no hooks for them before Linux 6.7)";
    check.what += works->keeps_modules_out || !host::loads_modules()
                      ? "; the kernel loads no module for an action"
                      : "; the kernel may load modules for an action (it lets no program refuse that)";
    return check;
  }
  check.status = host::Status::kDegraded;
  check.what = "the gate: " + works.error().what;
  check.meaning =
      "nothing can be recorded, mocked or passed; --no-trace goes on without, verdict inconclusive";
  check.fix = works.error().fix.empty()
                  ? "use a kernel with CONFIG_CGROUP_BPF, CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, as "
                    "Debian's are"
                  : works.error().fix;
  return check;
}

/// What answers inside in place of the host's service manager.
host::Check manager_check(const host::HostFacts& facts) {
  host::Check check{"services.manager", "Service manager", host::Status::kOk, "", "", "", false};
  if (!facts.systemd) {
    check.what = "this host is not run by systemd: neither is the clone, tools take the path they take here";
    return check;
  }
  constexpr std::int64_t kPatience = 2'000'000'000;
  const std::int64_t deadline = monotonic_ns() + kPatience;
  auto manager = units::HostManager::connect(units::kHostManagerSocket, deadline);
  const auto known = manager ? manager->read(deadline) : tl::make_unexpected(manager.error());
  if (known) {
    check.what = fmt::format("systemd {} answers: {} units, read in {}", known->version, known->units.size(),
                             format_duration(known->took_ns));
    return check;
  }
  check.status = host::Status::kDegraded;
  check.what = known.error().what;
  check.meaning =
      facts.manager_socket_mode
          ? "an action that asks the service manager gets no answer and its verdict is inconclusive"
          : "the clone shows no service manager: tools take their offline path";
  check.fix = "see `systemctl is-system-running`; systemd 240 and newer listen there";
  return check;
}

/// Whether `run --read-only` keeps its word here.
host::Check read_only_check(const std::string& state) {
  host::Check check{"rehearsal.read-only", "Read-only runs", host::Status::kOk, "", "", "", false};
  const auto able = probe_read_only(state);
  if (able && able->proves) {
    check.what = "--read-only: a write was refused, noticed and ended the run; what only reads was proved to";
    return check;
  }
  check.status = host::Status::kDegraded;
  if (able) {
    check.what = "--read-only: a write is refused, but what only reads cannot be proved to: " + able->why_not;
    check.meaning = "no run is let pass as read-only ([skip] read_only of the policy)";
    check.fix = "see what is said of tracing above: attempts to write are found in the trace";
    return check;
  }
  check.what = "--read-only: " + able.error().what;
  check.meaning = "no action can be rehearsed read-only";
  check.fix = able.error().fix.empty() ? "see what is said above" : able.error().fix;
  return check;
}

}  // namespace

Result<int> doctor_verb(Globals& globals, Arguments arguments) {
  CommandLine line("Check what this host can do, by trying it.", "doctor", globals);
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  if (::geteuid() != 0)
    return fail("doctor tries things that need root", ExitCode::kNoPermission, "run it with sudo");
  RH_TRY(const auto facts, host::read_host_facts());
  std::vector<host::Check> checks = host::probe_host(facts, globals.state);
  const auto place = std::find_if(checks.begin(), checks.end(),
                                  [](const host::Check& check) { return check.group == "Filesystems"; });
  checks.insert(place, mounts_check(facts, globals.state));
  const auto state = std::find_if(checks.begin(), checks.end(),
                                  [](const host::Check& check) { return check.group == "State directory"; });
  checks.insert(checks.insert(state, manager_check(facts)), gate_check(facts));
  const auto stands_in_the_way = [](const host::Check& check) {
    return check.required && check.status == host::Status::kMissing;
  };
  if (std::ranges::none_of(checks, stands_in_the_way)) checks.push_back(read_only_check(globals.state));
  const auto found = std::ranges::find_if(checks, stands_in_the_way);
  const host::Check* obstacle = found == checks.end() ? nullptr : &*found;
  const bool color =
      globals.color == Color::kAlways || (globals.color == Color::kAuto && report::want_color(STDOUT_FILENO));
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? as_json(checks, obstacle == nullptr) : as_text(checks, color));
  if (obstacle == nullptr && !globals.json) out.put("\nRehearsing is possible.\n");
  RH_CHECK(out.flush());
  if (obstacle != nullptr) {
    if (globals.json) return static_cast<int>(ExitCode::kUnavailable);
    return fail("rehearsing is impossible on this host: " + obstacle->what, ExitCode::kUnavailable,
                obstacle->fix);
  }
  return 0;
}

}  // namespace rehearse::cli
