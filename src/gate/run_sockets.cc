#include "gate/run_sockets.h"

#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "base/no_signals.h"
#include "base/sys.h"
#include "bpf/events.h"
#include "gate/address.h"
#include "gate/rtnetlink.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr int kLoopbackIndex = 1;  // of every network namespace
constexpr int kBacklog = 4096;

/// The loopback device has two more addresses. Resolvers that ask for the kinds of addresses this host has
/// (AI_ADDRCONFIG, RFC 3493) do not count 127.0.0.1 and ::1, and would find no name at all.
struct LoopbackAddress {
  IpAddress address;
  std::uint8_t prefix;
  std::uint8_t scope;
};
constexpr LoopbackAddress kSecondV4 = {IpAddress::v4({127, 0, 1, 1}), 8, RT_SCOPE_HOST};
constexpr LoopbackAddress kSecondV6 = {
    {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 64, RT_SCOPE_LINK};

int family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

void put_address(const RouteMessage& message, int type, const IpAddress& address) {
  const std::size_t first = address.is_v4() ? 12 : 0;
  (void)::nla_put(message.get(), type, static_cast<int>(address.bytes.size() - first),
                  address.bytes.data() + first);
}

Result<void> raise_loopback(RouteSocket& route) {
  struct ifinfomsg head = {};
  head.ifi_index = kLoopbackIndex;
  head.ifi_flags = head.ifi_change = IFF_UP;
  if (const int error = route.ask(make_route_message(RTM_NEWLINK, 0, head)); error != 0)
    return fail_errno(error, "the run's loopback device cannot be raised");
  return {};
}

Result<void> add_address(RouteSocket& route, const LoopbackAddress& added) {
  struct ifaddrmsg head = {};
  head.ifa_family = static_cast<unsigned char>(family_of(added.address));
  head.ifa_prefixlen = added.prefix;
  head.ifa_flags = IFA_F_PERMANENT;
  head.ifa_scope = added.scope;
  head.ifa_index = kLoopbackIndex;
  const RouteMessage message = make_route_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, head);
  if (message) put_address(message, IFA_LOCAL, added.address);
  if (const int error = route.ask(message); error != 0)
    return fail_errno(error, "an address of the run's loopback device cannot be made");
  return {};
}

/// ip route add local 0.0.0.0/0 dev lo src SOURCE, or so for IPv6.
Result<void> own_every_address(RouteSocket& route, const IpAddress& source) {
  struct rtmsg head = {};
  head.rtm_family = static_cast<unsigned char>(family_of(source));
  head.rtm_table = RT_TABLE_LOCAL;
  head.rtm_protocol = RTPROT_STATIC;
  head.rtm_scope = source.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  head.rtm_type = RTN_LOCAL;
  const RouteMessage message = make_route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, head);
  if (message) {
    (void)::nla_put_u32(message.get(), RTA_OIF, kLoopbackIndex);
    put_address(message, RTA_PREFSRC, source);
  }
  if (const int error = route.ask(message); error != 0)
    return fail_errno(error, "a route of the run's network cannot be made");
  return {};
}

/// On arrival at the loopback device. By a queueing discipline, which goes with the namespace: a link of tcx
/// (Linux 6.6) takes 10 to 20 ms to be made and closed, as measured, and needs an owner. The class is the one
/// thing that the program can be told of the place it is attached to.
Result<void> attach_packet_program(RouteSocket& route, int program, std::uint16_t classid) {
  struct tcmsg head = {};
  head.tcm_ifindex = kLoopbackIndex;
  head.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  head.tcm_parent = TC_H_CLSACT;
  const RouteMessage discipline = make_route_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, head);
  if (discipline) (void)::nla_put_string(discipline.get(), TCA_KIND, "clsact");
  int error = route.ask(discipline);

  constexpr std::uint32_t kPriority = 1U << 16U;
  head.tcm_handle = 1;
  head.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  head.tcm_info = TC_H_MAKE(kPriority, htons(ETH_P_ALL));
  const RouteMessage filter = make_route_message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, head);
  if (filter) {
    (void)::nla_put_string(filter.get(), TCA_KIND, "bpf");
    struct nlattr* options = ::nla_nest_start(filter.get(), TCA_OPTIONS);
    (void)::nla_put_u32(filter.get(), TCA_BPF_FD, static_cast<std::uint32_t>(program));
    (void)::nla_put_string(filter.get(), TCA_BPF_NAME, "rehearse");
    (void)::nla_put_u32(filter.get(), TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    (void)::nla_put_u32(filter.get(), TCA_BPF_CLASSID, classid);
    ::nla_nest_end(filter.get(), options);
  }
  if (error == 0) error = route.ask(filter);
  if (error != 0)
    return fail_errno(error, "the packet program cannot be attached to the run's loopback device",
                      ExitCode::kUnavailable, "see `rehearse doctor`");
  return {};
}

constexpr std::uint8_t byte_of(std::uint32_t word, unsigned place) {
  return static_cast<std::uint8_t>(word >> (8 * (3 - place)));
}

constexpr IpAddress kSinkV4 = IpAddress::v4(
    {byte_of(RH_SINK_V4, 0), byte_of(RH_SINK_V4, 1), byte_of(RH_SINK_V4, 2), byte_of(RH_SINK_V4, 3)});
constexpr IpAddress kSinkV6 = {{byte_of(RH_SINK_V6_FIRST, 0), byte_of(RH_SINK_V6_FIRST, 1), 0, 0, 0, 0, 0, 0,
                                0, 0, 0, 0, 0, 0, 0, RH_SINK_V6_LAST}};

