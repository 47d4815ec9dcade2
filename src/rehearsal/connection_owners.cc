#include "rehearsal/connection_owners.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "bpf/events.h"

namespace rehearse {
namespace {

using Destination = std::tuple<gate::Protocol, IpAddress, std::uint16_t>;
using Ends = std::tuple<gate::Protocol, IpAddress, std::uint16_t, std::uint16_t>;

std::uint64_t distance(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : b - a;
}

/// A port may have been used again: the nearest in time.
std::uint32_t nearest(const std::vector<const trace::SocketSource*>& sources, std::uint64_t time_ns) {
  const auto found = std::ranges::min_element(sources, {}, [time_ns](const trace::SocketSource* source) {
    return distance(source->time_ns, time_ns);
  });
  return found == sources.end() ? 0 : (*found)->process;
}

}  // namespace

gate::Protocol protocol_of(trace::Transport transport) {
  return transport == trace::Transport::kUdp ? gate::Protocol::kUdp : gate::Protocol::kTcp;
}

ConnectionOwners find_owners(const std::vector<gate::ConnectionRecord>& connections,
                             const std::vector<trace::NetworkAttempt>& attempts,
                             const std::vector<trace::SocketSource>& sources) {
  std::map<Ends, std::vector<const trace::SocketSource*>> by_ends;
  for (const trace::SocketSource& source : sources)
    by_ends[{protocol_of(source.transport), source.address, source.port, source.source}].push_back(&source);
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
    const auto found =
        by_ends.find({connection.protocol, connection.address, connection.port, connection.client_port});
    if (found == by_ends.end()) continue;
    const std::uint32_t owner = nearest(found->second, static_cast<std::uint64_t>(connection.begun_ns));
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
