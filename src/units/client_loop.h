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

/// Not thread safe; never blocks. A client whose connection fails is forgotten. When there are
/// kMaxConnections, one that comes takes the place of whoever has neither said nor read anything for the
/// longest time, and for kIdle at least; until there is one it waits in the socket's backlog. With more than
/// kMaxOutput unsent in all, that one goes too.
class ClientLoop {
 public:
  static constexpr std::int64_t kIdle = 1'000'000'000;  ///< nanoseconds
  static constexpr std::size_t kMaxOutput = std::size_t{64} << 20U;

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
  /// And how long at most, in milliseconds; -1: for ever.
  [[nodiscard]] int patience() const;
  /// `polls`: those of the last add_polls(), with results.
  void serve(std::span<const struct pollfd> polls);
  /// Sends what an answer from elsewhere has made ready.
  void flush();

 private:
  struct Client {
    UniqueFd socket;
    Manager::ConnectionId id = 0;
    std::int64_t active_ns = 0;  ///< when bytes moved last
  };
  using Clients = std::vector<Client>;
  [[nodiscard]] bool full() const { return clients_.size() >= kMaxConnections; }
  /// Nobody waits for an edit whose client has to go.
  template <class Pick>
  [[nodiscard]] Clients::const_iterator longest_idle(Pick pick) const;
  [[nodiscard]] Clients::const_iterator replaceable() const;
  void drop(Clients::const_iterator client);
  void shed_output();
  void accept();
  bool exchange(Client& client, short events);
  bool send(Client& client);

  Manager& manager_;
  UniqueFd listener_;
  std::uint32_t uid_shift_;
  Renumber renumber_;
  Clients clients_;
};

}  // namespace rehearse::units
