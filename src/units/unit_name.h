// Names of units and the object paths that stand for them.
//
// Source: systemd.unit(5); the escaping of object paths is that of sd_bus_path_encode(3). Pure and total.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rehearse::units {

inline constexpr std::string_view kManagerPath = "/org/freedesktop/systemd1";

inline constexpr std::string_view kUnitInterface = "org.freedesktop.systemd1.Unit";

/// A name with a known type at its end, such as "foo.service", "foo@bar.service"; up to 255 bytes.
bool is_unit_name(std::string_view name);
/// "service" of "foo.service".
std::string_view unit_type(std::string_view name);
/// "org.freedesktop.systemd1.Service" of a unit name.
std::string type_interface(std::string_view name);
/// "foo@.service".
bool is_template(std::string_view name);
/// "foo@.service" of "foo@bar.service", empty if that is no instance.
std::string template_of(std::string_view name);
/// "bar" of "foo@bar.service", empty if that is no instance.
std::string_view instance_of(std::string_view name);
/// "foo" of "foo.service" and of "foo@bar.service".
std::string_view prefix_of(std::string_view name);

/// "/org/freedesktop/systemd1/unit/foo_2eservice".
std::string unit_path(std::string_view name);
/// The inverse; nothing if `path` stands for no unit.
std::optional<std::string> unit_of_path(std::string_view path);

/// Shell patterns of * ? and [...] as systemctl takes them; time is linear in pattern times text.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace rehearse::units
