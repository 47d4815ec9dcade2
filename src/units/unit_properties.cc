// What is said of a unit's properties: the host's manager's words, or what the run has made of them.
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "units/type_properties.h"
#include "units/unit_name.h"
#include "units/unit_settings.h"
#include "units/unit_table.h"

namespace rehearse::units {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

std::uint64_t micros(std::int64_t ns) {
  return static_cast<std::uint64_t>(ns / 1000);
}

/// An array of structs again, each with the zeros behind it that the manager's answers have and requests do
/// not: commands that have not run, timers that have not elapsed.
Property with_zeros(const Property& set, std::string_view signature) {
  const std::string_view element = std::string_view(set.signature).substr(1);
  const std::string_view own = element.substr(1, element.size() - 2);
  DbusWriter out;
  const DbusWriter::Array array = out.open_array('(');
  DbusReader reader(set.value, set.signature);
  reader.enter_array(element);
  while (reader.more()) {
    reader.enter_struct();
    out.open_struct();
    if (own == "st") {
      // Set as "OnActiveSec", read as "OnActiveUSec".
      std::string base(reader.string());
      if (base.ends_with("Sec") && !base.ends_with("USec")) base.replace(base.size() - 3, 3, "USec");
      out.string(base);
    }
    while (!reader.next_type().empty()) reader.copy(out);
    reader.leave();
    for (const char type : signature.substr(2 + own.size(), signature.size() - own.size() - 3))
      type == 't' ? out.uint64(0) : out.uint32(0);
  }
  out.close_array(array);
  return {set.name, std::string(signature), out.take()};
}

/// What a client has set, as it is read: nothing if that is another type, or no property at all.
std::optional<Property> as_read(const Property& set, const KnownProperty* known) {
  if (known == nullptr) return std::nullopt;
  if (set.signature == known->signature) return set;
  for (const auto& [written, read] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"a(sasb)", "a(sasbttttuii)"},
                                                                            {"a(sasas)", "a(sasasttttuii)"},
                                                                            {"a(st)", "a(stt)"},
                                                                            {"a(ss)", "a(sst)"}}) {
    if (set.signature == written && known->signature == read) return with_zeros(set, read);
  }
  return std::nullopt;
}

/// When a timer elapses next, CLOCK_MONOTONIC in microseconds; `timers`: its TimersMonotonic. What depends
/// on the last run of its unit is not foreseen.
std::uint64_t next_elapse(const Property& timers, std::uint64_t started, std::uint64_t now) {
  std::uint64_t next = kNever;
  if (timers.signature != "a(stt)") return next;
  DbusReader reader(timers.value, timers.signature);
  reader.enter_array("(stt)");
  while (reader.more()) {
    reader.enter_struct();
    const std::string_view base = reader.string();
    const std::uint64_t after = reader.uint64();
    reader.skip();
    reader.leave();
    const bool from_boot = base == "OnBootUSec" || base == "OnStartupUSec";
    if (base != "OnActiveUSec" && !from_boot) continue;
    const std::uint64_t start = from_boot ? 0 : started;
    if (after < kNever - start && start + after > now) next = std::min(next, start + after);
  }
  return next;
}

/// enabled, disabled, ...
std::string file_state_of(const Unit& unit) {
  if (unit.transient) return "transient";
  if (unit.file && !unit.file->source_path.empty()) return "generated";
  return unit.file_state.value_or("");
}

const Property* find(const std::vector<Property>& properties, std::string_view name) {
  const auto found =
      std::find_if(properties.begin(), properties.end(), [&](const Property& p) { return p.name == name; });
  return found == properties.end() ? nullptr : &*found;
}

}  // namespace

void UnitTable::add_state(const Unit& unit, std::vector<Property>& out) const {
  const std::uint64_t none = 0;
  out.push_back(text_property("ActiveState", unit.active_state));
  out.push_back(text_property("SubState", unit.sub_state));
  const std::uint64_t began = micros(unit.active_since_ns);
  const std::uint64_t ended = micros(unit.inactive_since_ns);
  const std::uint64_t offset = micros(realtime_ns() - monotonic_ns());
  const auto stamp = [&](const std::string& name, std::uint64_t time) {
    out.push_back(uint64_property(name, time));
    out.push_back(uint64_property(name + "Monotonic", time > offset ? time - offset : none));
  };
  stamp("StateChangeTimestamp", std::max(began, ended));
  if (began != 0) {
    stamp("InactiveExitTimestamp", began);
    stamp("ActiveEnterTimestamp", began);
  }
  if (unit.active_since_ns != 0) {
    // Every start has one of its own.
    DbusWriter id;
    const DbusWriter::Array bytes = id.open_array('y');
    const std::string digits = fmt::format("{:016x}", static_cast<std::uint64_t>(unit.active_since_ns));
    for (const char c : digits) id.byte(static_cast<std::uint8_t>(c));
    id.close_array(bytes);
    out.push_back({"InvocationID", "ay", id.take()});
  }
  if (ended != 0) {
    stamp("ActiveExitTimestamp", ended);
    stamp("InactiveEnterTimestamp", ended);
  }
}

