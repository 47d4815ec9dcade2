// Values of enumerations as words of JSON documents, by tables.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_reader.h"
#include "gate/rules.h"

namespace rehearse::gate {

inline constexpr std::pair<Protocol, std::string_view> kProtocols[] = {{Protocol::kTcp, "tcp"},
                                                                       {Protocol::kUdp, "udp"}};

template <class Value>
using Names = std::span<const std::pair<Value, std::string_view>>;

template <class Value>
std::string_view word_of(Names<Value> names, Value value) {
  const auto found = std::ranges::find(names, value, [](const auto& pair) { return pair.first; });
  return found == names.end() ? "unknown" : found->second;
}

/// The value that the member's word names.
template <class Value>
Value value_of(Names<Value> names, JsonReader& json, const char* member) {
  const std::string word = json.bytes(member);
  const auto found = std::ranges::find(names, word, [](const auto& pair) { return pair.second; });
  if (found != names.end()) return found->first;
  json.wrong(member, "a word known here");
  return names[0].first;
}

}  // namespace rehearse::gate
