#include "gate/dns_message.h"

#include <algorithm>

namespace rehearse::gate {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kIsResponse = 0x8000;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kCheckingDisabled = 0x0010;
constexpr std::uint32_t kDnssecOk = 0x8000;
constexpr std::uint16_t kToQuestion = 0xc00c;  ///< compression pointer to the question's name

constexpr std::uint16_t kOwnUdpSize = 1232;  ///< fits into every path's packets (DNS flag day 2020)
constexpr std::size_t kLeastUdp = 512;
constexpr std::size_t kMostUdp = 4096;
constexpr std::size_t kMostTcp = 65535;

/// Past the name of a record that is skipped: a pointer ends it and is not followed.
void skip_name(ByteReader& bytes) {
  while (bytes.ok()) {
    const std::uint8_t size = bytes.u8();
    if (size >= 0xc0) bytes.u8();
    if (size == 0 || size >= 0xc0) return;
    bytes.take(size < 0x40 ? size : bytes.left() + 1);  // 0x40 and 0x80 are nothing that is in use
  }
}

bool are_options(std::string_view data) {
  ByteReader options(data);
  while (options.ok() && !options.empty()) {
    options.u16();
    options.take(options.u16());
  }
  return options.ok();
}

/// What the additional section is worth.
DnsRcode read_additional(ByteReader& bytes, std::uint16_t records, std::optional<DnsEdns>& edns) {
  DnsRcode problem = DnsRcode::kNoError;
  for (; records > 0 && bytes.ok(); --records) {
    const std::size_t before = bytes.left();
    skip_name(bytes);
    const bool is_root = before - bytes.left() == 1;
    const auto type = static_cast<DnsType>(bytes.u16());
    const std::uint16_t record_class = bytes.u16();
    const std::uint32_t ttl = bytes.u32();
    const std::string_view data = bytes.take(bytes.u16());
    if (type != DnsType::kOpt) continue;
    if (edns || !is_root || !are_options(data)) return DnsRcode::kFormErr;
    edns = DnsEdns{record_class, (ttl & kDnssecOk) != 0};
    if ((ttl >> 16U & 0xffU) != 0) problem = DnsRcode::kBadVersion;
  }
  return bytes.finished() ? problem : DnsRcode::kFormErr;
}

void append_record(std::string& out, const DnsRecord& record, const DnsName& question) {
  // The letters that were asked with have to come back: those of the question, if the names are equal.
  if (record.owner == question) {
    append_u16(out, kToQuestion);
  } else {
    out += record.owner.wire();
  }
  append_u16(out, static_cast<std::uint16_t>(record.type));
  append_u16(out, kDnsClassInternet);
  append_u32(out, record.ttl);
  const std::string data = record_data(record);
  append_u16(out, static_cast<std::uint16_t>(data.size()));
  out += data;
}

void append_edns(std::string& out, const DnsEdns& edns, DnsRcode rcode) {
  append_u8(out, 0);
  append_u16(out, static_cast<std::uint16_t>(DnsType::kOpt));
  append_u16(out, kOwnUdpSize);
  append_u32(out, static_cast<std::uint32_t>(rcode) >> 4U << 24U | (edns.dnssec_ok ? kDnssecOk : 0));
  append_u16(out, 0);
}

std::string build(const DnsQuery& query, const DnsReply& reply, std::uint16_t more_flags) {
  std::string out;
  append_u16(out, query.id);
  unsigned flags = kIsResponse | kRecursionAvailable | more_flags;
  flags |= unsigned{query.opcode} << 11U | (static_cast<unsigned>(reply.rcode) & 0xfU);
  if (query.recursion_desired) flags |= kRecursionDesired;
  if (query.checking_disabled) flags |= kCheckingDisabled;
  append_u16(out, static_cast<std::uint16_t>(flags));
  append_u16(out, query.has_question ? 1 : 0);
  append_u16(out, static_cast<std::uint16_t>(reply.answers.size()));
  append_u16(out, static_cast<std::uint16_t>(reply.authority.size()));
  append_u16(out, query.edns ? 1 : 0);
  if (query.has_question) {
    out += query.name.wire();
    append_u16(out, static_cast<std::uint16_t>(query.type));
    append_u16(out, query.query_class);
  }
  for (const DnsRecord& record : reply.answers) append_record(out, record, query.name);
  for (const DnsRecord& record : reply.authority) append_record(out, record, query.name);
  if (query.edns) append_edns(out, *query.edns, reply.rcode);
  return out;
}

}  // namespace

std::optional<DnsQuery> parse_query(std::string_view message) {
  if (message.size() < kHeader) return std::nullopt;
  ByteReader bytes(message);
  DnsQuery query;
  query.id = bytes.u16();
  const std::uint16_t flags = bytes.u16();
  if ((flags & kIsResponse) != 0) return std::nullopt;
  query.opcode = flags >> 11U & 0xfU;
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  query.checking_disabled = (flags & kCheckingDisabled) != 0;
  const std::uint16_t questions = bytes.u16();
  const std::uint16_t answers = bytes.u16();
  const std::uint16_t authority = bytes.u16();
  const std::uint16_t additional = bytes.u16();
  if (query.opcode != 0) {
    query.problem = DnsRcode::kNotImp;
    return query;
  }
  query.problem = DnsRcode::kFormErr;
  if (questions != 1) return query;  // RFC 9619
  const auto name = DnsName::read(bytes);
  if (!name) return query;
  const auto type = static_cast<DnsType>(bytes.u16());
  const std::uint16_t query_class = bytes.u16();
  if (!bytes.ok()) return query;
  query.has_question = true;
  query.name = *name;
  query.type = type;
  query.query_class = query_class;
  if (answers != 0 || authority != 0) return query;
  query.problem = read_additional(bytes, additional, query.edns);
  return query;
}

std::size_t response_limit(const DnsQuery& query, DnsTransport transport) {
  if (transport == DnsTransport::kTcp) return kMostTcp;
  return query.edns ? std::clamp<std::size_t>(query.edns->udp_size, kLeastUdp, kMostUdp) : kLeastUdp;
}

std::string build_response(const DnsQuery& query, const DnsReply& reply, std::size_t limit) {
  std::string whole = build(query, reply, 0);
  if (whole.size() <= limit) return whole;
  return build(query, DnsReply{reply.rcode, {}, {}}, kTruncated);
}

}  // namespace rehearse::gate
