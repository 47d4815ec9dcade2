// For the printers of structures: numbers out of bytes that may be anything.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

namespace rehearse::syscalls {

/// The caller has looked that there are enough bytes.
template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value = {};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class... Args>
void append_format(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

/// Elements of `size` bytes: [a, b]
template <class Append>
void append_list(std::string& out, std::string_view bytes, std::size_t size, const Append& append) {
  out += '[';
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    if (at > 0) out += ", ";
    append(bytes.substr(at, size));
  }
  out += ']';
}

/// Says of a list of `shown` elements that there were more, if so.
inline void append_more(std::string& out, std::uint64_t count, std::size_t shown) {
  if (count <= shown) return;
  out.pop_back();
  out += shown == 0 ? "...]" : ", ...]";
}

}  // namespace rehearse::syscalls
