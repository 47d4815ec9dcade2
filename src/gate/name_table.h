// Which synthetic addresses stand for which name within a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "gate/dns_name.h"

namespace rehearse::gate {

/// What a name is answered with. Both end in the same four bytes: 198.18.7.9 and 2001:2::c612:709.
struct SyntheticAddresses {
  IpAddress v4;
  IpAddress v6;
};

/// A name keeps its addresses as long as the table lives. They are drawn from the name's digest, so that
/// they are nearly always the same in the next run too and two runs can be compared. Not thread safe.
///
/// Bounded, since the action chooses names: kMostNames names, kMostBytes of their text. When either is
/// reached, new names get nothing, and the names of before keep theirs.
class NameTable {
 public:
  static constexpr std::size_t kMostNames = 32768;
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20U;

  /// The addresses of `name`, new ones if it has none. Nothing when the table is full.
  std::optional<SyntheticAddresses> assign(const DnsName& name);
  /// The name (DnsName::key) behind a synthetic address. Valid as long as the table.
  [[nodiscard]] std::optional<std::string_view> name_of(const IpAddress& address) const;
  [[nodiscard]] std::size_t size() const { return slots_.size(); }

 private:
  [[nodiscard]] std::uint32_t free_slot(std::string_view key) const;

  std::map<std::string, std::uint32_t, std::less<>> slots_;
  std::map<std::uint32_t, std::string_view> names_;  ///< by slot; the text is the key's in slots_
  std::size_t bytes_ = 0;
};

}  // namespace rehearse::gate
