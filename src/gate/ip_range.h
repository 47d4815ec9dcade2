// Internet addresses, blocks of them (RFC 4632: 10.0.0.0/8, 2001:db8::/32), and what kind of place each is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rehearse::gate {

/// An internet address; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that there is one form of each.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  static constexpr IpAddress v4(std::array<std::uint8_t, 4> four) {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, four[0], four[1], four[2], four[3]}};
  }
  [[nodiscard]] bool is_v4() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

std::optional<IpAddress> parse_ip(std::string_view text);
std::string format_ip(const IpAddress& address);

class IpBlock {
 public:
  /// The first `bits` of the 128 decide: 96 more than the usual length for IPv4.
  constexpr IpBlock(const IpAddress& address, unsigned bits) : address_(address), bits_(bits) {}
  /// An address alone is a block of one.
  static std::optional<IpBlock> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] unsigned bits() const { return bits_; }
  [[nodiscard]] IpAddress lowest() const;
  [[nodiscard]] IpAddress highest() const;
  friend bool operator==(const IpBlock&, const IpBlock&) = default;

 private:
  IpAddress address_;
  unsigned bits_;
};
std::string format_ip(const IpBlock& block);

/// By the registries of special-purpose addresses (RFC 6890 and its updates).
enum class AddressClass : std::uint8_t {
  kPublic,
  kUnspecified,  ///< 0.0.0.0/8, ::
  kLoopback,     ///< 127.0.0.0/8, ::1
  kPrivate,      ///< RFC 1918, RFC 6598 (shared by a provider's customers), fc00::/7, fec0::/10
  kLinkLocal,    ///< 169.254.0.0/16, fe80::/10
  kMetadata,     ///< where a cloud's hosts ask for their own identity and credentials
  kMulticast,    ///< 224.0.0.0/4, ff00::/8
  kSynthetic,    ///< 198.18.0.0/15, where the gate's own answers lie
  kReserved,     ///< 240.0.0.0/4 with the broadcast address, tunnels to IPv4 (64:ff9b::/96, 2002::/16, ::/96)
};
AddressClass classify(const IpAddress& address);
std::string_view to_string(AddressClass value);

}  // namespace rehearse::gate
