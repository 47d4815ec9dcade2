// The methods of org.freedesktop.systemd1.Manager and of its units.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/escape.h"
#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {

/// What a request for a job means.
struct Manager::JobKind {
  std::string_view request;  ///< as in the record
  JobType type;
  bool reload_if_possible = false;
  bool verbose = false;  ///< EnqueueUnitJob's reply
};

struct Manager::Method {
  std::string_view name;
  std::string_view signature;
  void (Manager::*call)(Connection&, const Message&);
};

namespace {

constexpr std::string_view kUnitListing = "(ssssssouso)";
constexpr std::size_t kMaxSetBytes = 32U << 10U;

BusError bad_arguments(const Message& call, std::string_view expected) {
  return {std::string(bus_error::kInvalidArgs),
          fmt::format("Invalid arguments '{}' to call {}.{}(), expecting '{}'.", call.signature,
                      call.interface, call.member, expected)};
}

BusError bad_name(const std::string& name) {
  const bool lacks_instance = is_unit_name(name) && is_template(name);
  return {std::string(bus_error::kInvalidArgs),
          lacks_instance ? fmt::format("Unit name {} is missing the instance name.", name)
                         : fmt::format("Unit name {} is not valid.", name)};
}

std::string job_path(std::uint32_t id) {
  return fmt::format("{}/job/{}", kManagerPath, id);
}

/// Everything of an "a(sv)".
std::vector<Property> read_properties(DbusReader& reader) {
  std::vector<Property> properties;
  reader.enter_array("(sv)");
  while (reader.more()) {
    reader.enter_struct();
    std::string name(reader.string());
    properties.push_back(read_variant(std::move(name), reader));
    reader.leave();
  }
  return properties;
}

/// The first command of an ExecStart, as a person would type it.
std::string command_of(const std::vector<Property>& properties) {
  for (const Property& property : properties) {
    if (property.signature != "a(sasb)" && property.signature != "a(sasas)") continue;
    if (!property.name.starts_with("ExecStart") || property.name.starts_with("ExecStartP")) continue;
    DbusReader reader(property.value, property.signature);
    reader.enter_array(std::string_view(property.signature).substr(1));
    if (!reader.more()) continue;
    reader.enter_struct();
    reader.string();
    std::string line;
    for (const std::string& word : reader.strings()) {
      if (line.size() > kMaxRecordText) break;
      line += (line.empty() ? "" : " ") + shell_quote(word);
    }
    return line;
  }
  return {};
}

/// Takes `changed` into `set`, unless that grows too large.
bool merge(std::vector<Property>& set, std::vector<Property> changed) {
  for (Property& property : changed) {
    const auto old =
        std::find_if(set.begin(), set.end(), [&](const Property& p) { return p.name == property.name; });
    old == set.end() ? set.push_back(std::move(property)) : void(*old = std::move(property));
  }
  std::size_t bytes = 0;
  for (const Property& property : set) bytes += property.name.size() + property.value.size();
  return set.size() <= kMaxSetProperties && bytes <= kMaxSetBytes;
}

std::string names_of(const std::vector<Property>& properties) {
  std::string names;
  for (const Property& property : properties) {
    if (names.size() > kMaxRecordText) break;
    names += (names.empty() ? "" : " ") + property.name;
  }
  return names;
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : std::to_string(number);
}

}  // namespace

BusResult<Unit*> Manager::loaded(const std::string& name) {
  if (name.empty()) return refuse(bus_error::kNoSuchUnit, "Client not member of any unit.");
  Unit* unit = is_unit_name(name) ? table_.loaded(name) : nullptr;
  if (unit == nullptr) return refuse(bus_error::kNoSuchUnit, fmt::format("Unit {} not loaded.", name));
  return unit;
}

BusResult<Unit*> Manager::load(const std::string& name) {
  if (name.empty()) return loaded(name);
  if (!is_unit_name(name) || is_template(name)) return tl::make_unexpected(bad_name(name));
  Unit* unit = table_.load(name);
  if (unit == nullptr) return refuse(bus_error::kLimitsExceeded, "Too many units.");
  return unit;
}

void Manager::write_unit(DbusWriter& out, const Unit& unit) const {
  out.open_struct();
  for (const std::string* field : {&unit.id, &unit.description, &unit.load_state, &unit.active_state,
                                   &unit.sub_state, &unit.following}) {
    out.string(*field);
  }
  out.object_path(unit_path(unit.id)).uint32(0).string("").object_path("/");  // no job
}

