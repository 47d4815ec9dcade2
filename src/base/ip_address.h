// Internet addresses and blocks of them (RFC 4632: 10.0.0.0/8, 2001:db8::/32).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rehearse {

/// An internet address; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that there is one form of each.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  static constexpr IpAddress v4(std::array<std::uint8_t, 4> four) {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, four[0], four[1], four[2], four[3]}};
  }
  [[nodiscard]] bool is_v4() const;
  /// The last four bytes as a number, most significant first: all of an IPv4 address.
  [[nodiscard]] constexpr std::uint32_t low32() const {
    return std::uint32_t{bytes[12]} << 24U | std::uint32_t{bytes[13]} << 16U |
           std::uint32_t{bytes[14]} << 8U | bytes[15];
  }
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

std::optional<IpAddress> parse_ip(std::string_view text);
/// The usual text, in the buffer.
std::string_view format_ip(const IpAddress& address, std::span<char, 46> buffer);
std::string format_ip(const IpAddress& address);

class IpBlock {
 public:
  /// The first `bits` of the 128 decide: 96 more than the usual length for IPv4.
  constexpr IpBlock(const IpAddress& address, unsigned bits) : address_(address), bits_(bits) {}
  /// An address alone is a block of one.
  static std::optional<IpBlock> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] const IpAddress& address() const { return address_; }
  /// Of 128: 96 more than usual for IPv4.
  [[nodiscard]] unsigned bits() const { return bits_; }
  [[nodiscard]] IpAddress lowest() const;
  [[nodiscard]] IpAddress highest() const;
  friend bool operator==(const IpBlock&, const IpBlock&) = default;

 private:
  IpAddress address_;
  unsigned bits_;
};

/// As parse() takes it; an address alone for a block of one.
std::string format_ip(const IpBlock& block);

}  // namespace rehearse
