// The data of DNS records as a person writes them in a mock file (RFC 1035 5.1, RFC 2782, RFC 3596): checked
// and brought into the one form that DnsRecord has.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "gate/mock.h"

namespace rehearse::gate {

/// "A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT".
Result<DnsType> parse_dns_type(std::string_view text);
Result<std::string> parse_dns_data(DnsType type, std::string_view text);
/// Something that parses.
std::string_view dns_data_example(DnsType type);

}  // namespace rehearse::gate