// ---- dispatch

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
      {"EnqueueMarkedJobs", "", &Manager::list_nothing},
      {"GetJob", "u", &Manager::no_such_job},
      {"GetJobAfter", "u", &Manager::no_such_job},
      {"GetJobBefore", "u", &Manager::no_such_job},
      {"CancelJob", "u", &Manager::no_such_job},
      {"ClearJobs", "", &Manager::done},
      {"Subscribe", "", &Manager::done},
      {"Unsubscribe", "", &Manager::done},
      {"RefUnit", "s", &Manager::done},
      {"UnrefUnit", "s", &Manager::done},
      {"FreezeUnit", "s", &Manager::note_and_done},
      {"ThawUnit", "s", &Manager::note_and_done},
      {"CleanUnit", "sas", &Manager::note_and_done},
      {"AbandonScope", "s", &Manager::note_and_done},
      {"SetEnvironment", "as", &Manager::note_and_done},
      {"UnsetEnvironment", "as", &Manager::note_and_done},
      {"UnsetAndSetEnvironment", "asas", &Manager::note_and_done},
      {"SetShowStatus", "s", &Manager::note_and_done},
      {"SetExitCode", "y", &Manager::note_and_done},
      {"GetUnitFileState", "s", &Manager::file_state},
      {"GetUnitFileLinks", "sb", &Manager::file_links},
      {"ListUnitFiles", "", &Manager::list_files},
      {"ListUnitFilesByPatterns", "asas", &Manager::list_files},
      {"GetDefaultTarget", "", &Manager::default_target},
      {"GetUnitByControlGroup", "s", &Manager::unit_by_pid},
  }};
  if (!call.interface.empty() && call.interface != kManagerInterface) {
    return error(connection, call, unknown_method(call));
  }
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
  error(connection, call, unknown_method(call));
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
    return error(connection, call, unknown_method(call));
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
  error(connection, call, unknown_method(call));
}

// ---- properties

std::string Manager::system_state() const {
  if (ending_) return "stopping";
  if (host_.system_state != "running" && host_.system_state != "degraded") return host_.system_state;
  return table_.failed_units() > 0 ? "degraded" : "running";
}

std::vector<Property> Manager::manager_properties() const {
  return {text_property("SystemState", system_state()),
          uint32_property("NFailedUnits", table_.failed_units()),
          uint32_property("NNames", static_cast<std::uint32_t>(table_.units().size())),
          uint32_property("NJobs", 0)};
}

void Manager::property_call(Connection& connection, const Message& call, const std::string& name) {
  const bool one = call.member == "Get" && call.signature == "ss";
  const bool all = call.member == "GetAll" && call.signature == "s";
  const bool set = call.member == "Set" && call.signature == "ssv";
  if (!one && !all && !set) return error(connection, call, unknown_method(call));
  DbusReader reader = call.reader();
  const std::string interface(reader.string());
  const std::string property(one || set ? reader.string() : std::string_view());
  if (set) {  // LogLevel and the like
    UnitRequest request;
    request.unit = name;
    request.request = "set-property";
    request.mode = property;
    record(&connection, std::move(request));
    return reply(connection, call, "", "");
  }
  DbusWriter out;
  if (name.empty()) {
    const std::vector<Property> own = manager_properties();
    if (all) {
      write_properties(out, host_.properties, own);
      return reply(connection, call, "a{sv}", out.take());
    }
    const auto mine =
        std::find_if(own.begin(), own.end(), [&](const Property& p) { return p.name == property; });
    const Property value = mine != own.end() ? *mine : find_property(host_.properties, property);
    if (value.signature.empty()) {
      return error(connection, call,
                   {std::string(bus_error::kUnknownProperty),
                    fmt::format("Unknown interface {} or property {}.", interface, property)});
    }
    write_variant(out, value);
    return reply(connection, call, "v", out.take());
  }
  auto unit = load(name);
  if (!unit) return error(connection, call, unit.error());
  if (!interface.empty() && interface != kUnitInterface && interface != type_interface((*unit)->id)) {
    return error(
        connection, call,
        {std::string(bus_error::kUnknownInterface), fmt::format("Unknown interface {}.", interface)});
  }
  note_query(connection, (*unit)->id);
  if ((all || property == "UnitFileState") && table_.lacks_file_state(**unit)) {
    return ask_file_state(connection, call, (*unit)->id);
  }
  if (all) {
    table_.write_all(**unit, interface, out);
    return reply(connection, call, "a{sv}", out.take());
  }
  const Property value = table_.property(**unit, interface, property);
  if (value.signature.empty()) {
    return error(connection, call,
                 {std::string(bus_error::kUnknownProperty),
                  fmt::format("Unknown interface {} or property {}.", interface, property)});
  }
  write_variant(out, value);
  reply(connection, call, "v", out.take());
}

