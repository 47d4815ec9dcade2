// Which method a call is for.
#include <fmt/core.h>
#include <array>

#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

BusError bad_arguments(const Message& call, std::string_view expected) {
  return {std::string(bus_error::kInvalidArgs),
          fmt::format("Invalid arguments '{}' to call {}.{}(), expecting '{}'.", call.signature,
                      call.interface, call.member, expected)};
}

/// The unit that a call of a method that is not known here seems to be about.
std::string named_unit(const Message& call) {
  if (!call.signature.starts_with('s')) return {};
  const std::string name(call.reader().string());
  return is_unit_name(name) ? name : std::string();
}

}  // namespace

struct Manager::Method {
  std::string_view name;
  std::string_view signature;
  void (Manager::*call)(Connection&, const Message&);
};

void Manager::refuse_method(Connection& connection, const Message& call, const std::string& unit) {
  UnitRequest request;
  request.unit = unit;
  request.request = call.member;
  refuse_request(connection, call, std::move(request), unknown_method(call));
}

void Manager::manager_call(Connection& connection, const Message& call) {
  static constexpr std::array<std::pair<std::string_view, JobKind>, 8> kJobs = {{
      {"StartUnit", {"start", JobType::kStart}},
      {"StartUnitWithFlags", {"start", JobType::kStart}},
      {"StopUnit", {"stop", JobType::kStop}},
      {"ReloadUnit", {"reload", JobType::kReload}},
      {"RestartUnit", {"restart", JobType::kRestart}},
      {"TryRestartUnit", {"try-restart", JobType::kTryRestart}},
      {"ReloadOrRestartUnit", {"reload-or-restart", JobType::kRestart, true}},
      {"ReloadOrTryRestartUnit", {"reload-or-try-restart", JobType::kTryRestart, true}},
  }};
  static constexpr std::array<Method, 45> kMethods = {{
      {"GetUnit", "s", &Manager::get_unit},
      {"LoadUnit", "s", &Manager::load_unit},
      {"GetUnitByPID", "u", &Manager::unit_by_pid},
      {"ListUnits", "", &Manager::list_units},
      {"ListUnitsFiltered", "as", &Manager::list_units},
      {"ListUnitsByPatterns", "asas", &Manager::list_units},
      {"ListUnitsByNames", "as", &Manager::list_units_by_names},
      {"GetUnitProcesses", "s", &Manager::unit_processes},
      {"EnqueueUnitJob", "sss", &Manager::enqueue_job},
      {"StartTransientUnit", "ssa(sv)a(sa(sv))", &Manager::start_transient},
      {"ResetFailed", "", &Manager::reset_all_failed},
      {"Reload", "", &Manager::daemon_reload},
      {"Reexecute", "", &Manager::daemon_reexec},
      {"Exit", "", &Manager::end_system},
      {"Reboot", "", &Manager::end_system},
      {"SoftReboot", "s", &Manager::end_system},
      {"PowerOff", "", &Manager::end_system},
      {"Halt", "", &Manager::end_system},
      {"KExec", "", &Manager::end_system},
      {"ListJobs", "", &Manager::list_nothing},
      {"EnqueueMarkedJobs", "", &Manager::enqueue_marked},
      {"GetJob", "u", &Manager::no_such_job},
      {"GetJobAfter", "u", &Manager::no_such_job},
      {"GetJobBefore", "u", &Manager::no_such_job},
      {"CancelJob", "u", &Manager::no_such_job},
      {"ClearJobs", "", &Manager::note_and_done},
      {"Subscribe", "", &Manager::done},
      {"Unsubscribe", "", &Manager::done},
      {"RefUnit", "s", &Manager::done},
      {"UnrefUnit", "s", &Manager::done},
      {"FreezeUnit", "s", &Manager::note_and_done},
      {"ThawUnit", "s", &Manager::note_and_done},
      {"CleanUnit", "sas", &Manager::note_and_done},
      {"AbandonScope", "s", &Manager::note_and_done},
      {"SetEnvironment", "as", &Manager::change_environment},
      {"UnsetEnvironment", "as", &Manager::change_environment},
      {"UnsetAndSetEnvironment", "asas", &Manager::change_environment},
      {"SetShowStatus", "s", &Manager::note_and_done},
      {"SetExitCode", "y", &Manager::note_and_done},
      {"GetUnitFileState", "s", &Manager::file_state},
      {"GetUnitFileLinks", "sb", &Manager::file_links},
      {"ListUnitFiles", "", &Manager::list_files},
      {"ListUnitFilesByPatterns", "asas", &Manager::list_files},
      {"GetDefaultTarget", "", &Manager::default_target},
      {"GetUnitByControlGroup", "s", &Manager::unit_by_pid},
  }};
  if (!call.interface.empty() && call.interface != kManagerInterface)
    return refuse_method(connection, call, "");
  for (const auto& [name, kind] : kJobs) {
    if (call.member != name) continue;
    const std::string_view expected = name == "StartUnitWithFlags" ? "sst" : "ss";
    if (call.signature != expected) return error(connection, call, bad_arguments(call, expected));
    DbusReader reader = call.reader();
    const std::string unit(reader.string());
    return queue_job(connection, call, unit, kind, std::string(reader.string()));
  }
  for (const Method& method : kMethods) {
    if (call.member != method.name) continue;
    if (call.signature != method.signature)
      return error(connection, call, bad_arguments(call, method.signature));
    return (this->*method.call)(connection, call);
  }
  if (const std::string_view expected = file_edit_signature(call.member); !expected.empty()) {
    if (call.signature != expected) return error(connection, call, bad_arguments(call, expected));
    return edit_files(connection, call);
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kNamed = {{
      {"KillUnit", "ssi"},
      {"ResetFailedUnit", "s"},
      {"SetUnitProperties", "sba(sv)"},
  }};
  for (const auto& [name, signature] : kNamed) {
    if (call.member != name) continue;
    if (call.signature != signature) return error(connection, call, bad_arguments(call, signature));
    DbusReader reader = call.reader();
    const std::string unit(reader.string());
    if (name == "KillUnit") return kill(connection, call, unit, reader);
    if (name == "ResetFailedUnit") return reset_failed(connection, call, unit);
    return set_properties(connection, call, unit, reader);
  }
  refuse_method(connection, call, named_unit(call));
}

void Manager::unit_call(Connection& connection, const Message& call, const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, JobKind>, 7> kJobs = {{
      {"Start", {"start", JobType::kStart}},
      {"Stop", {"stop", JobType::kStop}},
      {"Reload", {"reload", JobType::kReload}},
      {"Restart", {"restart", JobType::kRestart}},
      {"TryRestart", {"try-restart", JobType::kTryRestart}},
      {"ReloadOrRestart", {"reload-or-restart", JobType::kRestart, true}},
      {"ReloadOrTryRestart", {"reload-or-try-restart", JobType::kTryRestart, true}},
  }};
  if (!call.interface.empty() && call.interface != kUnitInterface)
    return refuse_method(connection, call, name);
  DbusReader reader = call.reader();
  for (const auto& [member, kind] : kJobs) {
    if (call.member != member) continue;
    if (call.signature != "s") return error(connection, call, bad_arguments(call, "s"));
    return queue_job(connection, call, name, kind, std::string(reader.string()));
  }
  if (call.member == "Kill" && call.signature == "si") return kill(connection, call, name, reader);
  if (call.member == "ResetFailed" && call.signature.empty()) return reset_failed(connection, call, name);
  if (call.member == "SetProperties" && call.signature == "ba(sv)")
    return set_properties(connection, call, name, reader);
  if ((call.member == "Ref" || call.member == "Unref") && call.signature.empty())
    return done(connection, call);
  refuse_method(connection, call, name);
}

}  // namespace rehearse::units
