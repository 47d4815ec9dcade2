// Whose the connections are that the gate took. The gate knows a client by address and port, the trace tells
// which process had a socket with that port.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "gate/gate_log.h"
#include "trace/network_attempts.h"

namespace rehearse {

/// Which process had the socket that something came from.
class SocketOwners {
 public:
  SocketOwners() = default;
  /// Borrowed.
  explicit SocketOwners(const std::vector<trace::SocketSource>& sources);
  /// A port may have been used again: the nearest in time counts. 0: the trace has not seen the socket.
  [[nodiscard]] std::uint32_t find(gate::Protocol protocol, const IpAddress& to, std::uint16_t port,
                                   std::uint16_t client_port, std::int64_t time_ns) const;

 private:
  using Ends = std::tuple<gate::Protocol, IpAddress, std::uint16_t, std::uint16_t>;
  std::map<Ends, std::vector<const trace::SocketSource*>> by_ends_;
};

/// Of each connection the process; 0: none that tried to reach its destination. A connection whose socket the
/// trace has not seen connected (fast open, a caller that was killed in the call) is taken for that of the
/// first process that tried and has none.
using ConnectionOwners = std::map<const gate::ConnectionRecord*, std::uint32_t>;

/// The protocol under which the gate has what an attempt leads to.
gate::Protocol protocol_of(trace::Transport transport);

/// All are borrowed; what is returned points into `connections`.
ConnectionOwners find_owners(const std::vector<gate::ConnectionRecord>& connections,
                             const std::vector<trace::NetworkAttempt>& attempts, const SocketOwners& sockets);

}  // namespace rehearse