void Manager::ask_file_state(Connection& connection, const Message& call, const std::string& unit) {
  const std::string origin = template_of(unit);
  const std::string& file = origin.empty() ? unit : origin;
  const auto finish = [this, call, unit](Connection* client, const std::string& state,
                                         const std::string& preset) {
    if (client == nullptr) return;
    if (Unit* found = table_.load(unit); found != nullptr) {
      found->file_state = state;
      found->file_preset = preset;
    }
    property_call(*client, call, unit);
  };
  // The list has no instances; it alone has the presets.
  ask(connection, call, {"list-unit-files", "--full", "--no-legend", "--no-pager", "--", file},
      [this, call, unit, origin, finish](Connection* client, const EditAnswer& said) {
        const auto files = listed_files(said);
        const ListedFile listed = files.empty() ? ListedFile() : files.front();
        if (client == nullptr || origin.empty()) return finish(client, listed.state, listed.preset);
        ask(*client, call, {"is-enabled", "--", unit},
            [finish, listed](Connection* again, const EditAnswer& answer) {
              finish(again, enabled_state(answer).value_or(""), listed.preset);
            });
      });
}

// ---- questions

void Manager::get_unit(Connection& connection, const Message& call) {
  const auto unit = loaded(std::string(call.reader().string()));
  if (!unit) return error(connection, call, unit.error());
  reply(connection, call, "o", DbusWriter().object_path(unit_path((*unit)->id)).take());
}

void Manager::load_unit(Connection& connection, const Message& call) {
  const auto unit = load(std::string(call.reader().string()));
  if (!unit) return error(connection, call, unit.error());
  reply(connection, call, "o", DbusWriter().object_path(unit_path((*unit)->id)).take());
}

void Manager::unit_by_pid(Connection& connection, const Message& call) {
  // No process inside belongs to a unit of the host.
  if (call.signature == "s") {
    return error(connection, call,
                 {std::string(bus_error::kNoSuchUnit),
                  fmt::format("Control group '{}' is not valid or not managed by this instance",
                              call.reader().string())});
  }
  error(connection, call,
        {std::string(bus_error::kNoUnitForPid),
         fmt::format("PID {} does not belong to any loaded unit.", call.reader().uint32())});
}

void Manager::list_units(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::vector<std::string> states =
      reader.next_type().empty() ? std::vector<std::string>() : reader.strings();
  const std::vector<std::string> patterns =
      reader.next_type().empty() ? std::vector<std::string>() : reader.strings();
  const auto wanted = [&](const Unit& unit) {
    const auto in_states = [&](const std::string& s) {
      return std::find(states.begin(), states.end(), s) != states.end();
    };
    if (!states.empty() && !in_states(unit.load_state) && !in_states(unit.active_state) &&
        !in_states(unit.sub_state)) {
      return false;
    }
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                           [&](const std::string& p) { return matches_pattern(p, unit.id); });
  };
  note_query(connection, patterns.size() == 1 ? patterns.front() : "*");
  DbusWriter out;
  const DbusWriter::Array array = out.open_array('(');
  for (const auto& [id, unit] : table_.units()) {
    if (wanted(unit)) write_unit(out, unit);
  }
  out.close_array(array);
  reply(connection, call, fmt::format("a{}", kUnitListing), out.take());
}

void Manager::list_units_by_names(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  DbusWriter out;
  const DbusWriter::Array array = out.open_array('(');
  for (const std::string& name : reader.strings()) {
    if (!is_unit_name(name) || is_template(name)) continue;
    const auto unit = load(name);
    if (!unit) return error(connection, call, unit.error());
    note_query(connection, (*unit)->id);
    write_unit(out, **unit);
  }
  out.close_array(array);
  reply(connection, call, fmt::format("a{}", kUnitListing), out.take());
}

