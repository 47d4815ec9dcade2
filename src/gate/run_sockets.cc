#include "gate/run_sockets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/sys.h"
#include "bpf/events.h"
#include "gate/address.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr int kLoopbackIndex = 1;  // of every network namespace
constexpr int kBacklog = 4096;

/// One rtnetlink(7) request with a few attributes.
class RouteRequest {
 public:
  RouteRequest() {
    message_.head.nlmsg_type = RTM_NEWROUTE;
    message_.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    message_.head.nlmsg_len = NLMSG_LENGTH(sizeof message_.route);
  }
  struct rtmsg& route() {
    return message_.route;
  }
  void attribute(unsigned short type, const void* data, std::size_t size) {
    auto* at = reinterpret_cast<struct rtattr*>(reinterpret_cast<char*>(&message_) +
                                                NLMSG_ALIGN(message_.head.nlmsg_len));
    at->rta_type = type;
    at->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    std::memcpy(RTA_DATA(at), data, size);
    message_.head.nlmsg_len = NLMSG_ALIGN(message_.head.nlmsg_len) + RTA_ALIGN(at->rta_len);
  }
  Result<void> send(int socket) {
    if (::send(socket, &message_, message_.head.nlmsg_len, 0) < 0) return sys::last_error("send", "netlink");
    struct {
      struct nlmsghdr head;
      struct nlmsgerr error;
      char rest[256];
    } answer = {};
    if (::recv(socket, &answer, sizeof answer, 0) < static_cast<ssize_t>(NLMSG_LENGTH(sizeof answer.error)) ||
        answer.head.nlmsg_type != NLMSG_ERROR)
      return fail("no answer about a route of the run's network");
    if (answer.error.error != 0)
      return fail_errno(-answer.error.error, "a route of the run's network cannot be made");
    return {};
  }

 private:
  struct {
    struct nlmsghdr head;
    struct rtmsg route;
    char attributes[64];
  } message_ = {};
};

/// ip route add local 0.0.0.0/0 dev lo src 127.0.0.1, and so for IPv6.
Result<void> own_every_address(int family) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return sys::last_error("socket", "netlink");
  RouteRequest request;
  request.route().rtm_family = static_cast<unsigned char>(family);
  request.route().rtm_table = RT_TABLE_LOCAL;
  request.route().rtm_protocol = RTPROT_STATIC;
  request.route().rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  request.route().rtm_type = RTN_LOCAL;
  request.attribute(RTA_OIF, &kLoopbackIndex, sizeof kLoopbackIndex);
  if (family == AF_INET) {
    const std::uint32_t source = htonl(INADDR_LOOPBACK);
    request.attribute(RTA_PREFSRC, &source, sizeof source);
  } else {
    request.attribute(RTA_PREFSRC, &in6addr_loopback, sizeof in6addr_loopback);
  }
  return request.send(socket.get());
}

/// On arrival at the loopback device. By a queueing discipline, which goes with the namespace: a link of tcx
/// (Linux 6.6) takes 10 to 20 ms to be made and closed, as measured, and needs an owner.
Result<void> attach_packet_program(int program) {
  struct bpf_tc_hook hook = {};
  hook.sz = sizeof hook;
  hook.ifindex = kLoopbackIndex;
  hook.attach_point = BPF_TC_INGRESS;
  struct bpf_tc_opts options = {};
  options.sz = sizeof options;
  options.prog_fd = program;
  options.handle = 1;
  options.priority = 1;
  int r = ::bpf_tc_hook_create(&hook);
  if (r == 0) r = ::bpf_tc_attach(&hook, &options);
  if (r != 0)
    return fail_errno(-r, "the packet program cannot be attached to the run's loopback device",
                      ExitCode::kUnavailable, "see `rehearse doctor`");
  return {};
}

bool bind_sink(int socket, int family) {
  const SocketAddress address = socket_address(family == AF_INET ? kLoopbackV4 : kLoopbackV6, RH_SINK_PORT);
  return ::bind(socket, address.get(), address.size) == 0;
}

Result<UniqueFd> open_sink(int family, int type) {
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return sys::last_error("socket");
  const int on = 1;
  if (!bind_sink(socket.get(), family)) return sys::last_error("bind", "the gate's socket");
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
  const std::uint32_t mark = RH_MARK_ANSWER;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return sys::last_error("setsockopt", "the gate's raw socket");
  return socket;
}

bool has_ipv6() {
  const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return false;
  // IPv6 may be switched off for the device.
  return bind_sink(socket.get(), AF_INET6);
}

/// In the run's namespace.
Result<RunSockets> open_here(int packet_program) {
  RunSockets sockets;
  RH_CHECK(own_every_address(AF_INET));
  RH_CHECK(attach_packet_program(packet_program));
  RH_TRY(sockets.tcp4, open_sink(AF_INET, SOCK_STREAM));
  RH_TRY(sockets.udp4, open_sink(AF_INET, SOCK_DGRAM));
  RH_TRY(sockets.raw4, open_raw(AF_INET));
  if (!has_ipv6()) return sockets;
  RH_CHECK(own_every_address(AF_INET6));
  RH_TRY(sockets.tcp6, open_sink(AF_INET6, SOCK_STREAM));
  RH_TRY(sockets.udp6, open_sink(AF_INET6, SOCK_DGRAM));
  RH_TRY(sockets.raw6, open_raw(AF_INET6));
  return sockets;
}

}  // namespace

Result<RunSockets> open_run_sockets(int netns, int packet_program) {
  Result<RunSockets> opened;
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // A thread of its own: there is no way back that could fail.
  std::thread visitor([&] {
    if (auto there = sys::set_namespace(netns, CLONE_NEWNET); !there)
      opened = tl::make_unexpected(there.error());
    else
      opened = open_here(packet_program);
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  visitor.join();
  return opened;
}

}  // namespace rehearse::gate
