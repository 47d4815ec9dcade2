// A domain name as it stands in a message (RFC 1035 3.1), at most 255 octets.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "base/result.h"
#include "gate/bytes.h"

namespace rehearse::gate {

/// Keeps the letters' case as it was given and compares without it (RFC 4343).
class DnsName {
 public:
  /// The root.
  DnsName() = default;

  /// From text: labels between dots, `\.`, `\\` and `\DDD` for bytes (RFC 1035 5.1), a dot at the end if one
  /// likes; "." is the root. kConfig for anything else: it is the operator who writes names.
  static Result<DnsName> parse(std::string_view text);
  /// From a message. Nothing if the name is cut, too long, or has a compression pointer: in a question there
  /// is nothing it could point to but the question itself.
  static std::optional<DnsName> read(ByteReader& bytes);

  /// Labels with their lengths, and the zero of the root.
  [[nodiscard]] const std::string& wire() const { return wire_; }
  /// As parse() takes it, without the dot at the end; printable ASCII whatever the bytes are.
  [[nodiscard]] std::string text() const;
  /// text() in lower case: the same for names that are equal.
  [[nodiscard]] std::string key() const;

  [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
  [[nodiscard]] std::size_t labels() const;
  /// The leftmost label; "" for the root.
  [[nodiscard]] std::string_view first_label() const;
  /// The name without its leftmost label; the root's is the root.
  [[nodiscard]] DnsName parent() const;
  /// Ends in `suffix` and is longer.
  [[nodiscard]] bool is_below(const DnsName& suffix) const;

  friend bool operator==(const DnsName& a, const DnsName& b);

 private:
  explicit DnsName(std::string_view wire) : wire_(wire) {}

  std::string wire_ = std::string(1, '\0');
};

/// The address that a name below in-addr.arpa (RFC 1035 3.5) or ip6.arpa (RFC 3596 2.5) stands for.
std::optional<IpAddress> reversed_address(const DnsName& name);

}  // namespace rehearse::gate
