#include "base/toml_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace rehearse {
namespace {

constexpr std::size_t kMostShown = 60;

/// How a person calls a type.
std::string_view phrase(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

tl::unexpected<Error> error_at_place(std::string_view path, const toml::source_position& at,
                                     std::string_view what, std::string fix) {
  return fail(fmt::format("{}:{}:{}: {}", path, at.line, at.column, what), ExitCode::kConfig, std::move(fix));
}

}  // namespace

Result<TomlFile> TomlFile::parse(std::string_view text, std::string path) {
  toml::parse_result result = toml::parse(text, path);
  if (!result) {
    const toml::parse_error& error = result.error();
    return error_at_place(path, error.source().begin, error.description(),
                          "the file has to be TOML 1.0 in UTF-8");
  }
  return TomlFile(std::move(result).table(), std::move(path));
}

std::string TomlTable::name_of(std::string_view key) const {
  const std::string_view cut = key.substr(0, kMostShown);
  return what_.empty() ? fmt::format("\"{}\"", cut) : fmt::format("\"{}\" of {}", cut, what_);
}

std::string TomlTable::place() const {
  const toml::source_position& at = table_->source().begin;
  return fmt::format("{}:{}:{}", *path_, at.line, at.column);
}

tl::unexpected<Error> TomlTable::error_in(const toml::source_region& source, std::string_view what,
                                          std::string fix) const {
  return error_at_place(*path_, source.begin, what, std::move(fix));
}

tl::unexpected<Error> TomlTable::error(std::string_view what, std::string fix) const {
  return error_in(table_->source(), what_.empty() ? std::string(what) : fmt::format("{}: {}", what_, what),
                  std::move(fix));
}

tl::unexpected<Error> TomlTable::error_at(std::string_view key, std::string_view what,
                                          std::string fix) const {
  const toml::node* node = table_->get(key);
  return error_in(node != nullptr ? node->source() : table_->source(),
                  fmt::format("{}: {}", name_of(key), what), std::move(fix));
}

tl::unexpected<Error> TomlTable::wrong_type(std::string_view key, std::string_view wanted) const {
  return error_at(key, fmt::format("is {}, not {}", phrase(table_->get(key)->type()), wanted),
                  fmt::format("give it {}", wanted));
}

Result<> TomlTable::allow_only(std::span<const std::string_view> keys) const {
  const toml::key* unknown = nullptr;  // the first in the file, whatever the table's order
  for (const auto& [key, node] : *table_) {
    const bool known = std::ranges::find(keys, key.str()) != keys.end();
    if (!known && (unknown == nullptr || key.source().begin < unknown->source().begin)) unknown = &key;
  }
  if (unknown == nullptr) return {};
  const std::string_view near = nearest_word(unknown->str(), keys);
  return error_in(unknown->source(), fmt::format("unknown key {}", name_of(unknown->str())),
                  near.empty() ? fmt::format("known keys are {}", fmt::join(keys, ", "))
                               : fmt::format("the nearest known key is \"{}\"", near));
}

Result<std::optional<std::string>> TomlTable::text(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) return wrong_type(key, phrase(toml::node_type::string));
  return node->as_string()->get();
}

Result<std::optional<bool>> TomlTable::boolean(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_boolean()) return wrong_type(key, phrase(toml::node_type::boolean));
  return node->as_boolean()->get();
}

Result<std::optional<double>> TomlTable::number(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* whole = node->as_integer()) return static_cast<double>(whole->get());
  if (!node->is_floating_point()) return wrong_type(key, "a number");
  return node->as_floating_point()->get();
}

Result<std::vector<std::string>> TomlTable::texts(std::string_view key) const {
  std::vector<std::string> result;
  const toml::node* node = table_->get(key);
  if (node == nullptr) return result;
  if (!node->is_array()) return wrong_type(key, "an array of texts");
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string())
      return error_in(
          element.source(),
          fmt::format("{}[{}] is {}, not a text", name_of(key), result.size(), phrase(element.type())),
          "write it in quotes");
    if (element.as_string()->get().find('\0') != std::string::npos)
      return error_in(element.source(), fmt::format("{}[{}] has a NUL in it", name_of(key), result.size()),
                      "leave it out");
    result.push_back(element.as_string()->get());
  }
  return result;
}

Result<std::vector<std::string>> TomlTable::text_or_texts(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr || node->is_array()) return texts(key);
  if (!node->is_string()) return wrong_type(key, "a text or an array of texts");
  const std::string& value = node->as_string()->get();
  if (value.find('\0') != std::string::npos) return error_at(key, "has a NUL in it", "leave it out");
  return std::vector<std::string>{value};
}

Result<std::optional<std::string>> TomlTable::date(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  const auto* date = node->as_date();
  if (date == nullptr) return wrong_type(key, "a date: 2027-03-01, without quotes");
  return fmt::format("{:04}-{:02}-{:02}", date->get().year, date->get().month, date->get().day);
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, node] : *table_) result.emplace_back(key.str());
  return result;
}

Result<std::optional<std::int64_t>> TomlTable::integer(std::string_view key, std::int64_t least,
                                                       std::int64_t most) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_integer()) return wrong_type(key, phrase(toml::node_type::integer));
  const std::int64_t value = node->as_integer()->get();
  if (value < least || value > most)
    return error_at(key, fmt::format("{} is out of range", value),
                    fmt::format("give it a number from {} to {}", least, most));
  return value;
}

Result<std::optional<TomlTable>> TomlTable::table(std::string_view key) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_table()) return wrong_type(key, phrase(toml::node_type::table));
  return TomlTable(*node->as_table(), *path_,
                   what_.empty() ? fmt::format("[{}]", key) : fmt::format("{}.{}", what_, key));
}

Result<std::vector<TomlTable>> TomlTable::tables(std::string_view key) const {
  std::vector<TomlTable> result;
  const toml::node* node = table_->get(key);
  if (node == nullptr) return result;
  if (!node->is_array()) return wrong_type(key, "an array of tables");
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_table())
      return error_in(
          element.source(),
          fmt::format("{}[{}] is {}, not a table", name_of(key), result.size(), phrase(element.type())),
          "each element is a table: { key = value }");
    std::string what =
        what_.empty() ? fmt::format("[[{}]]", key) : fmt::format("{}.{}[{}]", what_, key, result.size());
    result.emplace_back(*element.as_table(), *path_, std::move(what));
  }
  return result;
}

Result<std::vector<std::pair<std::string, std::string>>> TomlTable::text_pairs(std::string_view key) const {
  std::vector<std::pair<std::string, std::string>> result;
  RH_TRY(const auto inner, table(key));
  if (!inner) return result;
  for (const auto& [name, node] : *inner->table_) {
    const auto add = [&, &name = name](const toml::node& value) {
      if (value.is_string()) result.emplace_back(name.str(), value.as_string()->get());
      return value.is_string();
    };
    const toml::array* several = node.as_array();
    if (several != nullptr ? !std::ranges::all_of(*several, add) : !add(node))
      return inner->wrong_type(name.str(), "a text or an array of texts");
  }
  return result;
}

}  // namespace rehearse
