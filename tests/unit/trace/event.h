// An event made of a map, for tests.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "trace/value.h"

namespace rehearse::trace {

class MapEvent : public Event {
 public:
  MapEvent& set(Field field, Value value) { return set(field, {}, value); }
  MapEvent& set(Field field, const std::string& argument, Value value) {
    values_[{field, argument}] = value;
    return *this;
  }
  MapEvent& type(std::uint32_t id) {
    type_id_ = id;
    return *this;
  }

  [[nodiscard]] Value value(Field field, const FieldArgument& argument) const override {
    const std::string name =
        argument.index == FieldArgument::kNone ? argument.name : std::to_string(argument.index);
    const auto found = values_.find({field, name});
    return found == values_.end() ? Value() : found->second;
  }
  [[nodiscard]] std::uint32_t type_id() const override { return type_id_; }

 private:
  std::map<std::pair<Field, std::string>, Value> values_;
  std::uint32_t type_id_ = kNoTypeId;
};

}  // namespace rehearse::trace
