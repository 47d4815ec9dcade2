// Answers what the action asks a name server, whichever it asks: no question leaves the sandbox.
//
// Order, for one question:
//   localhost and the loopback's reverse names: this machine (RFC 6761 6.3);
//   the reverse name of a synthetic address: its name;
//   what the zone says: the mocked records (eight aliases are followed), or that the name does not exist. A
//   name with a mocked address of one family has none of the other; names that no public server knows, and
//   all others if the options say so: NXDOMAIN; A and AAAA: synthetic addresses; anything else: the name
//   exists and has no such record (NODATA).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "gate/dns_message.h"
#include "gate/dns_zone.h"
#include "gate/name_table.h"

namespace rehearse::gate {

inline constexpr std::size_t kMostAliases = 8;  ///< that are followed for one question

enum class DnsAnswer {
  kSynthetic,  ///< with the addresses that the name table gave, or the name behind one
  kMocked,     ///< with what the zone says
  kLocal,      ///< this machine
  kNoData,     ///< the name exists, a record of that type does not
  kNxDomain,   ///< the name does not exist
  kRefused,    ///< malformed, a transfer, of another class, or the name table is full
};

/// "synthetic", "mocked", "local", "nodata", "nxdomain", "refused".
std::string_view to_string(DnsAnswer answer);

/// What is recorded of a query.
struct DnsQuestion {
  std::string name;  ///< DnsName::key: printable, lower case; "." is the root
  DnsType type = DnsType::kA;
  DnsAnswer answered = DnsAnswer::kRefused;
  std::vector<IpAddress> addresses;  ///< that the name was answered with
};

struct DnsExchange {
  std::string response;                 ///< empty: there is nothing to answer
  std::optional<DnsQuestion> question;  ///< none if the query has none that can be read
  /// What the addresses are the answer for: the name, and on the way of aliases those behind it.
  std::vector<std::string> names;
};

struct DnsOptions {
  bool nxdomain = false;  ///< names that the zone says nothing of do not exist
};

/// Not thread safe. The zone and the table have to outlive it.
class DnsResponder {
 public:
  DnsResponder(const DnsZone& zone, NameTable& names, DnsOptions options)
      : zone_(zone), names_(names), options_(options) {}

  /// `query` is one datagram, or one message of DnsStream; the response of kTcp still wants dns_frame().
  DnsExchange answer(std::string_view query, DnsTransport transport);

 private:
  struct Decision {
    DnsAnswer answered = DnsAnswer::kNoData;
    DnsReply reply;
  };

  Decision decide(const DnsQuery& query);
  void resolve(const DnsName& asked, DnsType type, Decision& decision);
  bool take_local(const DnsName& name, DnsType type, Decision& decision);
  static void add_mocked(const DnsRecord& record, const DnsName& owner, Decision& decision);
  static bool take_mocked(const DnsEntry& entry, const DnsName& name, DnsType type, Decision& decision);
  void take_synthetic(const DnsName& name, DnsType type, Decision& decision);
  [[nodiscard]] bool does_not_exist(const DnsName& name, DnsType type) const;
  [[nodiscard]] std::optional<DnsName> reverse_lookup(const IpAddress& address) const;

  const DnsZone& zone_;
  NameTable& names_;
  DnsOptions options_;
};

}  // namespace rehearse::gate
