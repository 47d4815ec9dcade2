#include "gate/dns_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostName = 255;  // RFC 1035 2.3.4
constexpr std::size_t kMostLabel = 63;

tl::unexpected<Error> bad_name(std::string_view text, std::string_view why) {
  return fail(fmt::format("\"{}\" is not a domain name: {}", text, why), ExitCode::kConfig,
              "write labels of 1 to 63 characters between dots, as in www.example.com");
}

/// One byte of presentation text, escaped or not; nothing if an escape is wrong.
std::optional<char> take_byte(std::string_view& text) {
  const char first = text.front();
  text.remove_prefix(1);
  if (first != '\\') return first > ' ' && first < '\x7f' ? std::optional(first) : std::nullopt;
  if (text.empty()) return std::nullopt;
  if (!is_ascii_digit(text.front())) {
    const char escaped = text.front();
    text.remove_prefix(1);
    return escaped > ' ' && escaped < '\x7f' ? std::optional(escaped) : std::nullopt;
  }
  unsigned value = 0;
  if (text.size() < 3 || !std::all_of(text.begin(), text.begin() + 3, is_ascii_digit)) return std::nullopt;
  std::from_chars(text.data(), text.data() + 3, value);
  text.remove_prefix(3);
  return value <= 0xff ? std::optional(static_cast<char>(value)) : std::nullopt;
}

std::vector<std::string_view> labels_of(const DnsName& name) {
  std::vector<std::string_view> labels;
  ByteReader wire(name.wire());
  while (const std::uint8_t size = wire.u8()) labels.push_back(wire.take(size));
  return labels;
}

std::optional<IpAddress> reversed_v4(const std::vector<std::string_view>& labels) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::string_view label = labels[i];
    const char* const last = label.data() + label.size();
    if (const auto [end, error] = std::from_chars(label.data(), last, bytes[bytes.size() - 1 - i]);
        error != std::errc() || end != last)
      return std::nullopt;
  }
  return IpAddress::v4(bytes);
}

std::optional<IpAddress> reversed_v6(const std::vector<std::string_view>& labels) {
  IpAddress address;
  for (std::size_t i = 0; i < 32; ++i) {
    std::uint8_t nibble = 0;
    const std::string_view label = labels[i];
    if (label.size() != 1 || std::from_chars(label.data(), label.data() + 1, nibble, 16).ec != std::errc())
      return std::nullopt;
    std::uint8_t& byte = address.bytes[15 - i / 2];
    byte = static_cast<std::uint8_t>(byte | (i % 2 == 0 ? nibble : nibble << 4U));
  }
  return address;
}

}  // namespace

Result<DnsName> DnsName::parse(std::string_view text) {
  if (text == ".") return DnsName();
  const std::string_view whole = text;
  std::string wire;
  std::string label;
  while (true) {
    const bool at_end = text.empty();
    if (at_end || text.front() == '.') {
      if (label.empty()) return bad_name(whole, "a label is empty");
      if (label.size() > kMostLabel) return bad_name(whole, "a label is longer than 63 bytes");
      append_u8(wire, static_cast<std::uint8_t>(label.size()));
      wire += label;
      label.clear();
      if (!at_end) text.remove_prefix(1);
      if (text.empty()) break;
      continue;
    }
    const auto byte = take_byte(text);
    if (!byte) return bad_name(whole, "it has a character that has to be written as \\DDD (or as xn--...)");
    label += *byte;
  }
  wire += '\0';
  if (wire.size() > kMostName) return bad_name(whole, "it is longer than 255 bytes");
  return DnsName(wire);
}

std::optional<DnsName> DnsName::read(ByteReader& bytes) {
  std::string wire;
  while (true) {
    const std::uint8_t size = bytes.u8();
    if (!bytes.ok() || size > kMostLabel) return std::nullopt;
    append_u8(wire, size);
    if (size == 0) return DnsName(wire);
    wire += bytes.take(size);
    if (!bytes.ok() || wire.size() >= kMostName) return std::nullopt;
  }
}

std::string DnsName::text() const {
  std::string text;
  for (const std::string_view label : labels_of(*this)) {
    if (!text.empty()) text += '.';
    for (const char c : label) {
      if (c == '.' || c == '\\') {
        text += '\\';
        text += c;
      } else if (c > ' ' && c < '\x7f') {
        text += c;
      } else {
        text += fmt::format("\\{:03}", static_cast<std::uint8_t>(c));
      }
    }
  }
  return text.empty() ? "." : text;
}

std::string DnsName::key() const {
  return ascii_lower(text());
}

std::size_t DnsName::labels() const {
  return labels_of(*this).size();
}

std::string_view DnsName::first_label() const {
  return std::string_view(wire_).substr(1, static_cast<std::uint8_t>(wire_.front()));
}

DnsName DnsName::parent() const {
  return is_root() ? DnsName() : DnsName(std::string_view(wire_).substr(1 + first_label().size()));
}

bool DnsName::is_below(const DnsName& suffix) const {
  std::string_view rest = wire_;
  while (rest.size() > suffix.wire_.size()) {
    rest.remove_prefix(1U + static_cast<std::uint8_t>(rest.front()));
    if (equal_ignoring_case(rest, suffix.wire_)) return true;
  }
  return false;
}

bool operator==(const DnsName& a, const DnsName& b) {
  return equal_ignoring_case(a.wire_, b.wire_);
}

std::optional<IpAddress> reversed_address(const DnsName& name) {
  static const DnsName kV4 = *DnsName::parse("in-addr.arpa");
  static const DnsName kV6 = *DnsName::parse("ip6.arpa");
  const auto labels = labels_of(name);
  if (labels.size() == 6 && name.is_below(kV4)) return reversed_v4(labels);
  if (labels.size() == 34 && name.is_below(kV6)) return reversed_v6(labels);
  return std::nullopt;
}

}  // namespace rehearse::gate
