// The units as the run sees them: the host's at its beginning, changed by what the action asks for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "units/bus_error.h"
#include "units/host_units.h"
#include "units/property.h"
#include "units/type_properties.h"
#include "units/unit_file.h"

namespace rehearse::units {

struct Unit {
  std::string id;
  std::string description;
  std::string load_state;
  std::string active_state;
  std::string sub_state;
  std::string following;
  bool on_host = false;    ///< the host's manager has it loaded
  bool touched = false;    ///< its state is no longer the host's
  bool transient = false;  ///< made by StartTransientUnit
  std::string result = "success";
  std::optional<UnitFile> file;           ///< what the clone's file says, where the host's facts do not hold
  std::optional<std::string> file_state;  ///< enabled, disabled, ... in the clone, once asked
  std::string file_preset;
  std::vector<std::string> linked_wants;     ///< by symlinks, as of the last daemon-reload
  std::vector<std::string> linked_requires;  ///< likewise
  std::set<std::string> aliases;             ///< by which it has been asked for
  std::vector<Property> set;                 ///< set in this run
  std::vector<std::uint32_t> processes;  ///< of a scope that a client has made, as they are numbered inside
  std::int64_t active_since_ns = 0;      ///< CLOCK_REALTIME, of a touched unit
  std::int64_t inactive_since_ns = 0;

  [[nodiscard]] bool active() const { return active_state == "active" || active_state == "reloading"; }
  [[nodiscard]] bool inactive() const { return active_state == "inactive" || active_state == "failed"; }
};

/// What is kept of the action's own making.
inline constexpr std::size_t kMaxOwnUnits = 256;
inline constexpr std::size_t kMaxSetProperties = 128;
inline constexpr std::size_t kMaxScopeProcesses = 64;
/// So long a transient service is running, for who asks: scripts that wait for its end come to one, those
/// that look whether it has come up see that.
inline constexpr std::int64_t kTransientService = 5'000'000'000;

/// Not thread safe. References to units hold until collect().
class UnitTable {
 public:
  /// `source` and `finder` outlive it. A source that fails is as one that knows nothing: facts are then those
  /// of the clone's files.
  UnitTable(const HostUnits& host, PropertySource& source, UnitFileFinder& finder);

  /// The unit of that name or alias if the manager would have it loaded.
  Unit* loaded(const std::string& name);
  /// The unit, loaded if need be: one that has no file is there with load state "not-found". Nothing if the
  /// table is full.
  Unit* load(const std::string& name);
  /// A unit that StartTransientUnit makes.
  BusResult<Unit*> make_transient(const std::string& name);
  /// Scopes whose processes have ended, and transient services whose commands are taken to have (they have
  /// not been executed) are over. Before every call of a client.
  void end_transient(std::int64_t now_ns);
  /// Forgets loaded units that nothing holds any more. After every call of a client.
  void collect();
  /// daemon-reload: files are looked at anew.
  void reload();
  /// After an edit of unit files in the clone.
  void forget_file_states();

  /// Why the unit cannot be worked with.
  static BusResult<void> check_loaded(const Unit& unit);
  void start(Unit& unit);
  void stop(Unit& unit, std::string_view result = "success");
  void reset_failed(Unit& unit);

  bool can_reload(Unit& unit);
  /// RefuseManualStart and other booleans; false if unknown.
  bool flag(Unit& unit, std::string_view name);
  /// Type and other texts; empty if unknown.
  std::string text(Unit& unit, std::string_view name);
  /// Units of a dependency, under the property's name ("Requires", "ConsistsOf"): those of the host's manager
  /// and those of unit files of the clone.
  std::vector<std::string> dependencies(Unit& unit, std::string_view name);

  /// Whether UnitFileState has to be asked of the clone before properties are written.
  bool lacks_file_state(Unit& unit);
  /// GetAll.
  void write_all(Unit& unit, const std::string& interface, DbusWriter& out);
  /// Get; a signature of "" if there is no such property.
  Property property(Unit& unit, const std::string& interface, const std::string& name);
  /// GetUnitProcesses: those of the host as long as the unit is untouched, written as a(sus).
  void write_processes(Unit& unit, DbusWriter& out);

  [[nodiscard]] const std::map<std::string, Unit>& units() const { return units_; }
  std::map<std::string, Unit>& units() { return units_; }
  [[nodiscard]] std::uint32_t failed_units() const;

 private:
  /// The clone's file of that name as a daemon-reload has found it or would find it anew.
  std::optional<UnitFile> file_of(const std::string& name);
  std::string resolve(const std::string& name);
  void look_at_file(Unit& unit);
  bool ends_by_itself(Unit& unit);
  [[nodiscard]] std::vector<std::string> inverse(const Unit& unit, std::string_view name) const;
  bool is_stale(Unit& unit);
  const std::string& host_properties(Unit& unit, const std::string& interface);
  std::vector<Property> own_properties(Unit& unit, const std::string& interface);
  void add_state(const Unit& unit, std::vector<Property>& out) const;
  void add_facts(Unit& unit, std::vector<Property>& out);
  void add_ordering(const Unit& unit, std::vector<Property>& out) const;
  void add_service_state(const Unit& unit, std::vector<Property>& out) const;
  void add_timer_state(const Unit& unit, std::vector<Property>& out) const;
  static void add_set(const Unit& unit, const std::string& interface, std::vector<Property>& out);
  void add_settings(const Unit& unit, const std::string& interface, bool fresh,
                    std::vector<Property>& out) const;
  void add_particular(Unit& unit, bool fresh, std::vector<Property>& out);
  /// The unit that one of a file or of the action's own making starts.
  [[nodiscard]] std::vector<std::string> triggers(const Unit& unit) const;

  Defaults defaults_;
  std::map<std::string, Unit> units_;
  std::map<std::string, std::string> properties_;  ///< by unit and interface
  bool edited_ = false;           ///< the host's idea of what is enabled may not be the clone's
  std::int64_t loaded_at_ns_;     ///< when unit files were last looked at, CLOCK_REALTIME
  std::int64_t generated_at_ns_;  ///< when generators would last have run, CLOCK_REALTIME
  std::size_t own_ = 0;
  PropertySource& source_;
  UnitFileFinder& finder_;
};

}  // namespace rehearse::units
