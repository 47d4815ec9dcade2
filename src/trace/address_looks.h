// By which of its addresses a name is nearest (RFC 6724): getaddrinfo(3) connects a datagram socket to each
// of them, looks at the source address that the kernel chose, and sends nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>
#include <vector>

#include "trace/network_attempt.h"
#include "trace/record.h"

namespace rehearse::trace {

/// Holds the connects of datagram sockets back until it is known what they were. A look is what glibc does,
/// and nothing else: one thread, a socket of its own for each family, two addresses or more with one port, in
/// between no other call, and the socket is closed.
class AddressLooks {
 public:
  using Note = std::function<void(NetworkAttempt)>;
  explicit AddressLooks(Note note) : note_(std::move(note)) {}

  /// Every record of the action.
  void add(const Record& record);
  /// The hook has judged an address that a thread has given a socket, `attempt` unless something inside
  /// listens there. False: it is no look, and nothing was taken.
  bool take(std::uint32_t tid, const IpAddress& address, std::uint16_t port, NetworkAttempt* attempt);
  /// No more records come.
  void finish();

 private:
  struct Look {
    int family = 0;
    std::int32_t fd = -1;
    std::uint16_t port = 0;
    std::set<IpAddress> addresses;
    std::vector<NetworkAttempt> attempts;
  };

  void made(const Record& record);
  void settle(std::uint32_t tid);

  Note note_;
  std::unordered_map<std::uint32_t, Look> looks_;  ///< by thread
};

}  // namespace rehearse::trace
