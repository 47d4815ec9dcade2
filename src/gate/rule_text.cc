#include "gate/rule_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "base/edit_distance.h"
#include "base/units.h"

namespace rehearse::gate {
namespace {

constexpr std::string_view kLoopbackWord = "host-loopback";
constexpr std::pair<std::string_view, int> kRefusals[] = {{"ECONNREFUSED", ECONNREFUSED},
                                                          {"ENETUNREACH", ENETUNREACH},
                                                          {"ETIMEDOUT", ETIMEDOUT},
                                                          {"EHOSTUNREACH", EHOSTUNREACH},
                                                          {"EPERM", EPERM},
                                                          {"drop", Refusal::kDrop}};

constexpr std::size_t kLongestRule = 1024;
constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;

constexpr std::size_t kNoColumn = 0;

/// A piece of a rule that knows where in the rule it begins; kNoColumn if it stands alone.
struct Piece {
  std::string_view text;
  std::size_t column = 1;

  [[nodiscard]] Piece from(std::size_t byte) const {
    const std::string_view before = text.substr(0, byte);
    const auto is_first = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; };
    const auto skipped = static_cast<std::size_t>(std::ranges::count_if(before, is_first));
    return {text.substr(before.size()), column == kNoColumn ? kNoColumn : column + skipped};
  }
  [[nodiscard]] Piece first(std::size_t bytes) const { return {text.substr(0, bytes), column}; }
};

tl::unexpected<Error> rule_error(const Piece& piece, std::string_view what, std::string fix) {
  std::string line =
      piece.column == kNoColumn ? std::string(what) : fmt::format("rule, column {}: {}", piece.column, what);
  return fail(std::move(line), ExitCode::kUsage, std::move(fix));
}

/// The piece as an error shows it: cut, since it can be as long as the rule.
std::string shown(const Piece& piece) {
  constexpr std::size_t kMost = 60;
  if (piece.text.empty()) return "nothing";
  return fmt::format("'{}{}'", piece.text.substr(0, kMost), piece.text.size() > kMost ? "…" : "");
}

/// An error of another parser, placed in the rule.
tl::unexpected<Error> placed(const Piece& piece, const Error& error) {
  return rule_error(piece, error.what, error.fix);
}

bool looks_like_address(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.empty() && std::ranges::all_of(last, is_ascii_digit);
}

Result<std::string> parse_name(const Piece& piece) {
  const auto wrong = [&](std::string_view why, std::string fix) {
    return rule_error(piece, fmt::format("{} is no host name: {}", shown(piece), why), std::move(fix));
  };
  std::string name = ascii_lower(piece.text);
  if (name.ends_with('.')) name.pop_back();
  if (name.empty()) return wrong("it is empty", "write a name such as deb.example.org");
  if (name.size() > kLongestName)
    return wrong("it has more than 253 characters", "a resolver knows no longer names (RFC 1035)");
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || name[i] == '.') {
      if (i == begin || i - begin > kLongestLabel)
        return wrong("a part between dots has 1 to 63 characters", "write a name such as deb.example.org");
      if (name[begin] == '-' || name[i - 1] == '-')
        return wrong("a part begins or ends with '-'", "write a name such as deb.example.org");
      begin = i + 1;
      continue;
    }
    const char c = name[i];
    if (static_cast<unsigned char>(c) >= 0x80)
      return wrong("it is not ASCII", "write it as the network does, with xn--");
    if (!is_ascii_letter(c) && !is_ascii_digit(c) && c != '-' && c != '_')
      return wrong("names have letters, digits, '-' and dots",
                   "stars stand only before a name: *.example.org, or alone");
  }
  if (looks_like_address(name))
    return wrong("a name does not end in a number, and it is no address",
                 "write an address such as 10.0.0.5");
  return name;
}

Result<Target> parse_block(const Piece& piece, std::string_view address) {
  const auto block = IpBlock::parse(address);
  if (!block)
    return rule_error(piece, fmt::format("{} is no address or block of addresses", shown(piece)),
                      "write 10.0.0.5, 10.0.0.0/8, [2001:db8::1] or [2001:db8::]/32");
  if (block->lowest() != block->address())
    return rule_error(piece, fmt::format("{} has bits set behind its length", shown(piece)),
                      fmt::format("write {} for the block, or the address alone",
                                  format_ip(IpBlock(block->lowest(), block->bits()))));
  return *block;
}