void Manager::unit_processes(Connection& connection, const Message& call) {
  const auto unit = loaded(std::string(call.reader().string()));
  if (!unit) return error(connection, call, unit.error());
  DbusWriter out;
  table_.write_processes(**unit, out);
  reply(connection, call, "a(sus)", out.take());
}

void Manager::list_nothing(Connection& connection, const Message& call) {
  const bool jobs = call.member == "ListJobs";
  DbusWriter out;
  const DbusWriter::Array array = out.open_array(jobs ? '(' : 'o');
  out.close_array(array);
  reply(connection, call, jobs ? "a(usssoo)" : "ao", out.take());
}

void Manager::no_such_job(Connection& connection, const Message& call) {
  // Every job has ended before its client could ask.
  error(connection, call,
        {std::string(bus_error::kNoSuchJob), fmt::format("Job {} does not exist.", call.reader().uint32())});
}

void Manager::done(Connection& connection, const Message& call) {
  reply(connection, call, "", "");
}

// ---- requests

void Manager::queue_job(Connection& connection, const Message& call, const std::string& name,
                        const JobKind& kind, const std::string& mode) {
  UnitRequest request;
  request.unit = name;
  request.request = kind.request;
  request.mode = mode;
  auto unit = load(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  if (!is_job_mode(mode)) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kInvalidArgs), fmt::format("Job mode {} invalid", mode)});
  }
  JobType type = kind.type;
  if (kind.reload_if_possible && table_.can_reload(**unit)) {
    if (type == JobType::kRestart) type = JobType::kReloadOrStart;
    if (type == JobType::kTryRestart) type = JobType::kTryReload;
  }
  mention(connection, (*unit)->id);
  auto jobs = plan_jobs(table_, **unit, type, mode);
  if (!jobs) return refuse_request(connection, call, std::move(request), jobs.error());
  ending_ = ending_ || (ends_the_system((*unit)->id) && jobs->front().type == JobType::kStart);
  apply_jobs(table_, *jobs);

  const std::uint32_t first = last_job_ + 1;
  last_job_ += static_cast<std::uint32_t>(jobs->size());
  const auto each_job = [&](const auto& use) {
    std::uint32_t id = first;
    for (const Job& job : *jobs) use(id++, job);
  };
  each_job([&](std::uint32_t id, const Job& job) {
    signal(connection, "JobNew", "uos",
           DbusWriter().uint32(id).object_path(job_path(id)).string(job.unit).take());
  });
  DbusWriter out;
  if (kind.verbose) {
    const auto describe = [&](std::uint32_t id, const Job& job) {
      out.uint32(id).object_path(job_path(id)).string(job.unit).object_path(unit_path(job.unit));
      out.string(to_string(job.type));
    };
    describe(first, jobs->front());
    const DbusWriter::Array others = out.open_array('(');
    each_job([&](std::uint32_t id, const Job& job) {
      if (id == first) return;
      out.open_struct();
      describe(id, job);
    });
    out.close_array(others);
    reply(connection, call, "uososa(uosos)", out.take());
  } else {
    reply(connection, call, "o", out.object_path(job_path(first)).take());
  }
  each_job([&](std::uint32_t id, const Job& job) {
    signal(connection, "JobRemoved", "uoss",
           DbusWriter().uint32(id).object_path(job_path(id)).string(job.unit).string(job.result).take());
    if (id != first) request.also.push_back(fmt::format("{} {}", to_string(job.type), job.unit));
  });
  record(&connection, std::move(request));
}

void Manager::enqueue_job(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  const std::string type(reader.string());
  const std::string mode(reader.string());
  JobKind kind{type, JobType::kNop, false, true};
  const auto plain = parse_job_type(type);
  if (type == "reload-or-restart" || type == "reload-or-try-restart") {
    kind.type = type == "reload-or-restart" ? JobType::kRestart : JobType::kTryRestart;
    kind.reload_if_possible = true;
  } else if (plain) {
    kind.type = *plain;
  } else {
    return error(connection, call,
                 {std::string(bus_error::kInvalidArgs), fmt::format("Job type {} invalid", type)});
  }
  queue_job(connection, call, name, kind, mode);
}

