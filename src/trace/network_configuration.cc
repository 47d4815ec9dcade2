#include "trace/network_configuration.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::uint64_t kInt = 0xffffffff;

/// Of a subsystem of netfilter the messages that only ask, as a set of bits.
struct Asking {
  std::uint8_t subsystem;
  std::uint32_t messages;
};
template <class... Numbers>
constexpr std::uint32_t bits(Numbers... numbers) {
  return ((1U << static_cast<unsigned>(numbers)) | ...);
}
// The numbers are those of linux/netfilter/nf*.h and ipset/ip_set.h.
constexpr Asking kAsking[] = {
    {NFNL_SUBSYS_CTNETLINK, bits(1, 4, 5, 6, 7)},
    {NFNL_SUBSYS_CTNETLINK_EXP, bits(1, 3)},
    {NFNL_SUBSYS_IPSET, bits(1, 7, 8, 11, 12, 13, 14, 15)},
    {NFNL_SUBSYS_ACCT, bits(1)},
    {NFNL_SUBSYS_CTNETLINK_TIMEOUT, bits(1, 4)},
    {NFNL_SUBSYS_CTHELPER, bits(1)},
    {NFNL_SUBSYS_NFTABLES, bits(1, 4, 7, 10, 13, 16, 19, 23)},
    {NFNL_SUBSYS_NFT_COMPAT, bits(0)},
    {12, bits(0)},  // NFNL_SUBSYS_HOOK
};

bool asks_netfilter(std::uint16_t type) {
  const auto message = static_cast<unsigned>(NFNL_MSG_TYPE(type));
  const auto found =
      std::ranges::find(kAsking, static_cast<std::uint8_t>(NFNL_SUBSYS_ID(type)), &Asking::subsystem);
  return found != std::end(kAsking) && message < 32 && (found->messages >> message & 1U) != 0;
}

/// As rtnetlink_rcv_msg tells them apart: new, delete, get, set.
bool asks_routes(std::uint16_t type) {
  constexpr unsigned kGet = 2;
  return ((type - static_cast<unsigned>(RTM_BASE)) & 3U) == kGet;
}

bool asks_transformations(std::uint16_t type) {
  return type == XFRM_MSG_GETSA || type == XFRM_MSG_GETPOLICY || type == XFRM_MSG_GETAE ||
         type == XFRM_MSG_GETSADINFO || type == XFRM_MSG_GETSPDINFO || type == XFRM_MSG_GETDEFAULT;
}

bool is_configuring(int protocol) {
  return protocol == NETLINK_ROUTE || protocol == NETLINK_NETFILTER || protocol == NETLINK_XFRM;
}

/// What one message would do; `total`: bytes that went with it, if that is known.
bool changes(const struct rh_netlink& message, std::optional<std::uint64_t> total) {
  const auto protocol = static_cast<int>(message.protocol);
  if (!is_configuring(protocol)) return false;
  if (message.read == 0) return true;
  if (message.length < sizeof(struct nlmsghdr)) return false;  // the kernel stops there
  // Another one follows (the rest of a buffer that was longer is none), or where it would is not known.
  const std::uint64_t end = NLMSG_ALIGN(std::uint64_t{message.length});
  const bool beyond = total && end + sizeof(struct nlmsghdr) <= *total && end >= message.bytes;
  if (message.next >= sizeof(struct nlmsghdr) || beyond) return true;
  const bool batch = protocol == NETLINK_NETFILTER &&
                     (message.type == NFNL_MSG_BATCH_BEGIN || message.type == NFNL_MSG_BATCH_END);
  if ((message.flags & NLM_F_REQUEST) == 0 || (message.type < NLMSG_MIN_TYPE && !batch)) return false;
  if (protocol == NETLINK_NETFILTER) return !asks_netfilter(message.type);
  return protocol == NETLINK_XFRM ? !asks_transformations(message.type) : !asks_routes(message.type);
}

