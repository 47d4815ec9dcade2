#include "gate/dns_responder.h"

#include <algorithm>
#include <span>
#include <variant>

#include "gate/address.h"

namespace rehearse::gate {
namespace {

constexpr std::uint32_t kTtl = 60;  ///< seconds; the addresses stay as long as the run

/// What asks for something else than the records of a name.
bool is_no_record(DnsType type) {
  const auto number = static_cast<unsigned>(type);
  // 128 to 254 are questions about messages, zones and keys (RFC 6895 3.1), 41 is the record of EDNS.
  return number == 0 || type == DnsType::kOpt || (number >= 128 && type < DnsType::kAny);
}

bool wants(DnsType asked, DnsType type) {
  return asked == type || asked == DnsType::kAny;
}
bool is_address(DnsType type) {
  return type == DnsType::kA || type == DnsType::kAaaa;
}

bool is_under(const DnsName& name, std::span<const DnsName> zones) {
  return std::ranges::any_of(zones, [&](const DnsName& zone) { return name == zone || name.is_below(zone); });
}

/// Names that a public server answers with NXDOMAIN, or that programs ask for to learn about the resolver and
/// would take a synthetic address for a yes.
bool is_never_public(const DnsName& name) {
  static const DnsName kZones[] = {
      *DnsName::parse("invalid"),                 // RFC 6761 6.4
      *DnsName::parse("onion"),                   // RFC 7686
      *DnsName::parse("alt"),                     // RFC 9476
      *DnsName::parse("use-application-dns.net")  // a yes would let Firefox pass the resolver by
  };
  return is_under(name, kZones);
}

/// Has no address as a host would: below arpa are reverse names and questions about the network (an address
/// of ipv4only.arpa would announce a translator, RFC 7050); one label alone is for search lists and host
/// files; digits at the end are an address that was taken for a name.
bool has_no_host(const DnsName& name) {
  static const DnsName kArpa[] = {*DnsName::parse("arpa")};
  if (is_under(name, kArpa) || name.labels() == 1) return true;
  DnsName last = name;
  while (last.labels() > 1) last = last.parent();
  const std::string_view label = last.first_label();
  return !label.empty() && std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; });
}

/// Says how long a denial may be kept (RFC 2308): not at all, so that every attempt is seen.
DnsRecord start_of_authority() {
  static const DnsName kServer = *DnsName::parse("gate.rehearse.invalid");
  static const DnsName kMailbox = *DnsName::parse("nobody.rehearse.invalid");
  return {DnsName(), DnsType::kSoa, 0, DnsSoa{.server = kServer, .mailbox = kMailbox}};
}

DnsRecord address_record(const DnsName& owner, const IpAddress& address) {
  return {owner, address.is_v4() ? DnsType::kA : DnsType::kAaaa, kTtl, address};
}

std::vector<IpAddress> addresses_in(const DnsReply& reply) {
  std::vector<IpAddress> addresses;
  for (const DnsRecord& record : reply.answers) {
    if (const auto* address = std::get_if<IpAddress>(&record.data)) addresses.push_back(*address);
  }
  return addresses;
}