void UnitTable::add_facts(Unit& unit, std::vector<Property>& out) {
  const UnitFile none;
  const UnitFile& file = unit.file ? *unit.file : none;
  const bool loaded = unit.load_state == "loaded";
  out.push_back(text_property("Description", unit.description));
  out.push_back(text_property("LoadState", unit.load_state));
  out.push_back(
      text_property("FragmentPath", unit.transient ? "/run/systemd/transient/" + unit.id : file.path));
  const auto usable = check_loaded(unit);
  const BusError why = usable ? BusError() : usable.error();
  out.push_back({"LoadError", "(ss)", DbusWriter().string(why.name).string(why.text).take()});
  out.push_back(text_property("SourcePath", file.source_path));
  out.push_back(names_property("DropInPaths", file.drop_ins));
  out.push_back(names_property("Documentation", file.documentation));
  out.push_back(boolean_property("CanStart", loaded));
  out.push_back(boolean_property("CanStop", loaded));
  out.push_back(boolean_property("CanReload", loaded && can_reload(unit)));
  out.push_back(boolean_property("RefuseManualStart", file.refuse_manual_start));
  out.push_back(boolean_property("RefuseManualStop", file.refuse_manual_stop));
}

void UnitTable::add_service_state(const Unit& unit, std::vector<Property>& out) const {
  // Nothing has been started: there are no processes and nothing is used.
  out.push_back(text_property("Result", unit.result));
  for (const char* name : {"MainPID", "ControlPID", "ExecMainPID"}) out.push_back(uint32_property(name, 0));
  for (const char* name : {"ExecMainCode", "ExecMainStatus"}) {
    out.push_back({name, "i", DbusWriter().int32(0).take()});
  }
  for (const char* name : {"MemoryCurrent", "TasksCurrent", "CPUUsageNSec"}) {
    out.push_back(uint64_property(name, kNever));
  }
  out.push_back(text_property("StatusText", ""));
  if (unit.inactive()) out.push_back(text_property("ControlGroup", ""));
}

void UnitTable::add_timer_state(const Unit& unit, std::vector<Property>& out) const {
  out.push_back(text_property("Result", unit.result));
  const bool waits = unit.active() && unit.active_since_ns != 0;
  std::uint64_t next = kNever;
  if (const Property* timers = find(out, "TimersMonotonic"); waits && timers != nullptr) {
    const std::uint64_t offset = micros(realtime_ns() - monotonic_ns());
    const std::uint64_t began = micros(unit.active_since_ns);
    next = next_elapse(*timers, began - std::min(began, offset), micros(monotonic_ns()));
  }
  // What a calendar says is not worked out: such a timer has no time of its next run.
  out.push_back(uint64_property("NextElapseUSecRealtime", waits ? 0 : kNever));
  out.push_back(uint64_property("NextElapseUSecMonotonic", waits && next == kNever ? 0 : next));
}

