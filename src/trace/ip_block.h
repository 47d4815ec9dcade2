// Internet addresses and blocks of them (RFC 4632: 10.0.0.0/8, 2001:db8::/32).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "trace/value.h"

namespace rehearse::trace {

std::optional<IpAddress> parse_ip(std::string_view text);
/// The usual text, in the buffer.
std::string_view format_ip(const IpAddress& address, std::span<char, 46> buffer);

class IpBlock {
 public:
  /// An address alone is a block of one.
  static std::optional<IpBlock> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  IpBlock(const IpAddress& address, unsigned bits) : address_(address), bits_(bits) {}

  IpAddress address_;
  unsigned bits_;
};

}  // namespace rehearse::trace
