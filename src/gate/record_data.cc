#include "gate/record_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gate/ip_range.h"
#include "gate/rule_text.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestText = 4096;

struct Type {
  std::string_view name;
  DnsType type;
  int numbers;  ///< in front of a name; -1: the data has no name
  std::string_view example;
};
constexpr Type kTypes[] = {{"A", DnsType::kA, -1, "192.0.2.1"},
                           {"AAAA", DnsType::kAaaa, -1, "2001:db8::1"},
                           {"CNAME", DnsType::kCname, 0, "www.example.com"},
                           {"MX", DnsType::kMx, 1, "10 mail.example.com"},
                           {"PTR", DnsType::kPtr, 0, "host.example.com"},
                           {"SRV", DnsType::kSrv, 3, "0 5 5060 sip.example.com"},
                           {"TXT", DnsType::kTxt, -1, "v=spf1 -all"}};

const Type& info(DnsType type) {
  return *std::ranges::find(kTypes, type, &Type::type);
}

tl::unexpected<Error> wrong(const Type& type, std::string_view text) {
  return fail(fmt::format("\"{}\" is no data of a record of type {}", text.substr(0, 80), type.name),
              ExitCode::kUsage, fmt::format("write it as in a zone file: \"{}\"", type.example));
}

}  // namespace

Result<DnsType> parse_dns_type(std::string_view text) {
  const auto* const found = std::ranges::find(kTypes, text, &Type::name);
  if (found != std::end(kTypes)) return found->type;
  return fail(fmt::format("\"{}\" is no type of record known here", text.substr(0, 80)), ExitCode::kUsage,
              "write A, AAAA, CNAME, MX, PTR, SRV or TXT");
}

std::string_view dns_data_example(DnsType type) {
  return info(type).example;
}

Result<std::string> parse_dns_data(DnsType kind, std::string_view text) {
  const Type& type = info(kind);
  if (kind == DnsType::kTxt) {
    if (text.size() <= kLongestText) return std::string(text);
    return fail("the text is longer than 4096 bytes", ExitCode::kUsage, "shorten it");
  }
  if (kind == DnsType::kA || kind == DnsType::kAaaa) {
    const auto address = parse_ip(text);
    if (!address || address->is_v4() != (kind == DnsType::kA)) return wrong(type, text);
    return format_ip(*address);
  }
  std::string data;
  std::string_view rest = text;
  for (int i = 0; i < type.numbers; ++i) {
    const std::size_t blank = rest.find(' ');
    if (blank == std::string_view::npos) return wrong(type, text);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + blank, number);
    if (error != std::errc() || end != rest.data() + blank) return wrong(type, text);
    data += fmt::format("{} ", number);
    rest.remove_prefix(std::min(rest.find_first_not_of(' ', blank), rest.size()));
  }
  const auto name = parse_host_name(rest);
  if (!name) return wrong(type, text);
  return data + *name;
}

}  // namespace rehearse::gate
