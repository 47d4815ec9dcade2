// What the operator says names are: mocked records, names that do not exist, names that do.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/dns_record.h"

namespace rehearse::gate {

/// One mocked record as the operator writes it.
struct DnsMock {
  std::string name;        ///< "www.example.com"; "*.example.com": every name below; "*": every name
  std::string type;        ///< see parse_mock_type(); NXDOMAIN, with no data: the name does not exist
  std::uint32_t ttl = 60;  ///< seconds
  std::string data;        ///< see parse_mock_data()
  std::string place = {};  ///< where it is written, for errors; may be empty
};

/// What is said of a name. Without records and not absent: the name exists (a service is mocked or passed
/// under it) and is answered as names are by default.
struct DnsEntry {
  std::vector<DnsRecord> records;  ///< the owner is set when a name is answered
  bool absent = false;

  /// The first record of the type, null if there is none.
  [[nodiscard]] const DnsRecord* find(DnsType type) const;
};

/// An exact name wins over any pattern, the pattern with the most labels over others; entries are not merged.
/// Immutable: may be used by several threads.
class DnsZone {
 public:
  /// Nothing is said of any name.
  DnsZone() = default;
  /// `existing` are names or patterns, as in DnsMock. kConfig, naming the mock, for what cannot be read, for
  /// records that contradict each other, for localhost (it is always this machine), and for more at one name
  /// than a response can hold.
  static Result<DnsZone> create(std::span<const DnsMock> mocks, std::span<const std::string> existing = {});

  /// How many different addresses it answers with.
  [[nodiscard]] std::size_t addresses() const;
  /// Null if nothing is said of `name`.
  [[nodiscard]] const DnsEntry* find(const DnsName& name) const;

 private:
  Result<DnsEntry*> entry_for(std::string_view name);
  Result<void> add(const DnsMock& mock);

  std::map<std::string, DnsEntry> exact_;     ///< by DnsName::key
  std::map<std::string, DnsEntry> patterns_;  ///< by the key of what follows "*."
};

/// RFC 6761 6.3: localhost and every name below it is this machine, whatever a server says.
bool is_localhost(const DnsName& name);

}  // namespace rehearse::gate
