#include "gate/socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace rehearse::gate {

IpAddress SocketAddress::address() const {
  IpAddress address;
  if (family() == AF_INET) {
    const auto& four = reinterpret_cast<const struct sockaddr_in&>(storage);
    address = IpAddress::v4({});
    std::memcpy(&address.bytes[12], &four.sin_addr, sizeof four.sin_addr);
  } else if (family() == AF_INET6) {
    const auto& six = reinterpret_cast<const struct sockaddr_in6&>(storage);
    std::memcpy(address.bytes.data(), &six.sin6_addr, sizeof six.sin6_addr);
  }
  return address;
}

std::uint16_t SocketAddress::port() const {
  // At the same place for both families.
  return ntohs(reinterpret_cast<const struct sockaddr_in&>(storage).sin_port);
}

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress made;
  if (address.is_v4()) {
    auto& four = reinterpret_cast<struct sockaddr_in&>(made.storage);
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&four.sin_addr, &address.bytes[12], sizeof four.sin_addr);
    made.size = sizeof four;
  } else {
    auto& six = reinterpret_cast<struct sockaddr_in6&>(made.storage);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, address.bytes.data(), sizeof six.sin6_addr);
    made.size = sizeof six;
  }
  return made;
}

SocketAddress own_address(int fd) {
  SocketAddress own;
  if (::getsockname(fd, own.get(), &own.size) != 0) own.storage.ss_family = AF_UNSPEC;
  return own;
}

}  // namespace rehearse::gate