Result<Target> parse_host(const Piece& piece) {
  const std::string_view text = piece.text;
  if (text == "*") return AnyHost();
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    const std::string_view inner = text.substr(1, end == std::string_view::npos ? end : end - 1);
    if (end == std::string_view::npos)
      return rule_error(piece, "the bracket is not closed", "write [2001:db8::1]:443");
    return parse_block(piece, fmt::format("{}{}", inner, text.substr(end + 1)));
  }
  if (text.find('/') != std::string_view::npos) return parse_block(piece, text);
  if (looks_like_address(text)) return parse_block(piece, text);
  const bool suffix = text.starts_with("*.");
  RH_TRY(std::string name, parse_name(piece.from(suffix ? 2 : 0)));
  if (name == kLoopbackWord && !suffix) return HostLoopback();
  return NameTarget{std::move(name), suffix};
}

Result<std::uint16_t> parse_port(const Piece& piece) {
  unsigned port = 0;
  const char* const end = piece.text.data() + piece.text.size();
  const auto [stop, error] = std::from_chars(piece.text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0 || port > 65535)
    return rule_error(piece, fmt::format("{} is no port", shown(piece)),
                      "write a port from 1 to 65535, a range such as 1000-2000, or *");
  return static_cast<std::uint16_t>(port);
}

Result<PortRange> parse_ports(const Piece& piece) {
  if (piece.text == "*") return PortRange();
  const std::size_t dash = piece.text.find('-');
  RH_TRY(const std::uint16_t first, parse_port(piece.first(dash)));
  if (dash == std::string_view::npos) return PortRange{first, first};
  RH_TRY(const std::uint16_t last, parse_port(piece.from(dash + 1)));
  if (last < first)
    return rule_error(piece, fmt::format("the ports {} end before they begin", shown(piece)),
                      fmt::format("write {}-{}", last, first));
  return PortRange{first, last};
}

/// Where the host ends: the last colon behind any brackets; npos if there is none.
std::size_t port_colon(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t from = bracket == std::string_view::npos ? 0 : bracket;
  const std::size_t colon = text.substr(from).rfind(':');
  return colon == std::string_view::npos ? colon : from + colon;
}

Result<Endpoint> parse_endpoint(Piece piece) {
  Endpoint endpoint;
  if (piece.text.size() > kLongestRule)
    return rule_error(piece, "the rule is longer than 1024 bytes", "write one rule for each destination");
  if (piece.text.starts_with("udp:")) endpoint.protocol = Protocol::kUdp;
  if (piece.text.starts_with("tcp:") || piece.text.starts_with("udp:")) piece = piece.from(4);
  const std::size_t colon = port_colon(piece.text);
  if (colon == std::string_view::npos)
    return rule_error(piece, fmt::format("{} has no port", shown(piece)),
                      "write PROTOCOL:HOST:PORT, such as tcp:deb.example.org:443, or * for any port");
  const Piece host = piece.first(colon);
  const std::size_t inner = host.text.find(':');
  if (!host.text.starts_with('[') && inner != std::string_view::npos) {
    if (parse_ip(host.text) || host.text.find(':', inner + 1) != std::string_view::npos)
      return rule_error(host, fmt::format("{} has colons without brackets", shown(host)),
                        "write an IPv6 address in brackets: tcp:[2001:db8::1]:443");
    return rule_error(host, fmt::format("{} is no protocol", shown(host.first(inner))), "write tcp or udp");
  }
  RH_TRY(endpoint.target, parse_host(host));
  RH_TRY(endpoint.ports, parse_ports(piece.from(colon + 1)));
  return endpoint;
}

Result<Endpoint> parse_pass_endpoint(const Piece& piece) {
  RH_TRY(Endpoint endpoint, parse_endpoint(piece));
  const auto* block = std::get_if<IpBlock>(&endpoint.target);
  if (block != nullptr && names_range(*block, AddressClass::kLoopback))
    return rule_error(piece, "inside, a loopback address is the sandbox's own",
                      fmt::format("write host-loopback:{} for the host's", endpoint.ports.first));
  return endpoint;
}

