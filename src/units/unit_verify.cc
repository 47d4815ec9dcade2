// Which unit files systemd refuses to load.
//
// Source: service_verify(), socket_verify() and the like, config_parse_exec() of systemd 252.
#include <algorithm>

#include "units/unit_file.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

std::size_t count(const UnitFile& unit, std::string_view section, std::string_view key) {
  std::size_t n = 0;
  for (const Setting& setting : unit.settings) {
    if (setting.section != section || setting.key != key) continue;
    n = setting.value.empty() ? 0 : n + 1;
  }
  return n;
}

std::string last(const UnitFile& unit, std::string_view section, std::string_view key) {
  std::string value;
  for (const Setting& setting : unit.settings) {
    if (setting.section == section && setting.key == key) value = setting.value;
  }
  return value;
}

/// Some setting of the section that begins so and is not emptied again.
bool any(const UnitFile& unit, std::string_view section, std::string_view prefix) {
  return std::any_of(unit.settings.begin(), unit.settings.end(), [&](const Setting& setting) {
    return setting.section == section && setting.key.starts_with(prefix) &&
           count(unit, section, setting.key) > 0;
  });
}

/// A program that is neither a path nor a name ("bin/x") ends the loading, unless its failure is ignored.
bool has_bad_command(const UnitFile& unit, std::string_view section) {
  return std::any_of(unit.settings.begin(), unit.settings.end(), [&](const Setting& setting) {
    if (setting.section != section || !setting.key.starts_with("Exec")) return false;
    if (setting.key != "ExecStart" && setting.key != "ExecStop" && setting.key != "ExecReload" &&
        !setting.key.starts_with("ExecStartP") && !setting.key.starts_with("ExecStopP") &&
        setting.key != "ExecCondition")
      return false;
    std::string_view value = setting.value;
    const std::size_t begin = std::min(value.find_first_not_of("-@:+!"), value.size());
    if (value.substr(0, begin).find('-') != std::string_view::npos) return false;
    value.remove_prefix(begin);
    const std::string_view path = value.substr(0, value.find_first_of(" \t"));
    if (path.empty() || path.find_first_of("\"'\\%") != std::string_view::npos) return false;
    return path.front() != '/' && path.find('/') != std::string_view::npos;
  });
}

bool is_bad_service(const UnitFile& unit) {
  const std::size_t starts = count(unit, "Service", "ExecStart");
  const std::string action = last(unit, "Unit", "SuccessAction");
  const bool acts = !action.empty() && action != "none";
  const std::string_view type = service_type(unit);
  const std::string restart = last(unit, "Service", "Restart");
  if (starts == 0) {
    if (count(unit, "Service", "ExecStop") == 0 && !acts) return true;
    if (type != "oneshot" || (!unit.remain_after_exit && !acts)) return true;
  }
  if (type != "oneshot") return starts > 1 || (type == "dbus" && last(unit, "Service", "BusName").empty());
  return restart == "always" || restart == "on-success";
}

}  // namespace

bool has_bad_setting(const UnitFile& unit) {
  if (unit.masked || unit.settings_cut) return false;
  const std::string_view type = unit_type(unit.id);
  if (type == "service") return has_bad_command(unit, "Service") || is_bad_service(unit);
  if (type == "socket") return has_bad_command(unit, "Socket") || !any(unit, "Socket", "Listen");
  if (type == "timer") return !any(unit, "Timer", "On");
  if (type == "path") return !any(unit, "Path", "Path") && !any(unit, "Path", "DirectoryNotEmpty");
  return false;
}

}  // namespace rehearse::units
