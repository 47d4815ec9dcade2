#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/units.h"
#include "sandbox/capabilities.h"
#include "sandbox/plan.h"
#include "sandbox/seccomp_table.h"

namespace rehearse::sandbox {
namespace {

using nlohmann::json;

std::string errno_name(int error) {
  return error == 0 ? "success (faked)" : strerrorname_np(error);
}

const char* profile_name(Profile profile) {
  return profile == Profile::kShifted ? "shifted" : "root";
}

const char* fallback_name(Fallback fallback) {
  switch (fallback) {
    case Fallback::kRefuse:
      return "refuse";
    case Fallback::kCopy:
      return "copy";
    case Fallback::kReadOnly:
      return "read-only";
  }
  return "?";
}

std::string limit_text(const Plan& plan) {
  const Limits& limits = plan.request.limits;
  std::string text = fmt::format("  memory {}, {} processes", format_bytes(plan.memory_bytes), plan.pids);
  if (plan.cpus) text += fmt::format(", {:g} cpus", *plan.cpus);
  text +=
      limits.wall_ns ? ", " + format_duration(*limits.wall_ns) + " of wall time" : ", no limit of wall time";
  text += limits.write_bytes ? ", " + format_bytes(*limits.write_bytes) + " written"
                             : ", writes up to the disk's reserve";
  return text + '\n';
}

const char* manager_name(const Plan& plan) {
  if (plan.service_manager) return "mocked, from the host's units";
  return plan.systemd_hidden ? "hidden" : "none, as on the host";
}

}  // namespace

std::string plan_text(const Plan& plan) {
  const Request& request = plan.request;
  std::string text = "Action\n ";
  for (const std::string& word : request.argv) text += ' ' + shell_quote(word);
  text += fmt::format("\n  in {} as uid {} gid {} on host {}\n", shell_quote(request.cwd),
                      request.identity.uid, request.identity.gid, escape_text(plan.hostname));
  for (const auto& [name, value] : request.env)
    text += "  env " + escape_text(name) + '=' + shell_quote(value) + '\n';
  for (const auto& [name, value] : request.own_env)
    text += "  env " + escape_text(name) + '=' + shell_quote(value) + ", if it is not set\n";
  text += fmt::format("\nIsolation\n  profile {}\n  namespaces:", profile_name(request.profile));
  text += request.profile == Profile::kShifted ? " user mount pid net ipc uts cgroup"
                                               : " mount pid net ipc uts cgroup";
  text += fmt::format("\n  ids 0..{} inside are host ids {}.. outside\n",
                      request.profile == Profile::kShifted ? kIdRange - 1 : 0,
                      request.profile == Profile::kShifted ? kIdShift : 0);
  text += fmt::format("  terminal: {}\n", request.terminal ? "its own" : "none, pipes");
  text += fmt::format("  service manager: {}\n", manager_name(plan));
  if (request.read_only) text += "  read-only: an attempt to write ends it, and it is rehearsed in full\n";
  text += "\nMounts\n";
  for (const MountPlan& mount : plan.mounts) {
    text += fmt::format("  {:<30} {:<10} {}", escape_text(mount.mountpoint), escape_text(mount.fstype),
                        to_string(mount.show));
    if (mount.show == Show::kOverlay) text += fmt::format(" {}", mount.layer);
    if (mount.show == Show::kAlias)
      text += fmt::format(" of layer {} at /{}", mount.layer, escape_text(mount.subpath));
    if (mount.read_only && (mount.show == Show::kOverlay || mount.show == Show::kAlias))
      text += ", read-only";
    if (mount.scratch) text += ", scratch: thrown away";
    if (!mount.why.empty()) text += ": " + escape_text(mount.why);
    text += '\n';
  }
  for (const std::string& path : plan.covered)
    text += fmt::format("  {:<30} {:<10} empty, locked\n", escape_text(path), "-");
  text += "\nMasks\n";
  for (const LayerPlan& layer : plan.layers) {
    const std::string& at = plan.mounts[layer.mount].mountpoint;
    const std::string prefix = at == "/" ? at : at + '/';
    for (const std::string& path : layer.placeholders)
      text += "  " + escape_text(prefix + path) + ": masked\n";
    for (const std::string& path : layer.absent) text += "  " + escape_text(prefix + path) + ": not there\n";
    for (const Addition& addition : layer.additions)
      text += "  " + escape_text(prefix + addition.path) + (addition.fresh ? ": made\n" : ": added to\n");
  }
  text += "\nLimits\n" + limit_text(plan);
  text += "\nCapabilities dropped\n";
  for (const CapabilityRule& rule : capability_rules()) {
    if ((plan.dropped_capabilities >> static_cast<unsigned>(rule.number) & 1U) != 0) {
      text += fmt::format("  {:<20} {}\n", rule.name, rule.why);
    }
  }
  text += "\nSystem calls refused\n";
  for (const SeccompRule& rule : seccomp_rules()) {
    text += fmt::format("  {:<18} {:<16} {}{}{}\n", rule.name(), errno_name(rule.error), rule.when,
                        *rule.when != '\0' ? ": " : "", rule.why);
  }
  text += "\nCould not be like production\n";
  for (const verdict::Gap& gap : plan.gaps) {
    text += fmt::format("  {} (at best {}): {}\n", escape_text(gap.what), verdict::to_string(gap.cap),
                        escape_text(gap.why));
  }
  return text;
}

std::string plan_json(const Plan& plan) {
  const Request& request = plan.request;
  json document = {{"schema", "rehearse.plan/1"}, {"profile", profile_name(request.profile)}};
  json argv = json::array();
  for (const std::string& word : request.argv) argv.push_back(to_utf8_lossy(word));
  json env = json::object();
  for (const auto& [name, value] : request.env) env[to_utf8_lossy(name)] = to_utf8_lossy(value);
  document["action"] = {{"argv", argv},
                        {"cwd", to_utf8_lossy(request.cwd)},
                        {"uid", request.identity.uid},
                        {"gid", request.identity.gid},
                        {"groups", request.identity.groups},
                        {"env", env},
                        {"terminal", request.terminal},
                        {"read_only", request.read_only}};
  document["service_manager"] = plan.service_manager ? "mocked" : plan.systemd_hidden ? "hidden" : "none";
  document["namespaces"] = {"mount", "pid", "net", "ipc", "uts", "cgroup"};
  if (request.profile == Profile::kShifted) {
    document["namespaces"].push_back("user");
    document["id_map"] = {{"inside", 0}, {"outside", kIdShift}, {"count", kIdRange}};
  }
  json mounts = json::array();
  for (const MountPlan& mount : plan.mounts) {
    json line = {{"mountpoint", to_utf8_lossy(mount.mountpoint)},
                 {"fstype", to_utf8_lossy(mount.fstype)},
                 {"source", to_utf8_lossy(mount.source)},
                 {"show", to_string(mount.show)},
                 {"read_only", mount.read_only},
                 {"scratch", mount.scratch}};
    if (mount.show == Show::kOverlay) line["fallback"] = fallback_name(mount.fallback);
    if (mount.show == Show::kOverlay || mount.show == Show::kAlias) line["layer"] = mount.layer;
    if (mount.show == Show::kAlias) line["subpath"] = to_utf8_lossy(mount.subpath);
    if (!mount.why.empty()) line["why"] = to_utf8_lossy(mount.why);
    mounts.push_back(std::move(line));
  }
  document["mounts"] = std::move(mounts);
  json masks = json::array();
  for (const LayerPlan& layer : plan.layers) {
    const std::string& at = plan.mounts[layer.mount].mountpoint;
    const std::string prefix = at == "/" ? at : at + '/';
    for (const std::string& path : layer.placeholders)
      masks.push_back({{"path", to_utf8_lossy(prefix + path)}, {"show", "masked"}});
    for (const std::string& path : layer.absent)
      masks.push_back({{"path", to_utf8_lossy(prefix + path)}, {"show", "absent"}});
    for (const Addition& addition : layer.additions)
      masks.push_back(
          {{"path", to_utf8_lossy(prefix + addition.path)}, {"show", addition.fresh ? "made" : "added to"}});
  }
  for (const std::string& path : plan.covered)
    masks.push_back({{"path", to_utf8_lossy(path)}, {"show", "empty, locked"}});
  document["masks"] = std::move(masks);
  const Limits& limits = request.limits;
  document["limits"] = {{"memory_bytes", plan.memory_bytes}, {"pids", plan.pids}};
  if (plan.cpus) document["limits"]["cpus"] = *plan.cpus;
  if (limits.wall_ns) document["limits"]["wall_s"] = static_cast<double>(*limits.wall_ns) / 1e9;
  if (limits.write_bytes) document["limits"]["write_bytes"] = *limits.write_bytes;
  json capabilities = json::array();
  for (const CapabilityRule& rule : capability_rules()) {
    const bool dropped = (plan.dropped_capabilities >> static_cast<unsigned>(rule.number) & 1U) != 0;
    capabilities.push_back({{"name", rule.name}, {"kept", !dropped}, {"why", rule.why}});
  }
  document["capabilities"] = std::move(capabilities);
  json rules = json::array();
  for (const SeccompRule& rule : seccomp_rules()) {
    rules.push_back({{"syscall", std::string(rule.name())},
                     {"errno", rule.error == 0 ? "0" : strerrorname_np(rule.error)},
                     {"when", rule.when},
                     {"why", rule.why}});
  }
  document["seccomp"] = std::move(rules);
  json gaps = json::array();
  for (const verdict::Gap& gap : plan.gaps) {
    gaps.push_back({{"what", to_utf8_lossy(gap.what)},
                    {"why", to_utf8_lossy(gap.why)},
                    {"cap", verdict::to_string(gap.cap)}});
  }
  document["fidelity"] = {{"gaps", std::move(gaps)}};
  return document.dump(2) + '\n';
}

}  // namespace rehearse::sandbox
