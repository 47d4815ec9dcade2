// Properties of the manager and of its units.
#include <fmt/core.h>
#include <algorithm>

#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {

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

}  // namespace rehearse::units
