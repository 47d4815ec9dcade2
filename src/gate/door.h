// Where connections that a rule passes wait until it is known whether there is somebody to connect to: the
// packet program holds their first packet back and shows it to the gate, which lets it in or turns it away.
// So a connect fails inside as it does outside.
#pragma once

#include "gate/packet.h"
#include "gate/run_sockets.h"

namespace rehearse::gate {

/// Not thread safe. The sockets outlive it.
class Door {
 public:
  explicit Door(const RunSockets& sockets) : sockets_(sockets) {}

  /// The next that waits at a socket, syn4 or syn6; nothing if there is none, or if it is none.
  [[nodiscard]] std::optional<Knock> next(int socket, bool& more) const;
  /// The kernel accepts it: the client's connection comes to the gate's socket.
  void let_in(const Knock& knock) const;
  /// The client's connect fails. Of errors that no packet says it sees ECONNREFUSED; of ETIMEDOUT nothing,
  /// until its own time is up.
  void turn_away(const Knock& knock, int error) const;

 private:
  void send(const std::string& packet, const IpAddress& to, int four, int six) const;

  const RunSockets& sockets_;
};

}  // namespace rehearse::gate
