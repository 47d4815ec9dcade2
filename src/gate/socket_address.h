// Addresses as the socket calls take them.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/ip_address.h"

namespace rehearse::gate {

struct SocketAddress {
  struct sockaddr_storage storage = {};
  socklen_t size = sizeof(struct sockaddr_storage);

  [[nodiscard]] struct sockaddr* get() { return reinterpret_cast<struct sockaddr*>(&storage); }
  [[nodiscard]] const struct sockaddr* get() const {
    return reinterpret_cast<const struct sockaddr*>(&storage);
  }
  /// AF_INET or AF_INET6.
  [[nodiscard]] int family() const { return storage.ss_family; }
  /// Of those two families.
  [[nodiscard]] IpAddress address() const;
  [[nodiscard]] std::uint16_t port() const;
};

/// AF_INET for IPv4, AF_INET6 for anything else.
SocketAddress socket_address(const IpAddress& address, std::uint16_t port);
/// getsockname(2); the address of no family if that fails.
SocketAddress own_address(int fd);

}  // namespace rehearse::gate
