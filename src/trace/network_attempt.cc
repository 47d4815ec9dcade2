#include "trace/network_attempt.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "syscalls/table.h"

namespace rehearse::trace {

Transport transport_of(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return Transport::kTcp;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
      return Transport::kUdp;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return Transport::kIcmp;
    default:
      return Transport::kOtherInternet;
  }
}

bool is_refused_echo_socket(const Record& record) {
  const auto word = [&record](unsigned index) { return static_cast<std::uint32_t>(record.argument(index)); };
  const bool echo =
      (word(0) == AF_INET && word(2) == IPPROTO_ICMP) || (word(0) == AF_INET6 && word(2) == IPPROTO_ICMPV6);
  constexpr std::uint32_t kType = 0xf;  // SOCK_TYPE_MASK of linux/net.h
  return record.head().kind == RH_EXIT && record.head().nr == syscalls::Nr::socket && echo &&
         (word(1) & kType) == SOCK_DGRAM &&
         reinterpret_cast<const struct rh_call&>(record.head()).result == -EACCES;
}

}  // namespace rehearse::trace
