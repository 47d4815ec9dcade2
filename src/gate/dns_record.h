// Resource records: the types that mocks can have, as data, as text and as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"
#include "gate/dns_name.h"

namespace rehearse::gate {

/// Numbers of the IANA registry. A query may have any other.
enum class DnsType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kNaptr = 35,
  kOpt = 41,
  kDs = 43,
  kSshfp = 44,
  kDnskey = 48,
  kTlsa = 52,
  kSvcb = 64,
  kHttps = 65,
  kIxfr = 251,
  kAxfr = 252,
  kAny = 255,
  kCaa = 257,
};

/// "AAAA"; "TYPE99" for one without a name here (RFC 3597).
std::string to_string(DnsType type);
/// What to_string() gives.
std::optional<DnsType> parse_type(std::string_view text);

struct DnsMx {
  std::uint16_t preference = 0;
  DnsName exchange;
};
struct DnsSrv {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  DnsName target;
};
struct DnsSoa {
  DnsName server;
  DnsName mailbox;
  std::uint32_t serial = 1;
  std::uint32_t refresh = 3600;
  std::uint32_t retry = 600;
  std::uint32_t expire = 86400;
  std::uint32_t minimum = 0;
};
/// Strings of at most 255 bytes each.
using DnsTxt = std::vector<std::string>;

/// IpAddress for A and AAAA, DnsName for CNAME, NS and PTR.
using DnsData = std::variant<IpAddress, DnsName, DnsMx, DnsSrv, DnsTxt, DnsSoa>;

struct DnsRecord {
  DnsName owner;
  DnsType type = DnsType::kA;
  std::uint32_t ttl = 0;  ///< seconds
  DnsData data;           ///< of the kind that `type` has
};

/// The types that a mock can have: A, AAAA, CNAME, MX, NS, PTR, SRV, TXT.
std::optional<DnsType> parse_mock_type(std::string_view text);
/// Data of a mock as zone files have it (RFC 1035 5): "10.0.0.5", "10 mail.example.com", "0 5 443
/// web.example.com"; TXT is the text itself, or strings in double quotes. kConfig for anything else.
Result<DnsData> parse_mock_data(DnsType type, std::string_view text);

/// What follows a record's length in a message. At most 65535 bytes for what parse_mock_data() gives.
std::string record_data(const DnsRecord& record);

}  // namespace rehearse::gate
