#include "units/unit_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "units/unit_name.h"
#include "units/unit_settings.h"

namespace rehearse::units {
namespace {

constexpr std::size_t kMaxCached = 512;
constexpr std::size_t kMaxAliases = 32;

/// What a unit of that type is once started.
std::string_view started_state(std::string_view type) {
  if (type == "service" || type == "scope") return "running";
  if (type == "socket") return "listening";
  if (type == "timer" || type == "path" || type == "automount") return "waiting";
  if (type == "mount") return "mounted";
  if (type == "device") return "plugged";
  return "active";  // target, slice, swap
}

/// Types whose units come from a file; others appear as the kernel has them.
bool has_unit_file(std::string_view type) {
  return type != "device" && type != "scope" && type != "slice" && type != "mount" && type != "swap";
}

/// Types that load without a file.
bool file_is_optional(std::string_view type) {
  return type == "slice" || type == "device";
}

const std::vector<std::string>* of_file(const UnitFile& file, std::string_view name) {
  if (name == "Requires") return &file.required;
  if (name == "Wants") return &file.wanted;
  if (name == "Requisite") return &file.requisite;
  if (name == "Conflicts") return &file.conflicts;
  return nullptr;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

UnitTable::UnitTable(const HostUnits& host, PropertySource& source, UnitFileFinder& finder)
    : defaults_(read_defaults(host.properties)),
      loaded_at_ns_(host.read_at_ns),
      generated_at_ns_(host.read_at_ns),
      source_(source),
      finder_(finder) {
  for (const HostUnit& from : host.units) {
    if (!is_unit_name(from.id)) continue;
    Unit unit;
    unit.id = from.id;
    unit.description = from.description;
    unit.load_state = from.load_state;
    unit.active_state = from.active_state;
    unit.sub_state = from.sub_state;
    unit.following = from.following;
    unit.on_host = true;
    units_.emplace(from.id, std::move(unit));
  }
}

std::optional<UnitFile> UnitTable::file_of(const std::string& name) {
  auto file = finder_.find(name);
  if (!file || file->source_path.empty() || file->changed_ns <= generated_at_ns_) return file;
  // A script that no generator has seen, unless its unit is there from before.
  const auto known = units_.find(file->id);
  if (known == units_.end() || known->second.load_state != "loaded") file.reset();
  return file;
}

std::string UnitTable::resolve(const std::string& name) {
  if (units_.contains(name)) return name;
  const auto file = file_of(name);
  return file ? file->id : name;
}

Unit* UnitTable::loaded(const std::string& name) {
  const auto found = units_.find(resolve(name));
  return found == units_.end() ? nullptr : &found->second;
}

Unit* UnitTable::load(const std::string& name) {
  const std::string id = resolve(name);
  auto found = units_.find(id);
  if (found == units_.end()) {
    if (own_ >= kMaxOwnUnits) return nullptr;
    Unit unit;
    unit.id = id;
    unit.description = id;
    unit.load_state = file_is_optional(unit_type(id)) ? "loaded" : "not-found";
    unit.active_state = "inactive";
    unit.sub_state = "dead";
    found = units_.emplace(id, std::move(unit)).first;
    ++own_;
    look_at_file(found->second);
  } else if (found->second.load_state == "not-found") {  // as systemd, which looks again too
    look_at_file(found->second);
  }
  if (name != id && found->second.aliases.size() < kMaxAliases) found->second.aliases.insert(name);
  return &found->second;
}

void UnitTable::look_at_file(Unit& unit) {
  const std::string_view type = unit_type(unit.id);
  if (unit.transient || type == "device" || type == "scope") return;
  auto file = file_of(unit.id);
  if (file && file->id != unit.id) file.reset();  // has become an alias: the loaded unit stays
  unit.linked_wants = file ? file->linked_wants : std::vector<std::string>();
  unit.linked_requires = file ? file->linked_requires : std::vector<std::string>();
  if (file) {
    const bool unknown =
        !unit.on_host || unit.load_state != "loaded" || file->changed_ns > loaded_at_ns_ || unit.file;
    if (!unknown && !file->masked) return;
    unit.load_state = file->masked ? "masked" : file->bad_setting ? "bad-setting" : "loaded";
    unit.description = file->description.empty() ? unit.id : file->description;
    unit.file = std::move(file);
    return;
  }
  if (!has_unit_file(type) || unit.load_state != "loaded") return;
  // Gone with its package? Generated files lie in /run, where the clone may have nothing.
  const std::string path = unit.file ? unit.file->path : text(unit, "FragmentPath");
  const std::string source = unit.file ? unit.file->source_path : text(unit, "SourcePath");
  if (!source.starts_with("/etc/init.d/") && (path.empty() || path.starts_with("/run/"))) return;
  unit.load_state = "not-found";
  unit.file.reset();
}

BusResult<Unit*> UnitTable::make_transient(const std::string& name) {
  static constexpr std::array<std::string_view, 8> kTransient = {"service", "scope", "slice", "timer",
                                                                 "socket",  "path",  "mount", "automount"};
  const std::string_view type = unit_type(name);
  if (!is_unit_name(name) || is_template(name))
    return refuse(bus_error::kInvalidArgs, "Invalid unit name or type.");
  if (std::find(kTransient.begin(), kTransient.end(), type) == kTransient.end()) {
    return refuse(bus_error::kInvalidArgs,
                  fmt::format("Unit type {} does not support transient units.", type));
  }
  Unit* unit = load(name);
  if (unit == nullptr) return refuse(bus_error::kLimitsExceeded, "Too many units.");
  const bool pristine = !unit->on_host && !unit->file && !unit->transient && unit->inactive();
  if (!pristine) {
    return refuse(bus_error::kUnitExists,
                  fmt::format("Unit {} was already loaded or has a fragment file.", name));
  }
  unit->load_state = "loaded";
  unit->transient = true;
  return unit;
}

/// A transient service that does not stay when its command has ended.
bool UnitTable::ends_by_itself(Unit& unit) {
  return unit.transient && unit_type(unit.id) == "service" && !flag(unit, "RemainAfterExit");
}

void UnitTable::end_transient(std::int64_t now_ns) {
  for (auto& [id, unit] : units_) {
    if (!unit.transient || !unit.active()) continue;
    const bool scope = !unit.processes.empty();
    const auto lives = [&](std::uint32_t process) { return finder_.has_process(process); };
    if (scope ? std::none_of(unit.processes.begin(), unit.processes.end(), lives)
              : ends_by_itself(unit) && now_ns - unit.active_since_ns > kTransientService) {
      stop(unit);
    }
  }
}

void UnitTable::collect() {
  // A timer holds what it starts.
  std::set<std::string> held;
  for (const auto& [id, unit] : units_) {
    if (!unit.transient || !unit.active()) continue;
    for (std::string& name : triggers(unit)) held.insert(std::move(name));
  }
  for (auto at = units_.begin(); at != units_.end();) {
    const Unit& unit = at->second;
    if (unit.on_host || unit.active() || unit.active_state == "failed" ||
        (unit.transient ? held.contains(at->first) : !unit.set.empty())) {
      ++at;
    } else {
      at = units_.erase(at);
      --own_;
    }
  }
}

void UnitTable::reload() {
  generated_at_ns_ = realtime_ns();
  // Facts that changes of the files have overtaken are noticed by their ctime.
  for (auto& [name, unit] : units_) look_at_file(unit);
  loaded_at_ns_ = realtime_ns();
  forget_file_states();
}

void UnitTable::forget_file_states() {
  edited_ = true;
  for (auto& [name, unit] : units_) unit.file_state.reset();
}

BusResult<void> UnitTable::check_loaded(const Unit& unit) {
  if (unit.load_state == "loaded") return {};
  if (unit.load_state == "not-found") {
    return refuse(bus_error::kNoSuchUnit, fmt::format("Unit {} not found.", unit.id));
  }
  if (unit.load_state == "masked") {
    return refuse(bus_error::kUnitMasked, fmt::format("Unit {} is masked.", unit.id));
  }
  if (unit.load_state == "bad-setting") {
    return refuse(bus_error::kBadUnitSetting, fmt::format("Unit {} has a bad unit file setting.", unit.id));
  }
  return refuse(bus_error::kLoadFailed,
                fmt::format("Unit {} failed to load properly, please adjust/correct and reload "
                            "service manager: Invalid argument",
                            unit.id));
}

void UnitTable::start(Unit& unit) {
  if (unit.active()) return;
  const std::string_view type = unit_type(unit.id);
  const bool oneshot = type == "service" && text(unit, "Type") == "oneshot";
  const bool stays = !oneshot || flag(unit, "RemainAfterExit");
  unit.touched = true;
  unit.result = "success";
  unit.active_since_ns = realtime_ns();
  if (!stays) unit.inactive_since_ns = unit.active_since_ns;
  unit.active_state = stays ? "active" : "inactive";
  const bool exited = oneshot || (unit.transient && type == "service" && flag(unit, "RemainAfterExit"));
  unit.sub_state = !stays ? "dead" : exited ? "exited" : started_state(type);
}

void UnitTable::stop(Unit& unit, std::string_view result) {
  const bool failed = result != "success";
  if (unit.active_state == "inactive" && !failed) return;
  if (!unit.inactive()) unit.inactive_since_ns = realtime_ns();
  unit.touched = true;
  unit.result = result;
  unit.active_state = failed ? "failed" : "inactive";
  unit.sub_state = failed ? "failed" : "dead";
}

void UnitTable::reset_failed(Unit& unit) {
  if (unit.active_state == "failed") stop(unit);
}

const std::string& UnitTable::host_properties(Unit& unit, const std::string& interface) {
  static const std::string kNone;
  if (!unit.on_host) return kNone;
  const std::string key = unit.id + "\n" + interface;
  if (const auto found = properties_.find(key); found != properties_.end()) return found->second;
  if (properties_.size() >= kMaxCached) properties_.clear();
  auto properties = source_.unit_properties(unit.id, interface);
  // Without the host's word the facts are those of the clone's file.
  if (!properties && !unit.file && !unit.transient) {
    auto file = finder_.find(unit.id);
    if (file && file->id == unit.id) unit.file = std::move(file);
  }
  // What was not answered is asked again.
  if (!properties) return kNone;
  return properties_.emplace(key, std::move(*properties)).first->second;
}

bool UnitTable::can_reload(Unit& unit) {
  if (unit.file) return unit.file->can_reload;
  return flag(unit, "CanReload");
}

bool UnitTable::flag(Unit& unit, std::string_view name) {
  if (unit.file) {
    if (name == "RefuseManualStart") return unit.file->refuse_manual_start;
    if (name == "RefuseManualStop") return unit.file->refuse_manual_stop;
    if (name == "AllowIsolate") return unit.file->allow_isolate;
    if (name == "RemainAfterExit") return unit.file->remain_after_exit;
  }
  for (const Property& property : unit.set) {
    if (property.name == name) return as_boolean(property);
  }
  return as_boolean(find_property(host_properties(unit, ""), name));
}

std::string UnitTable::text(Unit& unit, std::string_view name) {
  if (unit.file && name == "Type") return unit.file->type;
  for (const Property& property : unit.set) {
    if (property.name == name) return as_text(property);
  }
  return as_text(find_property(host_properties(unit, ""), name));
}

std::vector<std::string> UnitTable::triggers(const Unit& unit) const {
  std::string name;
  if (unit.load_state != "loaded") return {};
  if (unit.file) {
    name = triggered_unit(*unit.file);
  } else if (unit.transient) {
    UnitFile made;
    made.id = unit.id;
    name = triggered_unit(made);
    for (const Property& property : unit.set) {
      if (property.name == "Unit" && is_unit_name(as_text(property))) name = as_text(property);
    }
  }
  return name.empty() ? std::vector<std::string>() : std::vector{name};
}

/// What the files of others and their links say of `unit`, under the name of the unit's property.
std::vector<std::string> UnitTable::inverse(const Unit& unit, std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& [id, other] : units_) {
    const bool of_links = name == "WantedBy"     ? contains(other.linked_wants, unit.id)
                          : name == "RequiredBy" ? contains(other.linked_requires, unit.id)
                                                 : false;
    const bool of_file = !other.file              ? false
                         : name == "WantedBy"     ? contains(other.file->wanted, unit.id)
                         : name == "RequiredBy"   ? contains(other.file->stopped_with, unit.id)
                         : name == "ConflictedBy" ? contains(other.file->conflicts, unit.id)
                                                  : false;
    if (of_links || of_file || (name == "TriggeredBy" && contains(triggers(other), unit.id)))
      names.push_back(id);
  }
  return names;
}

std::vector<std::string> UnitTable::dependencies(Unit& unit, std::string_view name) {
  if (name == "Triggers" && (unit.file || unit.transient)) return triggers(unit);
  const auto* own = unit.file ? of_file(*unit.file, name) : nullptr;
  std::vector<std::string> names =
      own != nullptr ? *own : as_names(find_property(host_properties(unit, ""), name));
  for (const Property& property : unit.set) {
    if (unit.transient && property.name == name) names = as_names(property);
    if (unit.transient && name == "Requires" && property.name == "Slice" && is_unit_name(as_text(property)))
      names.push_back(as_text(property));
  }
  const auto add = [&names](const std::vector<std::string>& more) {
    for (const std::string& one : more) {
      if (!contains(names, one)) names.push_back(one);
    }
  };
  if (name == "Wants") add(unit.linked_wants);
  if (name == "Requires") add(unit.linked_requires);
  // What the host's manager knows has no `file`: these are the others.
  add(inverse(unit, name));
  return names;
}

bool UnitTable::lacks_file_state(Unit& unit) {
  if (unit.file && !unit.file->source_path.empty()) return false;  // generated: no file says it
  if (unit.file_state || unit.transient || unit.load_state == "not-found") return false;
  const bool told = !host_properties(unit, "").empty();
  if (!told || unit.file) return unit.file.has_value();
  return edited_ && !text(unit, "UnitFileState").empty();
}

/// Whether its file has changed since the manager looked at it.
bool UnitTable::is_stale(Unit& unit) {
  if (!has_unit_file(unit_type(unit.id)) || unit.transient) return false;
  const auto file = file_of(unit.id);
  const std::int64_t known = unit.file ? std::max(unit.file->changed_ns, loaded_at_ns_) : loaded_at_ns_;
  if (file ? file->changed_ns > known : unit.file.has_value() && unit.load_state == "loaded") return true;
  return !edited_ && as_boolean(find_property(host_properties(unit, ""), "NeedDaemonReload"));
}

void UnitTable::write_processes(Unit& unit, DbusWriter& out) {
  if (unit.on_host && !unit.touched) {
    if (const auto processes = source_.unit_processes(unit.id)) {
      DbusReader(*processes, "a(sus)").copy(out);
      return;
    }
  }
  const DbusWriter::Array none = out.open_array('(');
  out.close_array(none);
}

std::uint32_t UnitTable::failed_units() const {
  return static_cast<std::uint32_t>(std::count_if(
      units_.begin(), units_.end(), [](const auto& entry) { return entry.second.active_state == "failed"; }));
}

}  // namespace rehearse::units
