#include "trace/network_attempt.h"

#include <netinet/in.h>

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

}  // namespace rehearse::trace
