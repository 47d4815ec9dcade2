// One D-Bus property, and lists of them as GetAll gives them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "units/dbus_reader.h"
#include "units/dbus_writer.h"

namespace rehearse::units {

struct Property {
  std::string name;
  std::string signature;
  std::string value;  ///< marshalled little-endian, as at an offset divisible by eight
};

Property text_property(std::string name, std::string_view value);
Property names_property(std::string name, std::span<const std::string> values);
Property boolean_property(std::string name, bool value);
Property uint32_property(std::string name, std::uint32_t value);
Property uint64_property(std::string name, std::uint64_t value);

/// Writes the value of `property` as a variant.
void write_variant(DbusWriter& out, const Property& property);
/// The variant that comes next in `reader`.
Property read_variant(std::string name, DbusReader& reader);

/// What `properties` (marshalled as a{sv}, little-endian) say of one name; a signature of "" if nothing.
Property find_property(std::string_view properties, std::string_view name);
/// Its value if it is of that type, else nothing, false or 0.
std::string as_text(const Property& property);
bool as_boolean(const Property& property);
std::vector<std::string> as_names(const Property& property);

/// `base` (marshalled as a{sv}) with the values of `changed` instead of its own. With `base` empty, just
/// `changed`. The first of a name counts; one without a signature is left out.
void write_properties(DbusWriter& out, std::string_view base, std::span<const Property> changed);

}  // namespace rehearse::units