/// After= and Before=, with what comes by default.
void UnitTable::add_ordering(const Unit& unit, std::vector<Property>& out) const {
  const std::string_view type = unit_type(unit.id);
  std::vector<std::string> after;
  std::vector<std::string> before;
  if (unit.file) {
    for (const Property& property : properties_of(*unit.file, kUnitInterface)) {
      if (property.name == "After") after = as_names(property);
      if (property.name == "Before") before = as_names(property);
    }
  }
  const auto add = [](std::vector<std::string>& names, std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  const bool service = type == "service";
  if (service || type == "socket" || type == "timer" || type == "path") {
    if (!unit.file || unit.file->default_dependencies) {
      add(after, "sysinit.target");
      if (service) add(after, "basic.target");
      add(before, "shutdown.target");
      if (type == "timer") add(before, "timers.target");
      if (type == "socket") add(before, "sockets.target");
      if (type == "path") add(before, "paths.target");
    }
    if (unit.file && !unit.file->slice.empty()) add(after, unit.file->slice);
    if (service) add(after, "systemd-journald.socket");
  }
  for (std::string& name : triggers(unit)) add(before, std::move(name));
  out.push_back(names_property("After", after));
  out.push_back(names_property("Before", before));
}

void UnitTable::add_set(const Unit& unit, const std::string& interface, std::vector<Property>& out) {
  const std::string type = type_interface(unit.id);
  for (const Property& set : unit.set) {
    for (const std::string& one : {std::string(kUnitInterface), type}) {
      if (!interface.empty() && interface != one) continue;
      auto shown = as_read(set, known_property(one, set.name));
      if (!shown) continue;
      if (set.name.starts_with("Exec") && shown->signature == "a(sasasttttuii)" && !set.name.ends_with("Ex"))
        shown->name += "Ex";
      out.push_back(std::move(*shown));
    }
  }
}

/// What the clone's file says, and for the rest what systemd takes where nothing is said.
void UnitTable::add_settings(const Unit& unit, const std::string& interface, bool fresh,
                             std::vector<Property>& out) const {
  if (unit.file) {
    for (Property& property : properties_of(*unit.file, interface)) out.push_back(std::move(property));
  }
  for (const KnownProperty& known : known_properties(interface)) {
    if ((fresh || known.setting) && find(out, known.name) == nullptr)
      out.push_back(initial_property(known, defaults_));
  }
}

std::vector<Property> UnitTable::own_properties(Unit& unit, const std::string& interface) {
  const std::string type = type_interface(unit.id);
  const bool general = interface.empty() || interface == kUnitInterface;
  const bool particular = interface.empty() || interface == type;
  const bool fresh = host_properties(unit, "").empty();
  std::vector<Property> own;
  add_set(unit, interface, own);
  if (general) {
    if (fresh) {
      own.push_back(text_property("Id", unit.id));
      own.push_back(boolean_property("Transient", unit.transient));
    }
    std::vector<std::string> names = as_names(find_property(host_properties(unit, ""), "Names"));
    if (names.empty()) names = {unit.id};
    for (const std::string& alias : unit.aliases) {
      if (std::find(names.begin(), names.end(), alias) == names.end()) names.push_back(alias);
    }
    for (const std::string& alias : unit.file ? unit.file->aliases : std::vector<std::string>()) {
      const auto file = file_of(alias);
      if (file && file->id == unit.id && std::find(names.begin(), names.end(), alias) == names.end())
        names.push_back(alias);
    }
    own.push_back(names_property("Names", names));
    for (const char* name : {"Requires", "Wants", "Conflicts", "RequiredBy", "WantedBy", "ConflictedBy",
                             "TriggeredBy", "Triggers"})
      own.push_back(names_property(name, dependencies(unit, name)));
    if (fresh || unit.file) add_ordering(unit, own);
    if (fresh || unit.file || unit.load_state == "not-found") add_facts(unit, own);
    if (fresh || unit.touched) add_state(unit, own);
    if (fresh || unit.file || unit.file_state) {
      own.push_back(text_property("UnitFileState", file_state_of(unit)));
      own.push_back(text_property("UnitFilePreset", unit.file_preset));
    }
    own.push_back(boolean_property("NeedDaemonReload", is_stale(unit)));
    own.push_back({"Job", "(uo)", DbusWriter().uint32(0).object_path("/").take()});
    if (fresh || unit.file) add_settings(unit, std::string(kUnitInterface), fresh, own);
  }
  if (particular && (fresh || unit.file || unit.touched)) add_particular(unit, fresh, own);
  return own;
}

void UnitTable::add_particular(Unit& unit, bool fresh, std::vector<Property>& out) {
  const std::string type = type_interface(unit.id);
  const auto triggered = dependencies(unit, "Triggers");
  if ((fresh || unit.file) && !triggered.empty() && known_property(type, "Unit") != nullptr)
    out.push_back(text_property("Unit", triggered.front()));
  if (unit.file && known_property(type, "Slice") != nullptr && !unit.file->slice.empty())
    out.push_back(text_property("Slice", unit.file->slice));
  const bool service = unit_type(unit.id) == "service";
  if (service && unit.file) out.push_back(text_property("Type", service_type(*unit.file)));
  if (fresh || unit.touched) {
    if (service) add_service_state(unit, out);
    if (unit_type(unit.id) == "timer") {
      // Of what the file or a client says.
      if (unit.file) {
        for (Property& property : properties_of(*unit.file, type)) out.push_back(std::move(property));
      } else if (!unit.transient) {
        out.push_back(find_property(host_properties(unit, type), "TimersMonotonic"));
      }
      add_timer_state(unit, out);
    }
    out.push_back(text_property("Result", unit.result));
  }
  if (fresh || unit.file) add_settings(unit, type, fresh, out);
}

void UnitTable::write_all(Unit& unit, const std::string& interface, DbusWriter& out) {
  std::vector<Property> own = own_properties(unit, interface);
  const std::string& base = host_properties(unit, interface);
  if (base.empty()) {
    // In the manager's order: systemctl prints as it reads.
    std::map<std::string_view, std::size_t> places;
    for (const std::string& one : {type_interface(unit.id), std::string(kUnitInterface)}) {
      for (const KnownProperty& known : known_properties(one)) places.emplace(known.name, places.size());
    }
    std::stable_sort(own.begin(), own.end(), [&](const Property& a, const Property& b) {
      const auto place = [&](const Property& p) {
        const auto found = places.find(p.name);
        return found == places.end() ? places.size() : found->second;
      };
      return place(a) < place(b);
    });
  }
  write_properties(out, base, own);
}

Property UnitTable::property(Unit& unit, const std::string& interface, const std::string& name) {
  // The three that scripts ask for most cost no question to the host.
  if (name == "ActiveState") return text_property(name, unit.active_state);
  if (name == "SubState") return text_property(name, unit.sub_state);
  if (name == "LoadState") return text_property(name, unit.load_state);
  for (Property& property : own_properties(unit, interface)) {
    if (property.name == name) return std::move(property);
  }
  return find_property(host_properties(unit, interface), name);
}

}  // namespace rehearse::units
