#include "gate/record_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "gate/dns_record.h"

namespace rehearse::gate {
namespace {

struct Example {
  std::string_view type;
  std::string_view data;
};
constexpr Example kExamples[] = {{"A", "192.0.2.1"},
                                 {"AAAA", "2001:db8::1"},
                                 {"CNAME", "www.example.com"},
                                 {"MX", "10 mail.example.com"},
                                 {"NS", "ns.example.com"},
                                 {"PTR", "host.example.com"},
                                 {"SRV", "0 5 5060 sip.example.com"},
                                 {"TXT", "v=spf1 -all"}};

}  // namespace

Result<std::string> parse_dns_type(std::string_view text) {
  if (text == kNoSuchName || std::ranges::find(kExamples, text, &Example::type) != std::end(kExamples))
    return std::string(text);
  return fail(fmt::format("\"{}\" is no type of record known here", text.substr(0, 80)), ExitCode::kUsage,
              "write A, AAAA, CNAME, MX, NS, PTR, SRV, TXT or NXDOMAIN");
}

std::string_view dns_data_example(std::string_view type) {
  return std::ranges::find(kExamples, type, &Example::type)->data;
}

Result<std::string> parse_dns_data(std::string_view type, std::string_view text) {
  if (parse_mock_data(*parse_mock_type(type), text)) return std::string(text);
  return fail(fmt::format("\"{}\" is no data of a record of type {}", text.substr(0, 80), type),
              ExitCode::kUsage, fmt::format("write it as in a zone file: \"{}\"", dns_data_example(type)));
}

}  // namespace rehearse::gate
