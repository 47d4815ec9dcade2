// The clients of a manager on a listening socket: moves bytes between them and the state machine.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "units/manager.h"

namespace rehearse::units {

/// Not thread safe; never blocks. A client whose connection fails is forgotten; one that comes when there are
/// kMaxConnections waits in the socket's backlog.
class ClientLoop {
 public:
  /// What number a client has where it lives, from the one it has in this process's pid namespace; 0: not
  /// known.
  using Renumber = std::function<pid_t(pid_t)>;

  /// `manager` outlives it. `uid_shift`: what the clients' user namespace adds to user ids.
  ClientLoop(Manager& manager, UniqueFd listener, std::uint32_t uid_shift, Renumber renumber)
      : manager_(manager),
        listener_(std::move(listener)),
        uid_shift_(uid_shift),
        renumber_(std::move(renumber)) {}

  /// Appends what is to be waited for.
  void add_polls(std::vector<struct pollfd>& polls) const;
  /// `polls`: those of the last add_polls(), with results.
  void serve(std::span<const struct pollfd> polls);
  /// Sends what an answer from elsewhere has made ready.
  void flush();

 private:
  struct Client {
    UniqueFd socket;
    Manager::ConnectionId id = 0;
  };
  void accept();
  bool exchange(const Client& client, short events);
  bool send(const Client& client);

  Manager& manager_;
  UniqueFd listener_;
  std::uint32_t uid_shift_;
  Renumber renumber_;
  std::vector<Client> clients_;
};

}  // namespace rehearse::units