void Manager::start_transient(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  const std::string mode(reader.string());
  struct Wanted {
    std::string name;
    std::vector<Property> properties;
  };
  std::vector<Wanted> all = {{name, read_properties(reader)}};
  reader.enter_array("(sa(sv))");
  while (reader.more()) {
    reader.enter_struct();
    std::string auxiliary(reader.string());
    all.push_back({std::move(auxiliary), read_properties(reader)});
    reader.leave();
  }
  UnitRequest request;
  request.unit = name;
  request.request = "start-transient";
  request.mode = mode;
  for (const Wanted& wanted : all) {
    if (request.detail.empty()) request.detail = command_of(wanted.properties);
  }
  for (Wanted& wanted : all) {
    auto unit = table_.make_transient(wanted.name);
    if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
    if (!merge((*unit)->set, std::move(wanted.properties))) {
      return refuse_request(connection, call, std::move(request),
                            {std::string(bus_error::kLimitsExceeded), "Too many properties."});
    }
    const std::string description = table_.text(**unit, "Description");
    if (!description.empty()) (*unit)->description = description;
  }
  const std::string detail = request.detail;
  const std::size_t recorded = requests_.size();
  queue_job(connection, call, name, {"start-transient", JobType::kStart}, mode);
  if (requests_.size() > recorded && requests_.back().answered == Answered::kMocked)
    requests_.back().detail = detail;
  if (unit_type(name) == "scope") connection.scope = name;
}

