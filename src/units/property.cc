#include "units/property.h"

#include <algorithm>
#include <set>

namespace rehearse::units {

Property text_property(std::string name, std::string_view value) {
  return {std::move(name), "s", DbusWriter().string(value).take()};
}

Property names_property(std::string name, std::span<const std::string> values) {
  return {std::move(name), "as", DbusWriter().strings(values).take()};
}

Property boolean_property(std::string name, bool value) {
  return {std::move(name), "b", DbusWriter().boolean(value).take()};
}

Property uint32_property(std::string name, std::uint32_t value) {
  return {std::move(name), "u", DbusWriter().uint32(value).take()};
}

Property uint64_property(std::string name, std::uint64_t value) {
  return {std::move(name), "t", DbusWriter().uint64(value).take()};
}

void write_variant(DbusWriter& out, const Property& property) {
  out.open_variant(property.signature);
  DbusReader(property.value, property.signature).copy(out);
}

Property read_variant(std::string name, DbusReader& reader) {
  Property property;
  property.name = std::move(name);
  property.signature = reader.enter_variant();
  DbusWriter value;
  reader.copy(value);
  property.value = value.take();
  reader.leave();
  return property;
}

Property find_property(std::string_view properties, std::string_view name) {
  Property found;
  DbusReader reader(properties, "a{sv}");
  reader.enter_array("{sv}");
  while (reader.more()) {
    reader.enter_struct();
    const std::string_view key = reader.string();
    if (key == name) return read_variant(std::string(key), reader);
    reader.skip();
    reader.leave();
  }
  return found;
}

std::string as_text(const Property& property) {
  if (property.signature != "s") return {};
  return std::string(DbusReader(property.value, "s").string());
}

bool as_boolean(const Property& property) {
  return property.signature == "b" && DbusReader(property.value, "b").boolean();
}

std::vector<std::string> as_names(const Property& property) {
  if (property.signature != "as") return {};
  return DbusReader(property.value, "as").strings();
}

void write_properties(DbusWriter& out, std::string_view base, std::span<const Property> changed) {
  const DbusWriter::Array array = out.open_array('{');
  if (base.empty()) {
    std::set<std::string_view> seen;
    for (const Property& one : changed) {
      if (seen.insert(one.name).second && !one.signature.empty())
        write_variant(out.open_struct().string(one.name), one);
    }
  } else {
    DbusReader reader(base, "a{sv}");
    reader.enter_array("{sv}");
    while (reader.more()) {
      reader.enter_struct();
      const std::string_view name = reader.string();
      const auto mine =
          std::find_if(changed.begin(), changed.end(), [&](const Property& p) { return p.name == name; });
      if (mine == changed.end()) {
        reader.copy(out.open_struct().string(name));
      } else {
        reader.skip();
        if (!mine->signature.empty()) write_variant(out.open_struct().string(name), *mine);
      }
      reader.leave();
    }
  }
  out.close_array(array);
}

}  // namespace rehearse::units
