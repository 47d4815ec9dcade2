#include "gate/dns_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostText = 32768;  ///< of a TXT record: it has to fit into a message beside others
constexpr std::size_t kMostString = 255;  ///< RFC 1035 3.3

constexpr std::pair<DnsType, std::string_view> kNames[] = {
    {DnsType::kA, "A"},         {DnsType::kAaaa, "AAAA"},   {DnsType::kCname, "CNAME"},
    {DnsType::kMx, "MX"},       {DnsType::kNs, "NS"},       {DnsType::kPtr, "PTR"},
    {DnsType::kSrv, "SRV"},     {DnsType::kTxt, "TXT"},     {DnsType::kSoa, "SOA"},
    {DnsType::kOpt, "OPT"},     {DnsType::kSvcb, "SVCB"},   {DnsType::kHttps, "HTTPS"},
    {DnsType::kIxfr, "IXFR"},   {DnsType::kAxfr, "AXFR"},   {DnsType::kAny, "ANY"},
    {DnsType::kCaa, "CAA"},     {DnsType::kDs, "DS"},       {DnsType::kDnskey, "DNSKEY"},
    {DnsType::kNaptr, "NAPTR"}, {DnsType::kSshfp, "SSHFP"}, {DnsType::kTlsa, "TLSA"},
};
constexpr std::size_t kMockTypes = 8;  ///< the first ones of kNames

tl::unexpected<Error> bad_data(DnsType type, std::string_view text, std::string_view example) {
  return fail(fmt::format("\"{}\" is not the data of a DNS record of type {}", text, to_string(type)),
              ExitCode::kConfig, fmt::format("write it as \"{}\"", example));
}

std::optional<std::uint16_t> take_number(std::string_view& text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return value;
}

Result<DnsData> parse_address(DnsType type, std::string_view text) {
  const auto address = parse_ip(text);
  // ::ffff:1.2.3.4 is an address of both kinds; as data it can only be read as the IPv4 one.
  const bool fits = address && address->is_v4() == (type == DnsType::kA);
  if (!fits) return bad_data(type, text, type == DnsType::kA ? "192.0.2.5" : "2001:db8::5");
  return DnsData(*address);
}

Result<DnsData> parse_mx(std::string_view text) {
  std::string_view rest = text;
  const auto preference = take_number(rest);
  if (!preference) return bad_data(DnsType::kMx, text, "10 mail.example.com");
  RH_TRY(DnsName exchange, DnsName::parse(rest));
  return DnsData(DnsMx{*preference, std::move(exchange)});
}

Result<DnsData> parse_srv(std::string_view text) {
  std::string_view rest = text;
  std::array<std::uint16_t, 3> numbers{};
  for (std::uint16_t& number : numbers) {
    const auto value = take_number(rest);
    if (!value) return bad_data(DnsType::kSrv, text, "0 5 443 web.example.com");
    number = *value;
  }
  RH_TRY(DnsName target, DnsName::parse(rest));
  return DnsData(DnsSrv{numbers[0], numbers[1], numbers[2], std::move(target)});
}

/// The string up to the closing quote, which is taken too; nothing if there is none.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  text.remove_prefix(1);
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c == '"') return value;
    if (c == '\\') {
      if (text.empty()) return std::nullopt;
      c = text.front();
      text.remove_prefix(1);
    }
    value += c;
  }
  return std::nullopt;
}

Result<DnsData> parse_txt(std::string_view text) {
  constexpr std::string_view kExample = "v=spf1 -all, or strings of at most 255 bytes in double quotes";
  if (text.size() > kMostText) {
    return fail(fmt::format("the data of a TXT record is {} bytes long", text.size()), ExitCode::kConfig,
                fmt::format("at most {} fit into an answer", kMostText));
  }
  DnsTxt strings;
  if (!text.starts_with('"')) {
    do {
      strings.emplace_back(text.substr(0, kMostString));
      text.remove_prefix(strings.back().size());
    } while (!text.empty());
    return DnsData(std::move(strings));
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    auto one = rest.starts_with('"') ? take_quoted(rest) : std::nullopt;
    if (!one || one->size() > kMostString) return bad_data(DnsType::kTxt, text, kExample);
    strings.push_back(std::move(*one));
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  return DnsData(std::move(strings));
}

/// Appends the data of one kind.
struct Encoder {
  DnsType type;
  std::string& out;

  void operator()(const IpAddress& address) const {
    const std::size_t skip = type == DnsType::kA ? 12 : 0;
    out.append(reinterpret_cast<const char*>(address.bytes.data()) + skip, address.bytes.size() - skip);
  }
  void operator()(const DnsName& name) const { out += name.wire(); }
  void operator()(const DnsMx& mx) const {
    append_u16(out, mx.preference);
    out += mx.exchange.wire();
  }
  void operator()(const DnsSrv& srv) const {
    for (const std::uint16_t number : {srv.priority, srv.weight, srv.port}) append_u16(out, number);
    out += srv.target.wire();
  }
  void operator()(const DnsTxt& strings) const {
    for (const std::string& one : strings) {
      append_u8(out, static_cast<std::uint8_t>(one.size()));
      out += one;
    }
  }
  void operator()(const DnsSoa& soa) const {
    out += soa.server.wire() + soa.mailbox.wire();
    for (const std::uint32_t number : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum})
      append_u32(out, number);
  }
};

}  // namespace

std::string to_string(DnsType type) {
  const auto* const found = std::ranges::find(kNames, type, &std::pair<DnsType, std::string_view>::first);
  if (found != std::end(kNames)) return std::string(found->second);
  return fmt::format("TYPE{}", static_cast<unsigned>(type));
}

std::optional<DnsType> parse_type(std::string_view text) {
  const auto* const found = std::ranges::find(kNames, text, &std::pair<DnsType, std::string_view>::second);
  if (found != std::end(kNames)) return found->first;
  constexpr std::string_view kUnnamed = "TYPE";
  std::uint16_t number = 0;
  const char* const end = text.data() + text.size();
  if (!text.starts_with(kUnnamed)) return std::nullopt;
  const auto [stopped, error] = std::from_chars(text.data() + kUnnamed.size(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return static_cast<DnsType>(number);
}

std::optional<DnsType> parse_mock_type(std::string_view text) {
  const auto* const last = std::begin(kNames) + kMockTypes;
  const auto* const found = std::find_if(
      std::begin(kNames), last, [&](const auto& named) { return equal_ignoring_case(named.second, text); });
  return found == last ? std::nullopt : std::optional(found->first);
}

Result<DnsData> parse_mock_data(DnsType type, std::string_view text) {
  switch (type) {
    case DnsType::kA:
    case DnsType::kAaaa:
      return parse_address(type, text);
    case DnsType::kMx:
      return parse_mx(text);
    case DnsType::kSrv:
      return parse_srv(text);
    case DnsType::kTxt:
      return parse_txt(text);
    default:
      return DnsName::parse(text).map([](DnsName&& name) { return DnsData(std::move(name)); });
  }
}

std::string record_data(const DnsRecord& record) {
  std::string out;
  std::visit(Encoder{record.type, out}, record.data);
  return out;
}

}  // namespace rehearse::gate