void Manager::kill(Connection& connection, const Message& call, const std::string& name,
                   DbusReader& arguments) {
  const std::string who(arguments.string());
  const int number = arguments.int32();
  UnitRequest request;
  request.unit = name;
  request.request = "kill";
  request.mode = fmt::format("{} {}", signal_name(number), who);
  const auto refused = [&](const BusError& why) { refuse_request(connection, call, request, why); };
  const auto unit = loaded(name);
  if (!unit) return refused(unit.error());
  static constexpr std::array<std::string_view, 6> kWho = {"main",      "control",      "all",
                                                           "main-fail", "control-fail", "all-fail"};
  if (!who.empty() && std::find(kWho.begin(), kWho.end(), who) == kWho.end()) {
    return refused({std::string(bus_error::kInvalidArgs), fmt::format("Invalid who argument {}", who)});
  }
  if (number <= 0 || number >= SIGRTMAX + 1) {
    return refused({std::string(bus_error::kInvalidArgs), "Signal number out of range."});
  }
  const std::string_view type = unit_type(name);
  const bool has_main = type == "service";
  if (who.starts_with("main") && !has_main) {
    return refused(
        {std::string(bus_error::kNoSuchProcess), fmt::format("{} units have no main processes", type)});
  }
  if (who.ends_with("-fail") && (*unit)->inactive()) {
    return refused({std::string(bus_error::kNoSuchProcess), "No matching processes to kill"});
  }
  mention(connection, (*unit)->id);
  // What a program makes of a signal cannot be known; those that end one by default do, unless it comes back.
  const std::string restart = table_.text(**unit, "Restart");
  const bool clean = number == SIGTERM || number == SIGINT;
  const bool deadly = clean || number == SIGKILL || number == SIGQUIT || number == SIGABRT;
  const bool comes_back =
      restart == "always" ||
      (clean ? restart == "on-success" : !restart.empty() && restart != "no" && restart != "on-success");
  if ((*unit)->active() && (type == "service" || type == "scope") && deadly && !comes_back &&
      !who.starts_with("control")) {
    table_.stop(**unit, clean ? "success" : "signal");
  }
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::reset_failed(Connection& connection, const Message& call, const std::string& name) {
  UnitRequest request;
  request.unit = name;
  request.request = "reset-failed";
  const auto unit = loaded(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  table_.reset_failed(**unit);
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::reset_all_failed(Connection& connection, const Message& call) {
  for (auto& [id, unit] : table_.units()) table_.reset_failed(unit);
  UnitRequest request;
  request.request = "reset-failed";
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::set_properties(Connection& connection, const Message& call, const std::string& name,
                             DbusReader& arguments) {
  arguments.boolean();  // for this boot only or not
  std::vector<Property> properties = read_properties(arguments);
  UnitRequest request;
  request.unit = name;
  request.request = "set-property";
  request.mode = names_of(properties);
  auto unit = load(name);
  if (!unit) return refuse_request(connection, call, std::move(request), unit.error());
  if (auto usable = UnitTable::check_loaded(**unit); !usable) {
    return refuse_request(connection, call, std::move(request), usable.error());
  }
  std::vector<Property> set = (*unit)->set;
  if (!merge(set, std::move(properties))) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kLimitsExceeded), "Too many properties."});
  }
  (*unit)->set = std::move(set);
  mention(connection, (*unit)->id);
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::note_and_done(Connection& connection, const Message& call) {
  UnitRequest request;
  request.request = call.member;
  DbusReader reader = call.reader();
  const bool named = call.signature.starts_with("s") && call.member != "SetShowStatus";
  if (named) request.unit = reader.string();
  if (named) {
    if (const auto unit = loaded(request.unit); !unit) {
      return refuse_request(connection, call, std::move(request), unit.error());
    }
  }
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::daemon_reload(Connection& connection, const Message& call) {
  table_.reload();
  UnitRequest request;
  request.request = "daemon-reload";
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::daemon_reexec(Connection& connection, const Message&) {
  table_.reload();
  UnitRequest request;
  request.request = "daemon-reexec";
  record(&connection, std::move(request));
  connection.closing = true;  // the manager that takes over does not know the client
}

void Manager::end_system(Connection& connection, const Message& call) {
  ending_ = true;
  UnitRequest request;
  request.request = call.member;
  std::transform(request.request.begin(), request.request.end(), request.request.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

// ---- unit files

void Manager::file_state(Connection& connection, const Message& call) {
  const std::string name(call.reader().string());
  note_query(connection, name);
  ask(connection, call, {"is-enabled", "--", name}, [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    const auto state = enabled_state(said);
    if (!state) return error(*client, call, state.error());
    reply(*client, call, "s", DbusWriter().string(*state).take());
  });
}

void Manager::file_links(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  std::vector<std::string> words = {"is-enabled", "--full"};
  if (reader.boolean()) words.emplace_back("--runtime");
  words.insert(words.end(), {"--", name});
  ask(connection, call, std::move(words), [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    reply(*client, call, "as", DbusWriter().strings(installed_links(said)).take());
  });
}

void Manager::list_files(Connection& connection, const Message& call) {
  note_query(connection, "*");
  ask(connection, call, {"list-unit-files", "--full", "--no-legend", "--no-pager"},
      [this, call](Connection* client, const EditAnswer& said) {
        if (client == nullptr) return;
        DbusReader reader = call.reader();
        const auto next = [&] {
          return reader.next_type().empty() ? std::vector<std::string>() : reader.strings();
        };
        const std::vector<std::string> states = next();
        const std::vector<std::string> patterns = next();
        DbusWriter out;
        const DbusWriter::Array array = out.open_array('(');
        for (const ListedFile& file : listed_files(said)) {
          if (!states.empty() && std::find(states.begin(), states.end(), file.state) == states.end())
            continue;
          const auto matches = [&](const std::string& pattern) {
            return matches_pattern(pattern, file.name);
          };
          if (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), matches)) continue;
          const auto found = finder_.find(file.name);
          out.open_struct()
              .string(found && found->id == file.name ? found->path : "/" + file.name)
              .string(file.state);
        }
        out.close_array(array);
        reply(*client, call, "a(ss)", out.take());
      });
}

void Manager::default_target(Connection& connection, const Message& call) {
  ask(connection, call, {"get-default"}, [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    const auto name = units::default_target(said);
    if (!name) return error(*client, call, name.error());
    reply(*client, call, "s", DbusWriter().string(*name).take());
  });
}

void Manager::edit_files(Connection& connection, const Message& call) {
  const auto edit = parse_file_edit(call);
  if (!edit) return error(connection, call, unknown_method(call));
  for (const std::string& file : edit->files) mention(connection, file);
  const Peer peer = connection.peer;
  ask(connection, call, edit->words, [this, call, edit, peer](Connection* client, const EditAnswer& said) {
    table_.forget_file_states();
    const auto answer = edit_reply(*edit, said);
    UnitRequest request;
    request.request = edit->request;
    request.process = peer.process;
    request.answered = answer ? Answered::kCarriedOut : Answered::kRefused;
    if (!answer) request.detail = answer.error().text;
    for (const std::string& file : edit->files) {
      request.unit = file;
      record(nullptr, request);
    }
    if (edit->files.empty()) record(nullptr, request);
    if (client == nullptr) return;
    if (!answer) return error(*client, call, answer.error());
    signal(*client, "UnitFilesChanged", "", "");
    reply(*client, call, answer->signature, answer->body);
  });
}

}  // namespace rehearse::units
