#include "units/client_loop.h"

#include <sys/socket.h>

#include <cerrno>
#include <string>

namespace rehearse::units {

void ClientLoop::add_polls(std::vector<struct pollfd>& polls) const {
  const bool room = clients_.size() < kMaxConnections;
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

void ClientLoop::flush() {
  std::erase_if(clients_, [this](const Client& client) {
    const bool open = send(client) && !manager_.finished(client.id);
    if (!open) manager_.disconnect(client.id);
    return !open;
  });
}

void ClientLoop::accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  struct ucred peer = {};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  const std::uint32_t uid = peer.uid >= uid_shift_ ? peer.uid - uid_shift_ : peer.uid;
  if (const auto id = manager_.connect({renumber_(peer.pid), uid}))
    clients_.push_back({std::move(socket), *id});
}

/// False when the connection is over.
bool ClientLoop::exchange(const Client& client, short events) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    if (!manager_.wants_input(client.id)) return (events & (POLLHUP | POLLERR)) == 0;
    std::string chunk(kMaxRequest, '\0');
    const ssize_t n = ::recv(client.socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (n > 0) manager_.receive(client.id, std::string_view(chunk).substr(0, static_cast<std::size_t>(n)));
  }
  return send(client) && !manager_.finished(client.id);
}

bool ClientLoop::send(const Client& client) {
  while (!manager_.output(client.id).empty()) {
    const std::string_view output = manager_.output(client.id);
    const ssize_t n = ::send(client.socket.get(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    manager_.sent(client.id, static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace rehearse::units