std::optional<struct rh_netlink> message_of(const Record* record) {
  std::optional<struct rh_netlink> found;
  if (record == nullptr) return found;
  record->each_attachment([&](const Attachment& attachment) {
    const auto* message = attachment.kind == RH_NETLINK ? attachment.as<struct rh_netlink>() : nullptr;
    if (message != nullptr) found = *message;
  });
  return found;
}

bool sends_change(const TraceEvent& event) {
  const auto message = netlink_message(event);
  if (!message) return false;
  const Record& record = *event.record;
  std::optional<std::uint64_t> total;
  if (record.head().nr == Nr::sendmmsg) {
    if (!event.failed() && event.result() > 1 && is_configuring(static_cast<int>(message->protocol)))
      return true;
  } else if (!event.failed() && !event.unfinished) {
    total = static_cast<std::uint64_t>(event.result());
  } else if (record.head().nr == Nr::sendto) {
    total = record.argument(2);
  }
  return changes(*message, total);
}

/// ioctl(2) requests of sockets that set something (netdevice(7), linux/sockios.h).
bool sets_interface(std::uint64_t request) {
  constexpr auto kSetters =
      std::to_array<std::uint64_t>({SIOCADDRT,       SIOCDELRT,       SIOCSIFLINK,       SIOCSIFFLAGS,
                                    SIOCSIFADDR,     SIOCSIFDSTADDR,  SIOCSIFBRDADDR,    SIOCSIFNETMASK,
                                    SIOCSIFMETRIC,   SIOCSIFMEM,      SIOCSIFMTU,        SIOCSIFNAME,
                                    SIOCSIFHWADDR,   SIOCSIFENCAP,    SIOCSIFSLAVE,      SIOCADDMULTI,
                                    SIOCDELMULTI,    SIOCSIFPFLAGS,   SIOCDIFADDR,       SIOCSIFHWBROADCAST,
                                    SIOCSIFBR,       SIOCSIFTXQLEN,   SIOCSMIIREG,       SIOCWANDEV,
                                    SIOCDARP,        SIOCSARP,        SIOCDRARP,         SIOCSRARP,
                                    SIOCSIFMAP,      SIOCADDDLCI,     SIOCDELDLCI,       SIOCSIFVLAN,
                                    SIOCBONDENSLAVE, SIOCBONDRELEASE, SIOCBONDSETHWADDR, SIOCBONDCHANGEACTIVE,
                                    SIOCBRADDBR,     SIOCBRDELBR,     SIOCBRADDIF,       SIOCBRDELIF,
                                    SIOCSHWTSTAMP});
  // A driver's own, of which the first only asks where it is a tunnel's.
  const bool private_one = request > SIOCDEVPRIVATE && request <= SIOCDEVPRIVATE + 15;
  return private_one || std::ranges::find(kSetters, request) != kSetters.end();
}

/// Tables of iptables, ip6tables, arptables and ebtables, as they were set before nftables.
bool sets_tables(const Record& record) {
  constexpr std::uint64_t kIptables = 64, kArptables = 96, kEbtables = 128;  // first the table, then counters
  const std::uint64_t level = record.argument(1) & kInt;
  const std::uint64_t option = record.argument(2) & kInt;
  const auto of = [&](std::uint64_t base) { return option == base || option == base + 1; };
  if (level == IPPROTO_IP) return of(kIptables) || of(kArptables) || of(kEbtables);
  return level == IPPROTO_IPV6 && of(kIptables);
}

}  // namespace

std::optional<struct rh_netlink> netlink_message(const TraceEvent& event) {
  const auto message = message_of(event.entry);
  return message ? message : message_of(event.record);
}

bool configures_network(const TraceEvent& event) {
  const Record& record = *event.record;
  switch (record.head().nr) {
    case Nr::sendto:
    case Nr::sendmsg:
    case Nr::sendmmsg:
      return sends_change(event);
    case Nr::write:
    case Nr::writev:
    case Nr::sendfile:
      return event.fd != nullptr && event.fd->netlink && is_configuring(*event.fd->netlink);
    case Nr::ioctl:
      return sets_interface(record.argument(1) & kInt);
    case Nr::setsockopt:
      return sets_tables(record);
    default:
      return false;
  }
}

}  // namespace rehearse::trace
