#include "units/client_loop.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/clock.h"

namespace rehearse::units {
namespace {

constexpr std::size_t kMostSent = std::size_t{1} << 20U;  ///< to one client, until others have had their turn
constexpr std::int64_t kMillisecond = 1'000'000;

}  // namespace

template <class Pick>
ClientLoop::Clients::const_iterator ClientLoop::longest_idle(Pick pick) const {
  auto found = clients_.end();
  for (auto client = clients_.begin(); client != clients_.end(); ++client) {
    if (manager_.waits_for_edit(client->id) || !pick(*client)) continue;
    if (found == clients_.end() || client->active_ns < found->active_ns) found = client;
  }
  return found;
}

/// Who goes if another client wants its place.
ClientLoop::Clients::const_iterator ClientLoop::replaceable() const {
  return longest_idle(
      [now = monotonic_ns()](const Client& client) { return now - client.active_ns >= kIdle; });
}

void ClientLoop::drop(Clients::const_iterator client) {
  manager_.disconnect(client->id);
  clients_.erase(client);
}

int ClientLoop::patience() const {
  if (!full() || replaceable() != clients_.end()) return -1;
  const auto next = longest_idle([](const Client&) { return true; });
  if (next == clients_.end()) return -1;
  const std::int64_t left = next->active_ns + kIdle - monotonic_ns();
  return static_cast<int>(std::max<std::int64_t>(left, 0) / kMillisecond + 1);
}

void ClientLoop::add_polls(std::vector<struct pollfd>& polls) const {
  const bool room = !full() || replaceable() != clients_.end();
  polls.push_back({room ? listener_.get() : -1, POLLIN, 0});
  for (const Client& client : clients_) {
    const int wanted =
        (manager_.wants_input(client.id) ? POLLIN : 0) | (manager_.output(client.id).empty() ? 0 : POLLOUT);
    // One that is waited for by nothing may still hang up.
    polls.push_back({client.socket.get(), static_cast<short>(wanted), 0});
  }
}

void ClientLoop::serve(std::span<const struct pollfd> polls) {
  std::vector<Client> open;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const short events = i + 1 < polls.size() ? polls[i + 1].revents : short{0};
    if (events == 0 || exchange(clients_[i], events))
      open.push_back(std::move(clients_[i]));
    else
      manager_.disconnect(clients_[i].id);
  }
  clients_ = std::move(open);
  if (!polls.empty() && polls.front().revents != 0) accept();
}

/// Replies that nobody reads.
void ClientLoop::shed_output() {
  while (manager_.pending_output() > kMaxOutput) {
    const auto client = longest_idle([this](const Client& one) { return !manager_.output(one.id).empty(); });
    if (client == clients_.end()) return;
    // Its place in the list stays: serve() goes through it.
    manager_.disconnect(client->id);
  }
}

void ClientLoop::flush() {
  std::erase_if(clients_, [this](Client& client) {
    const bool open = send(client) && !manager_.finished(client.id);
    if (!open) manager_.disconnect(client.id);
    return !open;
  });
}

void ClientLoop::accept() {
  if (full()) {
    const auto idle = replaceable();
    if (idle == clients_.end()) return;
    drop(idle);
  }
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  const std::uint32_t uid = peer.uid >= uid_shift_ ? peer.uid - uid_shift_ : peer.uid;
  if (const auto id = manager_.connect({renumber_(peer.pid), uid}))
    clients_.push_back({std::move(socket), *id, monotonic_ns()});
}

/// False when the connection is over.
bool ClientLoop::exchange(Client& client, short events) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    if (!manager_.wants_input(client.id)) return (events & (POLLHUP | POLLERR)) == 0;
    std::string chunk(kMaxRequest, '\0');
    const ssize_t n = ::recv(client.socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (n > 0) {
      client.active_ns = monotonic_ns();
      manager_.receive(client.id, std::string_view(chunk).substr(0, static_cast<std::size_t>(n)));
      shed_output();
    }
  }
  return send(client) && !manager_.finished(client.id);
}

bool ClientLoop::send(Client& client) {
  std::size_t sent = 0;
  while (!manager_.output(client.id).empty() && sent < kMostSent) {
    const std::string_view output = manager_.output(client.id);
    const ssize_t n = ::send(client.socket.get(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    client.active_ns = monotonic_ns();
    sent += static_cast<std::size_t>(n);
    manager_.sent(client.id, static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace rehearse::units
