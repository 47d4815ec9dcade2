// DNS messages (RFC 1035 4): a query that somebody sent, the response to it.
//
// Queries are hostile. What is understood is one question of opcode 0 and the EDNS record (RFC 6891); what
// else a message may have is checked for its form and skipped. Nothing is signed: a resolver that validates
// (DNSSEC) will not believe any answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gate/dns_name.h"
#include "gate/dns_record.h"

namespace rehearse::gate {

enum class DnsRcode : std::uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVersion = 16,  ///< of EDNS
};

enum class DnsTransport { kUdp, kTcp };

inline constexpr std::uint16_t kDnsClassInternet = 1;

struct DnsEdns {
  std::uint16_t udp_size = 0;  ///< what the asker can take
  bool dnssec_ok = false;
};

struct DnsQuery {
  std::uint16_t id = 0;
  std::uint8_t opcode = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  /// Other than kNoError: what it has to be answered with, and only what was read before that is set.
  DnsRcode problem = DnsRcode::kNoError;
  bool has_question = false;
  DnsName name;
  DnsType type = DnsType::kA;
  std::uint16_t query_class = kDnsClassInternet;
  std::optional<DnsEdns> edns;
};

/// Nothing for what gets no answer: less than a header, or a response.
std::optional<DnsQuery> parse_query(std::string_view message);

struct DnsReply {
  DnsRcode rcode = DnsRcode::kNoError;
  std::vector<DnsRecord> answers;
  std::vector<DnsRecord> authority;
};

/// The largest response that the asker can take: 512 bytes of UDP, or what EDNS says up to 4096; 65535 of
/// TCP.
std::size_t response_limit(const DnsQuery& query, DnsTransport transport);

/// The message that answers `query`: its question as it was asked, EDNS if it had that. If it would be
/// larger than `limit`, one without records that says so (TC): the asker comes back by TCP.
std::string build_response(const DnsQuery& query, const DnsReply& reply, std::size_t limit);

}  // namespace rehearse::gate
