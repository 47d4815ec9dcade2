// Properties of the manager and of its units.
#include <fmt/core.h>
#include <algorithm>
#include <array>

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
  std::vector<Property> properties = changed_;
  properties.push_back(text_property("SystemState", system_state()));
  properties.push_back(uint32_property("NFailedUnits", table_.failed_units()));
  properties.push_back(uint32_property("NNames", static_cast<std::uint32_t>(table_.units().size())));
  properties.push_back(uint32_property("NJobs", 0));
  return properties;
}

/// Of the manager: the few that can be set. Of a unit: none.
void Manager::set_property(Connection& connection, const Message& call, const std::string& unit,
                           const std::string& name, DbusReader& value) {
  static constexpr std::array<std::string_view, 6> kWritable = {"LogLevel",           "LogTarget",
                                                                "ServiceWatchdogs",   "RuntimeWatchdogUSec",
                                                                "RebootWatchdogUSec", "KExecWatchdogUSec"};
  UnitRequest request;
  request.unit = unit;
  request.request = "set-property";
  request.mode = name;
  if (!unit.empty() || std::find(kWritable.begin(), kWritable.end(), name) == kWritable.end()) {
    return refuse_request(
        connection, call, std::move(request),
        {std::string(bus_error::kPropertyReadOnly), fmt::format("Property '{}' is not writable.", name)});
  }
  Property property = read_variant(name, value);
  const std::string_view type = name.ends_with("USec") ? "t" : name == "ServiceWatchdogs" ? "b" : "s";
  if (property.signature != type) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kInvalidArgs),
                           fmt::format("Incorrect parameters for property '{}', expected '{}', got '{}'.",
                                       name, type, property.signature)});
  }
  std::erase_if(changed_, [&](const Property& old) { return old.name == name; });
  changed_.push_back(std::move(property));
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::change_environment(Connection& connection, const Message& call) {
  constexpr std::size_t kMostVariables = 1024;
  constexpr std::size_t kMostBytes = 64U << 10U;
  UnitRequest request;
  request.request = call.member;
  DbusReader reader = call.reader();
  const bool unsets = call.member.starts_with("Unset");
  const std::vector<std::string> gone = unsets ? reader.strings() : std::vector<std::string>();
  const std::vector<std::string> set =
      reader.next_type().empty() ? std::vector<std::string>() : reader.strings();
  const std::vector<Property> own = manager_properties();
  const auto mine =
      std::find_if(own.begin(), own.end(), [](const Property& p) { return p.name == "Environment"; });
  std::vector<std::string> all =
      as_names(mine != own.end() ? *mine : find_property(host_.properties, "Environment"));
  const auto name_of = [](const std::string& text) {
    return std::string_view(text).substr(0, text.find('='));
  };
  // A name takes any value of it away, an assignment just that one.
  for (const std::string& one : gone) {
    std::erase_if(all, [&](const std::string& old) { return old == one || name_of(old) == one; });
  }
  std::size_t bytes = 0;
  for (const std::string& one : set) {
    if (one.find('=') == std::string::npos || one.front() == '=') {
      return refuse_request(connection, call, std::move(request),
                            {std::string(bus_error::kInvalidArgs), "Invalid environment assignments"});
    }
    std::erase_if(all, [&](const std::string& old) { return name_of(old) == name_of(one); });
    all.push_back(one);
    request.mode += (request.mode.empty() ? "" : " ") + std::string(name_of(one));
    if (all.size() > kMostVariables) break;
  }
  for (const std::string& one : all) bytes += one.size();
  if (all.size() > kMostVariables || bytes > kMostBytes) {
    return refuse_request(connection, call, std::move(request),
                          {std::string(bus_error::kLimitsExceeded), "Too many environment variables."});
  }
  std::erase_if(changed_, [](const Property& old) { return old.name == "Environment"; });
  changed_.push_back(names_property("Environment", all));
  record(&connection, std::move(request));
  reply(connection, call, "", "");
}

void Manager::property_call(Connection& connection, const Message& call, const std::string& name) {
  const bool one = call.member == "Get" && call.signature == "ss";
  const bool all = call.member == "GetAll" && call.signature == "s";
  const bool set = call.member == "Set" && call.signature == "ssv";
  if (!one && !all && !set) return error(connection, call, unknown_method(call));
  DbusReader reader = call.reader();
  const std::string interface(reader.string());
  const std::string property(one || set ? reader.string() : std::string_view());
  if (set) return set_property(connection, call, name, property, reader);
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
