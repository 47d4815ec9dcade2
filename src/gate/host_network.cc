#include "gate/host_network.h"

#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/sys.h"
#include "gate/rtnetlink.h"

namespace rehearse::gate {
namespace {

template <int Most>
using Attributes = std::array<struct nlattr*, Most + 1>;

std::string bytes_of(struct nlattr* attribute) {
  if (attribute == nullptr) return {};
  return {static_cast<const char*>(::nla_data(attribute)), static_cast<std::size_t>(::nla_len(attribute))};
}

std::string text_of(struct nlattr* attribute) {
  std::string text = bytes_of(attribute);
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

std::uint32_t number_of(struct nlattr* attribute) {
  return attribute == nullptr || ::nla_len(attribute) < 4 ? 0 : ::nla_get_u32(attribute);
}

std::string kind_of(struct nlattr* info) {
  Attributes<IFLA_INFO_MAX> inner = {};
  if (info == nullptr || ::nla_parse_nested(inner.data(), IFLA_INFO_MAX, info, nullptr) != 0) return {};
  return text_of(inner[IFLA_INFO_KIND]);
}

void take_link(struct nlmsghdr& message, HostNetwork& network) {
  Attributes<IFLA_MAX> has = {};
  if (message.nlmsg_type != RTM_NEWLINK ||
      ::nlmsg_parse(&message, sizeof(struct ifinfomsg), has.data(), IFLA_MAX, nullptr) != 0)
    return;
  const auto* head = static_cast<const struct ifinfomsg*>(::nlmsg_data(&message));
  if (head->ifi_type == ARPHRD_LOOPBACK) return;
  HostLink link;
  link.index = head->ifi_index;
  link.type = head->ifi_type;
  link.flags = head->ifi_flags;
  link.name = text_of(has[IFLA_IFNAME]);
  link.kind = kind_of(has[IFLA_LINKINFO]);
  link.mtu = number_of(has[IFLA_MTU]);
  link.queue_length = number_of(has[IFLA_TXQLEN]);
  link.group = number_of(has[IFLA_GROUP]);
  if (has[IFLA_OPERSTATE] != nullptr) link.state = ::nla_get_u8(has[IFLA_OPERSTATE]);
  link.master = static_cast<int>(number_of(has[IFLA_MASTER]));
  link.address = bytes_of(has[IFLA_ADDRESS]);
  link.broadcast = bytes_of(has[IFLA_BROADCAST]);
  link.alias = text_of(has[IFLA_IFALIAS]);
  if (network.links.size() < HostNetwork::kMost)
    network.links.push_back(std::move(link));
  else
    network.cut = true;
}

void keep(struct nlmsghdr& message, std::vector<std::string>& list, bool& cut) {
  if (list.size() < HostNetwork::kMost)
    list.emplace_back(static_cast<const char*>(::nlmsg_data(&message)),
                      static_cast<std::size_t>(::nlmsg_datalen(&message)));
  else
    cut = true;
}

void take_route(struct nlmsghdr& message, HostNetwork& network) {
  Attributes<RTA_MAX> has = {};
  if (message.nlmsg_type != RTM_NEWROUTE ||
      ::nlmsg_parse(&message, sizeof(struct rtmsg), has.data(), RTA_MAX, nullptr) != 0)
    return;
  const auto* head = static_cast<const struct rtmsg*>(::nlmsg_data(&message));
  const std::uint32_t table = has[RTA_TABLE] != nullptr ? number_of(has[RTA_TABLE]) : head->rtm_table;
  const bool ours = head->rtm_type == RTN_UNICAST || head->rtm_type == RTN_BLACKHOLE ||
                    head->rtm_type == RTN_UNREACHABLE || head->rtm_type == RTN_PROHIBIT ||
                    head->rtm_type == RTN_THROW;
  if (table == RT_TABLE_MAIN && ours && (head->rtm_flags & RTM_F_CLONED) == 0)
    keep(message, network.routes, network.cut);
}

void take_rule(struct nlmsghdr& message, HostNetwork& network) {
  if (message.nlmsg_type != RTM_NEWRULE) return;
  const auto* head = static_cast<const struct fib_rule_hdr*>(::nlmsg_data(&message));
  if (head->table != RT_TABLE_LOCAL && head->table != RT_TABLE_MAIN && head->table != RT_TABLE_DEFAULT)
    network.has_rules = true;
}

RouteMessage ask_for_links() {
  struct ifinfomsg head = {};
  head.ifi_family = AF_UNSPEC;
  RouteMessage message = make_route_message(RTM_GETLINK, 0, head);
  constexpr std::uint32_t kNoStatistics = 1U << 3U;  // RTEXT_FILTER_SKIP_STATS
  if (message) (void)::nla_put_u32(message.get(), IFLA_EXT_MASK, kNoStatistics);
  return message;
}

}  // namespace

Result<HostNetwork> HostNetwork::read() {
  HostNetwork network;
  RH_TRY(auto socket, RouteSocket::open());
  RH_CHECK(socket.dump(ask_for_links(), [&](auto& message) { take_link(message, network); }));
  RH_CHECK(socket.dump(make_route_message(RTM_GETADDR, 0, ifaddrmsg{}), [&](auto& message) {
    if (message.nlmsg_type == RTM_NEWADDR) keep(message, network.addresses, network.cut);
  }));
  for (const int family : {AF_INET, AF_INET6}) {
    struct rtmsg head = {};
    head.rtm_family = static_cast<unsigned char>(family);
    // A host may have no IPv6.
    auto read = socket.dump(make_route_message(RTM_GETROUTE, 0, head),
                            [&](auto& message) { take_route(message, network); });
    if (!read && family == AF_INET) return tl::make_unexpected(read.error());
    (void)socket.dump(make_route_message(RTM_GETRULE, 0, head),
                      [&](auto& message) { take_rule(message, network); });
  }
  return network;
}

bool has_ipv6_address() {
  // Cheaper than netlink: the kernel writes a line for each, and there are few.
  const auto text = sys::read_file("/proc/self/net/if_inet6", 1U << 20U);
  if (!text) return false;
  constexpr std::string_view kLoopback = "00000000000000000000000000000001";
  std::size_t at = 0;
  while (at < text->size()) {
    if (text->compare(at, kLoopback.size(), kLoopback) != 0) return true;
    const std::size_t end = text->find('\n', at);
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return false;
}

}  // namespace rehearse::gate