Result<std::uint64_t> parse_limit(const Piece& piece) {
  const auto bytes = parse_bytes(piece.text);
  if (!bytes) return placed(piece, bytes.error());
  if (*bytes == 0) return rule_error(piece, "a limit of nothing lets nothing through", "leave the rule out");
  return *bytes;
}

Result<std::uint64_t> parse_rate(const Piece& piece) {
  if (!piece.text.ends_with("/s"))
    return rule_error(piece, fmt::format("{} is no rate", shown(piece)), "write bytes a second: 10MiB/s");
  return parse_limit(piece.first(piece.text.size() - 2));
}

Result<std::int64_t> parse_time_limit(const Piece& piece) {
  const auto time = parse_duration(piece.text);
  if (!time) return placed(piece, time.error());
  if (*time == 0) return rule_error(piece, "a limit of nothing lets nothing through", "leave the rule out");
  return *time;
}

Result<Refusal> parse_refusal(const Piece& piece) {
  for (const auto& [word, error] : kRefusals) {
    if (piece.text == word) return Refusal{error};
  }
  return rule_error(piece, fmt::format("{} is no way to deny", shown(piece)),
                    "write ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EHOSTUNREACH, EPERM or drop");
}

/// Takes the value if the option is not set yet.
template <class Value>
Result<> set_once(std::optional<Value>& option, Result<Value> value, const Piece& piece) {
  if (option) return rule_error(piece, "the option is given twice", "leave one of them out");
  if (!value) return tl::make_unexpected(std::move(value).error());
  option = *value;
  return {};
}

Result<> parse_option(const Piece& piece, PassRule& rule) {
  const std::size_t equals = piece.text.find('=');
  const std::string_view name = piece.text.substr(0, equals);
  const bool has_value = equals != std::string_view::npos;
  const Piece value = piece.from(has_value ? equals + 1 : equals);
  if (name == "record") {
    if (has_value) return rule_error(value, "record takes no value", "write record alone");
    if (rule.record == Record::kYes)
      return rule_error(piece, "the option is given twice", "leave one of them out");
    rule.record = Record::kYes;
    return {};
  }
  if (name == "bytes") return set_once(rule.limits.bytes, parse_limit(value), piece);
  if (name == "rate") return set_once(rule.limits.bytes_per_second, parse_rate(value), piece);
  if (name == "time") return set_once(rule.limits.time_ns, parse_time_limit(value), piece);
  constexpr std::string_view kOptions[] = {"bytes", "rate", "time", "record"};
  const std::string_view near = nearest_word(name, kOptions);
  return rule_error(piece, fmt::format("{} is no option", shown(piece.first(equals))),
                    near.empty() ? "options are bytes=SIZE, rate=SIZE/s, time=DURATION and record"
                                 : fmt::format("did you mean {}?", near));
}

/// The value with the greatest unit that divides it, so that it is read back exactly.
template <std::size_t N>
std::string exact(std::uint64_t value, const std::pair<std::string_view, std::uint64_t> (&units)[N]) {
  for (const auto& [name, factor] : units) {
    if (value % factor == 0) return fmt::format("{}{}", value / factor, name);
  }
  return fmt::to_string(value);
}

std::string exact_bytes(std::uint64_t bytes) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"GiB", 1U << 30U}, {"MiB", 1U << 20U}, {"KiB", 1U << 10U}, {"B", 1}};
  return exact(bytes, kUnits);
}

std::string exact_time(std::int64_t ns) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
      {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1}};
  return exact(static_cast<std::uint64_t>(ns), kUnits);
}

std::string to_text(const Target& target) {
  if (const auto* name = std::get_if<NameTarget>(&target)) return (name->suffix ? "*." : "") + name->name;
  if (const auto* block = std::get_if<IpBlock>(&target)) {
    std::string text = format_ip(*block);
    if (text.find(':') == std::string::npos) return text;
    const std::size_t slash = std::min(text.find('/'), text.size());
    return fmt::format("[{}]{}", text.substr(0, slash), text.substr(slash));
  }
  return std::holds_alternative<HostLoopback>(target) ? std::string(kLoopbackWord) : "*";
}

