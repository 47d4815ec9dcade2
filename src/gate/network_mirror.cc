#include "gate/network_mirror.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "base/escape.h"
#include "base/fd.h"
#include "gate/rtnetlink.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr int kLoopbackIndex = 1;
constexpr std::size_t kEthernetAddress = 6;
constexpr std::uint8_t kGenerateNoAddress = 1;  // IN6_ADDR_GEN_MODE_NONE

/// What devices may be made of that take packets and send none, the better likeness first.
constexpr const char* kKinds[] = {"dummy", "ifb"};

/// The nested attribute that an opened one is closed with.
class Nested {
 public:
  Nested(const RouteMessage& message, int type)
      : message_(message.get()), begun_(::nla_nest_start(message.get(), type)) {}
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  ~Nested() { ::nla_nest_end(message_, begun_); }

 private:
  struct nl_msg* message_;
  struct nlattr* begun_;
};

void put_bytes(const RouteMessage& message, int type, const std::string& bytes) {
  (void)::nla_put(message.get(), type, static_cast<int>(bytes.size()), bytes.data());
}

/// An address of RTM_NEWADDR or a prefix of RTM_NEWROUTE, whatever it is.
std::optional<IpAddress> address_in(struct nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const std::uint8_t*>(::nla_data(attribute));
  if (::nla_len(attribute) == 4) return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  IpAddress address;
  if (::nla_len(attribute) != static_cast<int>(address.bytes.size())) return std::nullopt;
  std::memcpy(address.bytes.data(), bytes, address.bytes.size());
  return address;
}

/// The attributes of a payload of RTM_NEWADDR or RTM_NEWROUTE.
template <class Head, class Visit>
void each_attribute(const std::string& payload, const Visit& visit) {
  if (payload.size() < NLMSG_ALIGN(sizeof(Head))) return;
  int left = static_cast<int>(payload.size() - NLMSG_ALIGN(sizeof(Head)));
  auto* attribute =
      reinterpret_cast<struct nlattr*>(const_cast<char*>(payload.data()) + NLMSG_ALIGN(sizeof(Head)));
  for (; ::nla_ok(attribute, left); attribute = ::nla_next(attribute, &left)) visit(attribute);
}

class Builder {
 public:
  Builder(const HostNetwork& host, RouteSocket socket) : host_(host), socket_(std::move(socket)) {}

  NetworkMirror build() {
    choose_kind();
    if (made_.kind.empty() && !host_.links.empty()) {
      miss(
          "the network is not mirrored: this kernel has no dummy devices loaded, and a rehearsal loads no "
          "module; `modprobe dummy numdummies=0` before it");
      return std::move(made_);
    }
    for (const HostLink& link : host_.links) make_link(link);
    for (const std::string& address : host_.addresses) add_address(address);
    add_routes();
    part_tables();
    if (host_.has_rules) miss("routing rules and the tables they lead to are not mirrored");
    if (host_.cut)
      miss(fmt::format("of interfaces, addresses and routes the first {} each are mirrored",
                       HostNetwork::kMost));
    made_.from4 = source(IpAddress::v4({192, 0, 0, 8}));
    made_.from6 = source(IpAddress{{0x20, 0x01, 0x0d, 0xb8}});
    return std::move(made_);
  }

 private:
  /// Until a namespace is given a rule, IPv4 looks into its local table and its main one as if they were one
  /// (net/ipv4/fib_rules.c, fib_unmerge): a route of the host's would be taken rather than the way to the
  /// gate. It stays so when the rule is taken away again.
  void part_tables() {
    for (const int request : {RTM_NEWRULE, RTM_DELRULE}) {
      struct fib_rule_hdr head = {};
      head.family = AF_INET;
      head.table = RT_TABLE_MAIN;
      head.action = FR_ACT_TO_TBL;
      const int flags = request == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0;
      const RouteMessage rule = make_route_message(request, flags, head);
      constexpr std::uint32_t kBeforeMain = 32765;
      if (rule) (void)::nla_put_u32(rule.get(), FRA_PRIORITY, kBeforeMain);
      if (const int error = socket_.ask(rule); error != 0)
        return miss(fmt::format("destinations on the host's own networks do not reach the gate: {}",
                                ::strerrordesc_np(error)));
    }
  }

