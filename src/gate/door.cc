#include "gate/door.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLargest = 2048;  ///< a first packet is small, data of fast open included

/// Where a packet of IPv6 went to; nothing if the kernel did not say.
std::optional<IpAddress> destination_of(struct msghdr& message) {
  for (struct cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != IPPROTO_IPV6 || head->cmsg_type != IPV6_PKTINFO) continue;
    struct in6_pktinfo info = {};
    std::memcpy(&info, CMSG_DATA(head), sizeof info);
    IpAddress address;
    std::memcpy(address.bytes.data(), &info.ipi6_addr, address.bytes.size());
    return address;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Knock> Door::next(int socket, bool& more) const {
  std::array<char, kLargest> buffer;
  std::array<char, 128> control = {};
  SocketAddress source;
  struct iovec piece = {buffer.data(), buffer.size()};
  struct msghdr message = {};
  message.msg_name = &source.storage;
  message.msg_namelen = sizeof source.storage;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &message, 0);
  more = size >= 0;
  if (size < 0 || (message.msg_flags & MSG_TRUNC) != 0) return std::nullopt;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  if (source.family() == AF_INET) return read_knock(bytes);
  const auto destination = destination_of(message);
  return destination ? read_knock(source.address(), *destination, bytes) : std::nullopt;
}

/// What the run's network does not take is lost, as packets are: a client sends its first one again.
void Door::send(const std::string& packet, const IpAddress& to, int four, int six) const {
  const SocketAddress address = socket_address(to, 0);
  ::sendto(to.is_v4() ? four : six, packet.data(), packet.size(), 0, address.get(), address.size);
}

void Door::let_in(const Knock& knock) const {
  send(knock_packet(knock), knock.destination.address, sockets_.syn4.get(), sockets_.syn6.get());
}

void Door::turn_away(const Knock& knock, int error) const {
  if (error == ETIMEDOUT) return;
  const bool no_way = error == EHOSTUNREACH || error == ENETUNREACH;
  send(no_way ? unreachable_packet(knock, error) : reset_packet(knock), knock.client.address,
       sockets_.raw4.get(), sockets_.raw6.get());
}

}  // namespace rehearse::gate