std::string to_text(const PortRange& ports) {
  if (ports == PortRange()) return "*";
  return ports.first == ports.last ? fmt::to_string(ports.first)
                                   : fmt::format("{}-{}", ports.first, ports.last);
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  return parse_endpoint(Piece{text});
}
Result<Endpoint> parse_pass_endpoint(std::string_view text) {
  return parse_pass_endpoint(Piece{text});
}
Result<Refusal> parse_refusal(std::string_view text) {
  return parse_refusal(Piece{text, kNoColumn});
}
Result<std::uint64_t> parse_limit(std::string_view text) {
  return parse_limit(Piece{text, kNoColumn});
}
Result<std::uint64_t> parse_rate(std::string_view text) {
  return parse_rate(Piece{text, kNoColumn});
}
Result<std::int64_t> parse_time_limit(std::string_view text) {
  return parse_time_limit(Piece{text, kNoColumn});
}
Result<std::string> parse_host_name(std::string_view text) {
  return parse_name(Piece{text, kNoColumn});
}

Result<std::string> parse_name_pattern(std::string_view text) {
  if (text == "*") return std::string(text);
  const std::size_t stars = text.starts_with("*.") ? 2 : 0;
  RH_TRY(const std::string name, parse_name(Piece{text.substr(stars), kNoColumn}));
  return std::string(text.substr(0, stars)) + name;
}

Result<PassRule> parse_pass(std::string_view text) {
  PassRule rule;
  const Piece whole{text};
  std::size_t comma = text.find(',');
  RH_TRY(rule.to, parse_pass_endpoint(whole.first(comma)));
  while (comma != std::string_view::npos) {
    const std::size_t begin = comma + 1;
    comma = text.find(',', begin);
    const std::size_t size = comma == std::string_view::npos ? comma : comma - begin;
    RH_CHECK(parse_option(whole.from(begin).first(size), rule));
  }
  return rule;
}

Result<DenyRule> parse_deny(std::string_view text) {
  DenyRule rule;
  const Piece whole{text};
  const std::size_t equals = text.find('=');
  RH_TRY(rule.to, parse_endpoint(whole.first(equals)));
  if (equals == std::string_view::npos) return rule;
  RH_TRY(rule.how, parse_refusal(whole.from(equals + 1)));
  return rule;
}

Result<Endpoint> parse_listen(std::string_view text) {
  RH_TRY(Endpoint endpoint, parse_endpoint(Piece{text}));
  if (std::holds_alternative<HostLoopback>(endpoint.target))
    return rule_error(
        Piece{text}, "a mock listens inside, where there is no host-loopback",
        fmt::format("write {}:127.0.0.1:{}", endpoint.protocol == Protocol::kTcp ? "tcp" : "udp",
                    to_text(endpoint.ports)));
  return endpoint;
}

std::string to_text(const Endpoint& endpoint) {
  const bool bare =
      endpoint.protocol == Protocol::kTcp && std::holds_alternative<HostLoopback>(endpoint.target);
  const std::string_view protocol = bare ? "" : endpoint.protocol == Protocol::kTcp ? "tcp:" : "udp:";
  return fmt::format("{}{}:{}", protocol, to_text(endpoint.target), to_text(endpoint.ports));
}

std::string to_text(const Refusal& refusal) {
  const auto* const found =
      std::ranges::find(kRefusals, refusal.error, [](const auto& pair) { return pair.second; });
  return std::string(found == std::end(kRefusals) ? kRefusals[0].first : found->first);
}

std::string to_text(const DenyRule& rule) {
  return fmt::format("{}={}", to_text(rule.to), to_text(rule.how));
}

std::string to_text(const PassRule& rule) {
  std::string text = to_text(rule.to);
  if (rule.limits.bytes) text += ",bytes=" + exact_bytes(*rule.limits.bytes);
  if (rule.limits.bytes_per_second) text += ",rate=" + exact_bytes(*rule.limits.bytes_per_second) + "/s";
  if (rule.limits.time_ns) text += ",time=" + exact_time(*rule.limits.time_ns);
  if (rule.record == Record::kYes) text += ",record";
  return text;
}

}  // namespace rehearse::gate
