#include "gate/replay.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace rehearse::gate {
namespace {

/// Nothing if the file has something else than an address there.
std::optional<Endpoint> endpoint_of(const KeptExchange& kept) {
  Endpoint endpoint;
  endpoint.protocol = kept.protocol;
  endpoint.ports = {kept.port, kept.port};
  if (!kept.name.empty()) {
    endpoint.target = NameTarget{kept.name, false};
    return endpoint;
  }
  const auto address = parse_ip(kept.address);
  if (!address) return std::nullopt;
  endpoint.target = IpBlock(*address, 128);
  return endpoint;
}

}  // namespace

Replay::Replay(std::vector<KeptExchange> exchanges, const std::string& place, const RedactionRules& rules)
    : place_(place) {
  std::ranges::stable_sort(exchanges, {}, &KeptExchange::time_ns);
  using Key = std::pair<std::string, std::uint16_t>;
  std::map<Key, std::vector<KeptExchange>> groups;
  for (KeptExchange& kept : exchanges) {
    if (kept.protocol != Protocol::kTcp) continue;
    groups[{kept.name.empty() ? kept.address : kept.name, kept.port}].push_back(std::move(kept));
  }
  for (auto& [key, group] : groups) {
    const auto endpoint = endpoint_of(group.front());
    if (endpoint) destinations_.push_back({*endpoint, std::make_unique<Recording>(std::move(group), rules)});
  }
}

void Replay::add_to(Rules& rules) const {
  for (const Destination& destination : destinations_) {
    const bool mocked = std::ranges::any_of(
        rules.mock, [&](const Mock& mock) { return mock.listen == destination.endpoint; });
    if (mocked) continue;
    rules.mock.push_back({destination.endpoint, false, ReplayMock{destination.recording.get()}, place_});
  }
}

}  // namespace rehearse::gate
