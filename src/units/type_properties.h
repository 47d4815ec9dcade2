// What properties a unit of each type has, and what they are where neither the host nor a file says.
//
// Source: GetAll on minimal units of systemd 252. The names are the wire's, not those of unit files
// (systemd.directives(7)).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "units/property.h"

namespace rehearse::units {

struct KnownProperty {
  std::string_view name;
  std::string_view signature;
  std::string_view initial;  ///< a text, or a number; empty: nothing, 0
  bool setting = false;      ///< unit files say it; else it is how the unit is, or comes from other units
};

/// Of "org.freedesktop.systemd1.Unit", "...Service" and the like; empty for others.
std::span<const KnownProperty> known_properties(std::string_view interface);
/// Nothing if the interface has none of that name.
const KnownProperty* known_property(std::string_view interface, std::string_view name);

/// What the manager's properties (marshalled as a{sv}) say of settings that units do not make:
/// "DefaultLimitNOFILE" under "LimitNOFILE".
using Defaults = std::map<std::string, Property, std::less<>>;
Defaults read_defaults(std::string_view manager_properties);
/// Its value where nothing is said.
Property initial_property(const KnownProperty& known, const Defaults& defaults);
/// The value of any type (a valid signature) that says least: 0, an empty text, an empty array.
Property least_property(std::string name, std::string_view signature);

}  // namespace rehearse::units
