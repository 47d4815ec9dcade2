// What a unit file's settings are as properties: `show` reads them where the host's manager has not read the
// file as the clone has it.
//
// Source: load-fragment-gperf.gperf.in and the dbus-*.c of systemd 252. A setting whose name and type are
// those of its property is translated by its type; what needs more than that and is common has a rule; the
// rest is said to be unknown rather than shown wrongly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/property.h"
#include "units/unit_file.h"

namespace rehearse::units {

/// The properties of `interface` ("org.freedesktop.systemd1.Unit", "...Service") that the file's settings
/// make. One without a signature is set by the file and cannot be told.
std::vector<Property> properties_of(const UnitFile& file, std::string_view interface);

/// "5min 20s", "infinity"; microseconds.
std::optional<std::uint64_t> parse_timespan(std::string_view text);

/// The unit that a timer, socket, path or automount starts; empty if it starts none of a fixed name.
std::string triggered_unit(const UnitFile& file);

}  // namespace rehearse::units
