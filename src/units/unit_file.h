// The few facts of a unit file that decide how its unit answers requests.
//
// Source: systemd.unit(5), systemd.syntax(7). The text comes out of the clone: hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::units {

/// One line of a unit file: "[Service] User=nobody".
struct Setting {
  std::string section;
  std::string key;
  std::string value;  ///< specifiers that depend on the name replaced
};

struct UnitFile {
  std::string id;           ///< the unit's own name: differs from the name asked for if that is an alias
  std::string path;         ///< of the file, within the clone
  std::string source_path;  ///< of the init script that it is generated from, else empty
  bool masked = false;
  std::int64_t changed_ns = 0;  ///< latest ctime of the file and its drop-ins
  std::vector<std::string> drop_ins;

  std::string description;  ///< specifiers replaced
  std::string type;         ///< Type= of a service
  bool remain_after_exit = false;
  bool can_reload = false;
  bool refuse_manual_start = false;
  bool refuse_manual_stop = false;
  bool allow_isolate = false;
  bool default_dependencies = true;
  std::string slice;  ///< Slice=, empty for the default
  std::vector<std::string> documentation;
  std::vector<std::string> aliases;  ///< Alias=: its names if they are enabled; kMaxInstallAliases
  std::vector<Setting> settings;     ///< of all sections, in order; kMaxSettings
  std::size_t settings_bytes = 0;
  bool settings_cut = false;  ///< there were more
  bool bad_setting = false;   ///< systemd refuses to load it: has_bad_setting()
  // Dependencies that the file itself names.
  std::vector<std::string> required;      ///< Requires=, BindsTo=
  std::vector<std::string> wanted;        ///< Wants=, Upholds=
  std::vector<std::string> requisite;     ///< Requisite=
  std::vector<std::string> conflicts;     ///< Conflicts=
  std::vector<std::string> stopped_with;  ///< Requires=, Requisite=, BindsTo=, PartOf=, StopPropagatedFrom=
  // By symlinks in NAME.wants/ and NAME.requires/.
  std::vector<std::string> linked_wants;
  std::vector<std::string> linked_requires;
};

/// A unit file of more bytes is refused by systemd too (CONFIG_FILE_SIZE_MAX is 4 MiB; ours is lower).
inline constexpr std::size_t kMaxUnitFile = 1U << 20U;

inline constexpr std::size_t kMaxInstallAliases = 8;
/// More than these, of one unit with its drop-ins, are not kept for showing.
inline constexpr std::size_t kMaxSettings = 512;
inline constexpr std::size_t kMaxSettingsBytes = 64U << 10U;

/// What systemd adds to a service, socket, timer or path: Requires=sysinit.target, the slice, and
/// Conflicts=shutdown.target. After the last file.
void add_default_dependencies(UnitFile& unit);

/// Applies the settings of `text` to `unit`, whose id is set: the file itself first, then its drop-ins in
/// order. Lines that systemd would ignore are ignored. At most 64 names a list are kept.
void apply_unit_file(UnitFile& unit, std::string_view text);

/// Whether systemd refuses the whole file for what it says or lacks ("bad-setting"). After the last file.
bool has_bad_setting(const UnitFile& unit);

/// Its Type=, or what systemd takes where the file has none.
std::string_view service_type(const UnitFile& unit);

/// Tells what unit files the clone has, and who lives in it.
class UnitFileFinder {
 public:
  virtual ~UnitFileFinder() = default;
  /// The unit file that `name` (a valid unit name) would be loaded from, template and alias included; nothing
  /// if there is none. Reads the clone as it is now: what is generated from an init script is there before
  /// the daemon-reload that generates it.
  virtual std::optional<UnitFile> find(const std::string& name) = 0;
  /// Whether the clone has that process, as it is numbered there.
  virtual bool has_process(std::uint32_t process) = 0;
};

}  // namespace rehearse::units