bool bind_to(int socket, const IpAddress& to, std::uint16_t port) {
  const SocketAddress address = socket_address(to, port);
  return ::bind(socket, address.get(), address.size) == 0;
}

/// No device has the address: it is local by the routes of own_every_address().
bool bind_sink(int socket, int family) {
  const int on = 1;
  if (family == AF_INET6 && ::setsockopt(socket, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on) != 0)
    return false;
  return bind_to(socket, family == AF_INET ? kSinkV4 : kSinkV6, RH_SINK_PORT);
}

/// Connections that a socket accepts have its mark.
Result<void> mark_packets(int socket, std::uint32_t mark) {
  if (::setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return sys::last_error("setsockopt", "the mark of the gate's sockets");
  return {};
}

Result<UniqueFd> open_sink(int family, int type) {
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return sys::last_error("socket");
  const int on = 1;
  // The gate's connections have the ports that the action has asked for: its own servers may have them too.
  if (type == SOCK_STREAM && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return sys::last_error("setsockopt", "the gate's socket");
  if (!bind_sink(socket.get(), family)) return sys::last_error("bind", "the gate's socket");
  RH_CHECK(mark_packets(socket.get(), RH_MARK_ANSWER));
  if (type == SOCK_STREAM) {
    // Those that are accepted have it from here.
    if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
      return sys::last_error("setsockopt", "the gate's socket");
    if (::listen(socket.get(), kBacklog) != 0) return sys::last_error("listen");
    return socket;
  }
  const int done = family == AF_INET
                       ? ::setsockopt(socket.get(), IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on)
                       : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &on, sizeof on);
  if (done != 0) return sys::last_error("setsockopt", "the gate's socket");
  return socket;
}

Result<UniqueFd> open_raw(int family) {
  UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
  if (!socket.valid()) return sys::last_error("socket", "raw");
  RH_CHECK(mark_packets(socket.get(), RH_MARK_ANSWER));
  return socket;
}

/// Of IPv4 it gets the head, of IPv6 it is told the destination.
Result<UniqueFd> open_syn(int family) {
  UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, RH_HELD_PROTOCOL));
  if (!socket.valid()) return sys::last_error("socket", "raw");
  const int on = 1;
  const bool done = family == AF_INET
                        ? ::setsockopt(socket.get(), IPPROTO_IP, IP_HDRINCL, &on, sizeof on) == 0
                        : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) == 0 &&
                              ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
  if (!done) return sys::last_error("setsockopt", "the gate's socket");
  RH_CHECK(mark_packets(socket.get(), RH_MARK_LET_IN));
  return socket;
}

bool has_ipv6() {
  const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return false;
  // IPv6 may be switched off for the device.
  return bind_to(socket.get(), kLoopbackV6, 0);
}

/// In the run's namespace.
Result<RunSockets> open_here(const RunNetwork& network) {
  RunSockets sockets;
  RH_TRY(auto route, RouteSocket::open());
  RH_CHECK(raise_loopback(route));
  const bool ipv6 = has_ipv6();
  if (network.mirror != nullptr) {
    RH_TRY(sockets.mirror, mirror_network(*network.mirror));
  }
  const NetworkMirror& mirror = sockets.mirror;
  // A host that has nothing but loopback is mirrored already.
  if (mirror.kind.empty() && (network.mirror == nullptr || !network.mirror->links.empty())) {
    RH_CHECK(add_address(route, kSecondV4));
    if (ipv6 && network.shows_ipv6) RH_CHECK(add_address(route, kSecondV6));
  }
  RH_CHECK(own_every_address(route, mirror.from4.value_or(kLoopbackV4)));
  RH_CHECK(attach_packet_program(route, network.packet_program, network.packet_class));
  RH_TRY(sockets.tcp4, open_sink(AF_INET, SOCK_STREAM));
  RH_TRY(sockets.udp4, open_sink(AF_INET, SOCK_DGRAM));
  RH_TRY(sockets.raw4, open_raw(AF_INET));
  RH_TRY(sockets.syn4, open_syn(AF_INET));
  if (!ipv6) return sockets;
  RH_CHECK(own_every_address(route, mirror.from6.value_or(kLoopbackV6)));
  RH_TRY(sockets.tcp6, open_sink(AF_INET6, SOCK_STREAM));
  RH_TRY(sockets.udp6, open_sink(AF_INET6, SOCK_DGRAM));
  RH_TRY(sockets.raw6, open_raw(AF_INET6));
  RH_TRY(sockets.syn6, open_syn(AF_INET6));
  return sockets;
}

}  // namespace

Visit::Visit(const RunNetwork& network) : opened_(fail("the visit has not ended")) {
  const NoSignals quiet;
  // A thread of its own: there is no way back that could fail. With a directory of its own, since who shares
  // that can enter no mount namespace.
  visitor_ = std::thread([this, network] {
    auto apart = sys::unshare(CLONE_FS);
    if (apart) apart = sys::set_namespace(network.netns, CLONE_NEWNET);
    opened_ = apart ? open_here(network) : tl::make_unexpected(apart.error());
  });
}

Visit::~Visit() {
  if (visitor_.joinable()) visitor_.join();
}

Result<RunSockets> Visit::finish() {
  visitor_.join();
  return std::move(opened_);
}

Result<RunSockets> open_run_sockets(const RunNetwork& network) {
  return Visit(network).finish();
}

}  // namespace rehearse::gate
