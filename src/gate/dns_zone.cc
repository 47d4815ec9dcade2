#include "gate/dns_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "gate/record_data.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostAtName = 48 * 1024;  ///< bytes of records: they go into one message of 64 KiB
constexpr std::size_t kRecordHead = 12;         ///< bytes beside the data

std::size_t size_of(const DnsEntry& entry) {
  std::size_t size = 0;
  for (const DnsRecord& record : entry.records) size += kRecordHead + record_data(record).size();
  return size;
}

/// What `mock` cannot stand beside, "" if there is nothing.
std::string_view contradiction(const DnsEntry& entry, bool absent, DnsType type) {
  if (entry.records.empty() && !entry.absent) return {};
  if (absent || entry.absent) return "the name is said not to exist";
  // RFC 1034 3.6.2: an alias has no other data.
  if (type == DnsType::kCname || entry.find(DnsType::kCname) != nullptr)
    return "the name is an alias (CNAME)";
  return {};
}

}  // namespace

const DnsRecord* DnsEntry::find(DnsType type) const {
  const auto found = std::ranges::find(records, type, &DnsRecord::type);
  return found == records.end() ? nullptr : &*found;
}

bool is_localhost(const DnsName& name) {
  static const DnsName kLocalhost = *DnsName::parse("localhost");
  return name == kLocalhost || name.is_below(kLocalhost);
}

Result<DnsEntry*> DnsZone::entry_for(std::string_view text) {
  const bool is_pattern = text == "*" || text.starts_with("*.");
  const std::string_view suffix = !is_pattern ? text : text == "*" ? "." : text.substr(2);
  RH_TRY(const DnsName name, DnsName::parse(suffix));
  if (is_localhost(name)) {
    return fail(fmt::format("\"{}\" cannot be mocked: it is always the loopback address", text),
                ExitCode::kConfig, "mock the port on 127.0.0.1 instead");
  }
  return &(is_pattern ? patterns_ : exact_)[name.key()];
}

Result<void> DnsZone::add(const DnsMock& mock) {
  const bool absent = mock.type == kNoSuchName;
  const auto type = parse_mock_type(mock.type);
  if (!absent && !type) {
    return fail(fmt::format("\"{}\" is not a type of DNS record that can be mocked", mock.type),
                ExitCode::kConfig, "use A, AAAA, CNAME, MX, NS, PTR, SRV, TXT or NXDOMAIN");
  }
  RH_TRY(DnsEntry * entry, entry_for(mock.name));
  const auto why = contradiction(*entry, absent, type.value_or(DnsType::kA));
  if (!why.empty())
    return fail(fmt::format("another record contradicts it: {}", why), ExitCode::kConfig,
                "remove one of them");
  if (absent) {
    if (!mock.data.empty())
      return fail("a name that does not exist has no data", ExitCode::kConfig, "remove the data");
    entry->absent = true;
    return {};
  }
  RH_TRY(DnsData data, parse_mock_data(*type, mock.data));
  entry->records.push_back({{}, *type, mock.ttl, std::move(data)});
  if (size_of(*entry) > kMostAtName)
    return fail(fmt::format("the name has more than {} bytes of records", kMostAtName), ExitCode::kConfig,
                "remove some: an answer has to fit into one message");
  return {};
}

Result<DnsZone> DnsZone::create(std::span<const DnsMock> mocks, std::span<const std::string> existing) {
  DnsZone zone;
  for (const std::string& name : existing) {
    if (auto entry = zone.entry_for(name); !entry) return tl::make_unexpected(std::move(entry).error());
  }
  for (const DnsMock& mock : mocks) {
    if (auto added = zone.add(mock); !added)
      return with_context(std::move(added).error(),
                          fmt::format("{}{}DNS mock {} {}", mock.place, mock.place.empty() ? "" : ": ",
                                      mock.name, mock.type));
  }
  return zone;
}

std::size_t DnsZone::addresses() const {
  std::set<IpAddress> all;
  for (const auto* entries : {&exact_, &patterns_}) {
    for (const auto& [name, entry] : *entries) {
      for (const DnsRecord& record : entry.records)
        if (const auto* address = std::get_if<IpAddress>(&record.data)) all.insert(*address);
    }
  }
  return all.size();
}

const DnsEntry* DnsZone::find(const DnsName& name) const {
  if (const auto found = exact_.find(name.key()); found != exact_.end()) return &found->second;
  if (patterns_.empty()) return nullptr;
  for (DnsName suffix = name; !suffix.is_root();) {
    suffix = suffix.parent();
    if (const auto found = patterns_.find(suffix.key()); found != patterns_.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace rehearse::gate