  void miss(std::string line) { made_.missing.push_back(std::move(line)); }

  /// A dump of the links of a kind lists all links if the kernel does not know the kind; asking for a link of
  /// it would load its module. The loopback device, which is there, has none.
  bool is_loaded(const char* kind) {
    struct ifinfomsg head = {};
    const RouteMessage message = make_route_message(RTM_GETLINK, 0, head);
    if (!message) return false;
    {
      const Nested info(message, IFLA_LINKINFO);
      (void)::nla_put_string(message.get(), IFLA_INFO_KIND, kind);
    }
    bool loopback = false;
    const auto listed = socket_.dump(message, [&](auto& answer) {
      if (answer.nlmsg_type != RTM_NEWLINK) return;
      loopback |= static_cast<const struct ifinfomsg*>(::nlmsg_data(&answer))->ifi_index == kLoopbackIndex;
    });
    return listed && !loopback;
  }

  void choose_kind() {
    for (const char* kind : kKinds) {
      if (!is_loaded(kind)) continue;
      made_.kind = kind;
      return;
    }
  }

  void make_link(const HostLink& link) {
    const std::string name = escape_text(link.name, IFNAMSIZ);
    struct ifinfomsg head = {};
    head.ifi_index = link.index;
    const RouteMessage create = make_route_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, head);
    if (!create) return miss("interface " + name + ": no memory");
    (void)::nla_put_string(create.get(), IFLA_IFNAME, link.name.c_str());
    (void)::nla_put_u32(create.get(), IFLA_MTU, link.mtu);
    (void)::nla_put_u32(create.get(), IFLA_TXQLEN, link.queue_length);
    if (link.group != 0) (void)::nla_put_u32(create.get(), IFLA_GROUP, link.group);
    const bool ethernet = link.type == ARPHRD_ETHER && link.address.size() == kEthernetAddress;
    if (ethernet) put_bytes(create, IFLA_ADDRESS, link.address);
    if (ethernet && link.broadcast.size() == kEthernetAddress)
      put_bytes(create, IFLA_BROADCAST, link.broadcast);
    {
      const Nested info(create, IFLA_LINKINFO);
      (void)::nla_put_string(create.get(), IFLA_INFO_KIND, made_.kind.c_str());
    }
    if (const int error = socket_.ask(create); error != 0)
      return miss(fmt::format("interface {}: {}", name, ::strerrordesc_np(error)));
    links_.insert(link.index);
    if (const int error = set_up(link); error != 0)
      miss(fmt::format("the state of interface {}: {}", name, ::strerrordesc_np(error)));
    if (!ethernet) miss(fmt::format("interface {} is shown as Ethernet, with another address", name));
    if (link.master != 0) miss(fmt::format("that interface {} is part of another one", name));
  }

  /// Without addresses that the kernel would make up; in the state that the host's is in.
  int set_up(const HostLink& link) {
    struct ifinfomsg head = {};
    head.ifi_index = link.index;
    const RouteMessage prepare = make_route_message(RTM_SETLINK, 0, head);
    head.ifi_flags = link.flags & (IFF_UP | IFF_MULTICAST);
    head.ifi_change = IFF_UP | IFF_MULTICAST;
    const RouteMessage raise = make_route_message(RTM_SETLINK, 0, head);
    if (!prepare || !raise) return ENOMEM;
    {
      const Nested families(prepare, IFLA_AF_SPEC);
      const Nested six(prepare, AF_INET6);
      (void)::nla_put_u8(prepare.get(), IFLA_INET6_ADDR_GEN_MODE, kGenerateNoAddress);
    }
    if (!link.alias.empty()) (void)::nla_put_string(raise.get(), IFLA_IFALIAS, link.alias.c_str());
    if ((link.flags & IFF_UP) != 0) (void)::nla_put_u8(raise.get(), IFLA_OPERSTATE, link.state);
    const int prepared = socket_.ask(prepare);
    if (prepared != 0 && prepared != EAFNOSUPPORT) return prepared;
    return socket_.ask(raise);
  }

  void add_address(const std::string& payload) {
    struct ifaddrmsg head = {};
    if (payload.size() < sizeof head) return;
    std::memcpy(&head, payload.data(), sizeof head);
    const int index = static_cast<int>(head.ifa_index);
    if (index != kLoopbackIndex && !links_.contains(index)) return;  // said already
    const RouteMessage message = make_route_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, head);
    if (!message) return miss("an address: no memory");
    std::optional<IpAddress> address;
    each_attribute<struct ifaddrmsg>(payload, [&](struct nlattr* attribute) {
      const int type = ::nla_type(attribute);
      if (type == IFA_LOCAL || (type == IFA_ADDRESS && !address)) address = address_in(attribute);
      if (type == IFA_FLAGS && ::nla_len(attribute) == 4) {
        // The kernel is not to make temporary ones of it.
        const std::uint32_t flags = ::nla_get_u32(attribute) & ~std::uint32_t{IFA_F_MANAGETEMPADDR};
        (void)::nla_put_u32(message.get(), type, flags);
        return;
      }
      (void)::nla_put(message.get(), type, ::nla_len(attribute), ::nla_data(attribute));
    });
    if (!address) return;
    const int error = socket_.ask(message);
    if (error == EEXIST) return;  // of the loopback device
    if (error != 0) return miss(fmt::format("address {}: {}", format_ip(*address), ::strerrordesc_np(error)));
    made_.own.push_back(*address);
  }

  /// One that goes by a gateway needs the route to it first.
  void add_routes() {
    std::vector<std::string> wanted = host_.routes;
    while (!wanted.empty()) {
      std::vector<std::string> left;
      std::vector<int> errors;
      for (std::string& route : wanted) {
        const int error = add_route(route);
        if (error == 0 || error == EEXIST) continue;  // the kernel has made those of addresses
        errors.push_back(error);
        left.push_back(std::move(route));
      }
      if (left.size() == wanted.size()) {
        for (std::size_t i = 0; i < left.size(); ++i)
          miss(fmt::format("route {}: {}", name_of(left[i]), ::strerrordesc_np(errors[i])));
        return;
      }
      wanted = std::move(left);
    }
  }

  int add_route(const std::string& payload) {
    struct rtmsg head = {};
    if (payload.size() < sizeof head) return EINVAL;
    std::memcpy(&head, payload.data(), sizeof head);
    head.rtm_flags &= RTNH_F_ONLINK;  // the others say how it is, not how it should be
    const RouteMessage message = make_route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, head);
    if (!message) return ENOMEM;
    each_attribute<struct rtmsg>(payload, [&](struct nlattr* attribute) {
      const int type = ::nla_type(attribute);
      if (type == RTA_CACHEINFO || type == RTA_NH_ID) return;
      (void)::nla_put(message.get(), attribute->nla_type, ::nla_len(attribute), ::nla_data(attribute));
    });
    return socket_.ask(message);
  }

  static std::string name_of(const std::string& payload) {
    struct rtmsg head = {};
    std::memcpy(&head, payload.data(), sizeof head);
    IpAddress prefix = head.rtm_family == AF_INET ? IpAddress::v4({0, 0, 0, 0}) : IpAddress{};
    each_attribute<struct rtmsg>(payload, [&](struct nlattr* attribute) {
      if (::nla_type(attribute) == RTA_DST) prefix = address_in(attribute).value_or(prefix);
    });
    return format_ip(IpBlock(prefix, head.rtm_dst_len + (head.rtm_family == AF_INET ? 96U : 0U)));
  }

  /// What the routes choose; nothing is sent.
  static std::optional<IpAddress> source(const IpAddress& destination) {
    const SocketAddress to = socket_address(destination, 9);
    const UniqueFd socket(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid() || ::connect(socket.get(), to.get(), to.size) != 0) return std::nullopt;
    return own_address(socket.get()).address();
  }

  const HostNetwork& host_;
  RouteSocket socket_;
  NetworkMirror made_;
  std::set<int> links_;  ///< made, by index
};

}  // namespace

Result<NetworkMirror> mirror_network(const HostNetwork& host) {
  RH_TRY(auto socket, RouteSocket::open());
  return Builder(host, std::move(socket)).build();
}

}  // namespace rehearse::gate