/// The names that records of the answer have, each once, in their order.
std::vector<std::string> owners_in(const DnsReply& reply) {
  std::vector<std::string> names;
  for (const DnsRecord& record : reply.answers) {
    std::string name = record.owner.key();
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::string_view to_string(DnsAnswer answer) {
  switch (answer) {
    case DnsAnswer::kSynthetic:
      return "synthetic";
    case DnsAnswer::kMocked:
      return "mocked";
    case DnsAnswer::kLocal:
      return "local";
    case DnsAnswer::kNoData:
      return "nodata";
    case DnsAnswer::kNxDomain:
      return "nxdomain";
    case DnsAnswer::kRefused:
      return "refused";
  }
  return "unknown";
}

DnsExchange DnsResponder::answer(std::string_view message, DnsTransport transport) {
  const auto query = parse_query(message);
  if (!query) return {};
  const Decision decision = decide(*query);
  DnsExchange exchange;
  exchange.response = build_response(*query, decision.reply, response_limit(*query, transport));
  if (query->has_question) {
    exchange.question =
        DnsQuestion{query->name.key(), query->type, decision.answered, addresses_in(decision.reply)};
    exchange.names = owners_in(decision.reply);
  }
  return exchange;
}

DnsResponder::Decision DnsResponder::decide(const DnsQuery& query) {
  if (query.problem != DnsRcode::kNoError) return {DnsAnswer::kRefused, {query.problem, {}, {}}};
  if (query.query_class != kDnsClassInternet || is_no_record(query.type))
    return {DnsAnswer::kRefused, {DnsRcode::kRefused, {}, {}}};
  Decision decision;
  resolve(query.name, query.type, decision);
  const bool denied = decision.answered == DnsAnswer::kNoData || decision.answered == DnsAnswer::kNxDomain;
  if (denied) decision.reply.authority.push_back(start_of_authority());
  return decision;
}

void DnsResponder::resolve(const DnsName& asked, DnsType type, Decision& decision) {
  DnsName name = asked;
  for (std::size_t aliases = 0; aliases <= kMostAliases; ++aliases) {
    if (take_local(name, type, decision)) return;
    const DnsEntry* const entry = zone_.find(name);
    if (entry == nullptr ? does_not_exist(name, type) : entry->absent) {
      decision.answered = DnsAnswer::kNxDomain;
      decision.reply.rcode = DnsRcode::kNxDomain;
      return;
    }
    const DnsRecord* const alias = entry == nullptr ? nullptr : entry->find(DnsType::kCname);
    if (alias == nullptr || wants(type, DnsType::kCname)) {
      if (entry == nullptr || !take_mocked(*entry, name, type, decision))
        take_synthetic(name, type, decision);
      return;
    }
    add_mocked(*alias, name, decision);
    name = std::get<DnsName>(alias->data);
  }
  decision.answered = DnsAnswer::kRefused;  // aliases that go round
  decision.reply = {DnsRcode::kServFail, {}, {}};
}

bool DnsResponder::take_local(const DnsName& name, DnsType type, Decision& decision) {
  auto& answers = decision.reply.answers;
  const auto before = answers.size();
  if (is_localhost(name)) {
    decision.answered = DnsAnswer::kLocal;
    if (wants(type, DnsType::kA)) answers.push_back(address_record(name, kLoopbackV4));
    if (wants(type, DnsType::kAaaa)) answers.push_back(address_record(name, kLoopbackV6));
  } else {
    const auto reversed = reversed_address(name);
    const auto host = reversed ? reverse_lookup(*reversed) : std::nullopt;
    if (!host) return false;
    decision.answered = is_localhost(*host) ? DnsAnswer::kLocal : DnsAnswer::kSynthetic;
    if (wants(type, DnsType::kPtr)) answers.push_back({name, DnsType::kPtr, kTtl, *host});
  }
  if (answers.size() == before) decision.answered = DnsAnswer::kNoData;
  return true;
}

bool DnsResponder::does_not_exist(const DnsName& name, DnsType type) const {
  if (options_.nxdomain || is_never_public(name) || reversed_address(name)) return true;
  return (is_address(type) || type == DnsType::kAny) && has_no_host(name);
}

void DnsResponder::add_mocked(const DnsRecord& record, const DnsName& owner, Decision& decision) {
  decision.answered = DnsAnswer::kMocked;
  decision.reply.answers.push_back(record);
  decision.reply.answers.back().owner = owner;
}

bool DnsResponder::take_mocked(const DnsEntry& entry, const DnsName& name, DnsType type, Decision& decision) {
  const auto before = decision.reply.answers.size();
  for (const DnsRecord& record : entry.records) {
    if (wants(type, record.type)) add_mocked(record, name, decision);
  }
  if (decision.reply.answers.size() > before) return true;
  // The one family alone is what was mocked: an address of the other would lead elsewhere.
  if (!is_address(type) || (entry.find(DnsType::kA) == nullptr && entry.find(DnsType::kAaaa) == nullptr))
    return false;
  decision.answered = DnsAnswer::kNoData;
  return true;
}

void DnsResponder::take_synthetic(const DnsName& name, DnsType type, Decision& decision) {
  auto& answers = decision.reply.answers;
  const bool asks_address = wants(type, DnsType::kA) || wants(type, DnsType::kAaaa);
  // _http._tcp.example.com is the name of a service, not of a host.
  if (!asks_address || name.is_root() || name.first_label().starts_with('_')) {
    decision.answered = DnsAnswer::kNoData;
    return;
  }
  const auto addresses = names_.assign(name);
  if (!addresses) {
    decision.answered = DnsAnswer::kRefused;
    decision.reply = {DnsRcode::kRefused, {}, {}};
    return;
  }
  decision.answered = answers.empty() ? DnsAnswer::kSynthetic : DnsAnswer::kMocked;  // behind an alias
  if (wants(type, DnsType::kA)) answers.push_back(address_record(name, addresses->v4));
  if (wants(type, DnsType::kAaaa)) answers.push_back(address_record(name, addresses->v6));
}

std::optional<DnsName> DnsResponder::reverse_lookup(const IpAddress& address) const {
  static const DnsName kLocalhost = *DnsName::parse("localhost");
  if (classify(address) == AddressClass::kLoopback) return kLocalhost;
  const auto name = names_.name_of(address);
  if (!name) return std::nullopt;
  // A key is a name's own text.
  return *DnsName::parse(*name);
}

}  // namespace rehearse::gate
