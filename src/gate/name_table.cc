#include "gate/name_table.h"

#include "base/digest.h"
#include "gate/address.h"

namespace rehearse::gate {
namespace {

/// Addresses whose last byte is 0 or 255 are left out: some programs take them for a network or a broadcast.
constexpr std::uint32_t kHosts = 254;
constexpr std::uint32_t kSlots = (std::uint32_t{1} << 9U) * kHosts;
static_assert(NameTable::kMostNames < kSlots);  // a free one is always found

IpAddress with_low32(IpAddress address, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i)
    address.bytes[12 + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  return address;
}

SyntheticAddresses addresses_of(std::uint32_t slot) {
  const std::uint32_t host = slot / kHosts << 8U | (slot % kHosts + 1);
  const IpAddress v4 = with_low32(kSyntheticV4.address(), kSyntheticV4.address().low32() | host);
  return {v4, with_low32(kSyntheticV6.address(), v4.low32())};
}

std::optional<std::uint32_t> slot_of(const IpAddress& address) {
  if (!kSyntheticV4.contains(address) && !kSyntheticV6.contains(address)) return std::nullopt;
  const std::uint32_t host = address.low32() ^ kSyntheticV4.address().low32();
  const std::uint32_t last = host & 0xffU;
  if (host >> 17U != 0 || last == 0 || last == 0xff) return std::nullopt;
  const std::uint32_t slot = (host >> 8U) * kHosts + last - 1;
  // Of the larger block, only what addresses_of() gives.
  const SyntheticAddresses own = addresses_of(slot);
  return address == own.v4 || address == own.v6 ? std::optional(slot) : std::nullopt;
}

}  // namespace

std::uint32_t NameTable::free_slot(std::string_view key) const {
  const Sha256 digest = sha256(key);
  std::uint32_t slot =
      (std::uint32_t{digest[0]} << 16U | std::uint32_t{digest[1]} << 8U | digest[2]) % kSlots;
  // At most as many steps as there are names, whoever chose them.
  while (names_.contains(slot)) slot = (slot + 1) % kSlots;
  return slot;
}

std::optional<SyntheticAddresses> NameTable::assign(const DnsName& name) {
  std::string key = name.key();
  if (const auto found = slots_.find(key); found != slots_.end()) return addresses_of(found->second);
  if (slots_.size() >= kMostNames || bytes_ + key.size() > kMostBytes) return std::nullopt;
  const std::uint32_t slot = free_slot(key);
  bytes_ += key.size();
  const auto added = slots_.emplace(std::move(key), slot).first;
  names_.emplace(slot, added->first);
  return addresses_of(slot);
}

std::optional<std::string_view> NameTable::name_of(const IpAddress& address) const {
  const auto slot = slot_of(address);
  if (!slot) return std::nullopt;
  const auto found = names_.find(*slot);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace rehearse::gate
