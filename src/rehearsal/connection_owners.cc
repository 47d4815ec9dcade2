#include "rehearsal/connection_owners.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "bpf/events.h"

namespace rehearse {
namespace {

using Destination = std::tuple<gate::Protocol, IpAddress, std::uint16_t>;
std::uint64_t distance(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : b - a;
}

}  // namespace

gate::Protocol protocol_of(trace::Transport transport) {
  return transport == trace::Transport::kUdp ? gate::Protocol::kUdp : gate::Protocol::kTcp;
}

SocketOwners::SocketOwners(const std::vector<trace::SocketSource>& sources) {
  for (const trace::SocketSource& source : sources)
    by_ends_[{protocol_of(source.transport), source.address, source.port, source.source}].push_back(&source);
}

std::uint32_t SocketOwners::find(gate::Protocol protocol, const IpAddress& to, std::uint16_t port,
                                 std::uint16_t client_port, std::int64_t time_ns) const {
  const auto sources = by_ends_.find({protocol, to, port, client_port});
  if (sources == by_ends_.end()) return 0;
  const auto at = static_cast<std::uint64_t>(time_ns);
  const auto nearest = std::ranges::min_element(
      sources->second, {}, [at](const trace::SocketSource* source) { return distance(source->time_ns, at); });
  return (*nearest)->process;
}

ConnectionOwners find_owners(const std::vector<gate::ConnectionRecord>& connections,
                             const std::vector<trace::NetworkAttempt>& attempts,
                             const SocketOwners& sockets) {
  std::map<Destination, std::vector<std::uint32_t>> tried;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (attempt.verdict != RH_GATE) continue;
    auto& processes = tried[{protocol_of(attempt.transport), attempt.address, attempt.port}];
    if (std::ranges::find(processes, attempt.process) == processes.end())
      processes.push_back(attempt.process);
  }

  ConnectionOwners owners;
  std::set<std::pair<Destination, std::uint32_t>> have;
  for (const gate::ConnectionRecord& connection : connections) {
    const Destination destination(connection.protocol, connection.address, connection.port);
    const auto processes = tried.find(destination);
    if (processes == tried.end()) continue;
    const std::uint32_t owner = sockets.find(connection.protocol, connection.address, connection.port,
                                             connection.client_port, connection.begun_ns);
    if (std::ranges::find(processes->second, owner) == processes->second.end()) continue;
    owners[&connection] = owner;
    have.emplace(destination, owner);
  }
  for (const gate::ConnectionRecord& connection : connections) {
    if (owners.contains(&connection)) continue;
    const Destination destination(connection.protocol, connection.address, connection.port);
    const auto processes = tried.find(destination);
    if (processes == tried.end()) continue;
    const auto without = std::ranges::find_if(processes->second, [&](std::uint32_t process) {
      return !have.contains({destination, process});
    });
    const std::uint32_t owner = without == processes->second.end() ? processes->second.front() : *without;
    owners[&connection] = owner;
    have.emplace(destination, owner);
  }
  return owners;
}

}  // namespace rehearse
