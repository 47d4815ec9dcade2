// Reads members of JSON objects by name, into the types they are to have.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/escape.h"

namespace rehearse {

/// Reads members of one object; the first thing that is wrong is kept and everything after it is a default.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& object, std::string where, std::string& error)
      : object_(object), where_(std::move(where)), error_(error) {
    if (!object.is_object()) wrong("", "an object");
  }

  std::string bytes(const char* name) {
    const std::string twin = std::string(name) + "_b64";
    if (const nlohmann::json* exact = find(twin.c_str()); exact != nullptr) {
      if (!exact->is_string()) return wrong(twin.c_str(), "a string");
      return decode(twin.c_str(), exact->get_ref<const std::string&>());
    }
    const nlohmann::json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) return wrong(name, "a string");
    return value->get<std::string>();
  }

  std::optional<std::string> optional_bytes(const char* name) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return std::nullopt;
    return bytes(name);
  }

  template <class Integer>
  std::optional<Integer> optional_integer(const char* name) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned()) {
      const auto number = value->get<std::uint64_t>();
      if (number <= static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())) {
        return static_cast<Integer>(number);
      }
    } else if (value->is_number_integer() && std::numeric_limits<Integer>::is_signed) {
      const auto number = value->get<std::int64_t>();
      if (number >= static_cast<std::int64_t>(std::numeric_limits<Integer>::min())) {
        return static_cast<Integer>(number);
      }
    }
    wrong(name, "an integer in range");
    return std::nullopt;
  }

  template <class Integer>
  Integer integer(const char* name) {
    return optional_integer<Integer>(name).value_or(Integer{});
  }

  bool boolean(const char* name) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) wrong(name, "true or false");
    return value->is_boolean() && value->get<bool>();
  }

  double number(const char* name) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return 0;
    if (!value->is_number()) wrong(name, "a number");
    return value->is_number() ? value->get<double>() : 0;
  }

  std::int64_t seconds(const char* name) {
    const double ns = number(name) * 1e9;
    if (!(std::fabs(ns) < 9e18)) {
      wrong(name, "a duration");
      return 0;
    }
    return std::llround(ns);
  }

  std::vector<std::string> words(const char* name) {
    const std::string twin = std::string(name) + "_b64";
    const bool exact = find(twin.c_str()) != nullptr;
    std::vector<std::string> result;
    each(exact ? twin.c_str() : name, [&](const nlohmann::json& word, const std::string& /*where*/) {
      if (!word.is_string()) {
        wrong(name, "an array of strings");
        return;
      }
      const auto& text = word.get_ref<const std::string&>();
      result.push_back(exact ? decode(name, text) : text);
    });
    return result;
  }

  template <class Visit>
  void each(const char* name, Visit visit) {
    const nlohmann::json* array = find(name);
    if (array == nullptr) return;
    if (!array->is_array()) {
      wrong(name, "an array");
      return;
    }
    std::size_t index = 0;
    for (const nlohmann::json& item : *array)
      visit(item, where_ + name + "[" + std::to_string(index++) + "]");
  }

  /// An element that each() hands out, as an object.
  JsonReader item(const nlohmann::json& element, const std::string& where) {
    return JsonReader(element, where + ".", error_);
  }

  /// The member as an object; an empty one if it is absent.
  JsonReader child(const char* name) {
    static const nlohmann::json kEmpty = nlohmann::json::object();
    const nlohmann::json* value = find(name);
    return JsonReader(value != nullptr ? *value : kEmpty, where_ + name + ".", error_);
  }

  /// Member that is there and not null.
  const nlohmann::json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string wrong(const char* name, const char* wanted) {
    if (error_.empty()) error_ = where_ + name + " is not " + wanted;
    return {};
  }

  std::string decode(const char* name, const std::string& text) {
    std::string raw = from_base64(text);
    if (raw.empty() && !text.empty()) wrong(name, "base64");
    return raw;
  }

 private:
  const nlohmann::json& object_;
  std::string where_;
  std::string& error_;
};

}  // namespace rehearse
