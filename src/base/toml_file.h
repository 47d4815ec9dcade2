// Files that a person writes in TOML 1.0 (toml.io), read by key: whatever is wrong with one is a single error
// that names file, line, column (in characters), the thing and the remedy. No key is ignored unless the
// caller says so.
//
// The values refer to the document, which outlives them. Errors are kConfig.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/toml_library.h"

namespace rehearse {

/// One table of a document.
class TomlTable {
 public:
  /// `what` is how errors call the table: "[[mock]]", "[[mock]].http[0]"; empty for the whole file.
  TomlTable(const toml::table& table, const std::string& path, std::string what)
      : table_(&table), path_(&path), what_(std::move(what)) {}

  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] bool has(std::string_view key) const { return table_->contains(key); }
  /// An error at the first key that is none of these; it names the nearest one.
  [[nodiscard]] Result<> allow_only(std::span<const std::string_view> keys) const;
  [[nodiscard]] Result<> allow_only(std::initializer_list<std::string_view> keys) const {
    return allow_only(std::span(keys.begin(), keys.size()));
  }
  /// All of them, in byte order.
  [[nodiscard]] std::vector<std::string> keys() const;
  [[nodiscard]] const toml::table& raw() const { return *table_; }

  // Each gives nothing if the key is absent, and an error if its value is of another type.
  [[nodiscard]] Result<std::optional<std::string>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<bool>> boolean(std::string_view key) const;
  /// With or without a point.
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key) const;
  /// An array of texts; empty if it is absent.
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  /// A text, or an array of texts; empty if it is absent.
  [[nodiscard]] Result<std::vector<std::string>> text_or_texts(std::string_view key) const;
  /// A date without a time: "2027-03-01".
  [[nodiscard]] Result<std::optional<std::string>> date(std::string_view key) const;
  /// From `least` to `most`.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t least,
                                                            std::int64_t most) const;
  [[nodiscard]] Result<std::optional<TomlTable>> table(std::string_view key) const;
  /// An array whose elements are all tables; empty if it is absent.
  [[nodiscard]] Result<std::vector<TomlTable>> tables(std::string_view key) const;
  /// A table of any keys, whose values are texts or arrays of texts (a pair each); in the order of the keys.
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> text_pairs(
      std::string_view key) const;

  /// "FILE:LINE:COLUMN" of the table.
  [[nodiscard]] std::string place() const;
  /// An error at the table.
  [[nodiscard]] tl::unexpected<Error> error(std::string_view what, std::string fix) const;
  /// An error at the value of the key.
  [[nodiscard]] tl::unexpected<Error> error_at(std::string_view key, std::string_view what,
                                               std::string fix) const;

 private:
  [[nodiscard]] tl::unexpected<Error> error_in(const toml::source_region& source, std::string_view what,
                                               std::string fix) const;
  [[nodiscard]] tl::unexpected<Error> wrong_type(std::string_view key, std::string_view wanted) const;
  [[nodiscard]] std::string name_of(std::string_view key) const;

  const toml::table* table_;
  const std::string* path_;
  std::string what_;
};

class TomlFile {
 public:
  /// `path` is for errors.
  static Result<TomlFile> parse(std::string_view text, std::string path);
  [[nodiscard]] TomlTable root() const { return {table_, path_, {}}; }

 private:
  TomlFile(toml::table table, std::string path) : table_(std::move(table)), path_(std::move(path)) {}

  toml::table table_;
  std::string path_;
};

}  // namespace rehearse
