// Methods that only look.
#include <fmt/core.h>
#include <algorithm>

#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {
namespace {

constexpr std::string_view kUnitListing = "(ssssssouso)";

BusError bad_name(const std::string& name) {
  const bool lacks_instance = is_unit_name(name) && is_template(name);
  return {std::string(bus_error::kInvalidArgs),
          lacks_instance ? fmt::format("Unit name {} is missing the instance name.", name)
                         : fmt::format("Unit name {} is not valid.", name)};
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

}  // namespace rehearse::units
