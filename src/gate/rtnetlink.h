// rtnetlink(7) as far as the gate needs it: whole messages in and out, by libnl.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

namespace rehearse::gate {

struct FreeRouteMessage {
  void operator()(struct nl_msg* message) const;
};
/// Attributes are added with libnl's nla_put() and its kin. Null if there was no memory.
using RouteMessage = std::unique_ptr<struct nl_msg, FreeRouteMessage>;

/// `type` as RTM_NEWLINK, `flags` as NLM_F_CREATE. `body`: the struct of this type of message, attributes
/// after it or not. There is room for 4 KiB of attributes more.
RouteMessage make_route_message(int type, int flags, std::string_view body);
template <class Struct>
RouteMessage make_route_message(int type, int flags, const Struct& body) {
  return make_route_message(
      type, flags,
      std::string_view(reinterpret_cast<const char*>(&body), static_cast<std::size_t>(sizeof body)));
}

/// Of the network namespace that the calling thread is in when it is opened. Not thread safe.
class RouteSocket {
 public:
  static Result<RouteSocket> open();

  /// 0 if the kernel has done what `message` asks for, else its errno.
  int ask(const RouteMessage& message);
  /// Calls `visit` with each message of the answer to a dump request.
  Result<void> dump(const RouteMessage& message, const std::function<void(struct nlmsghdr&)>& visit);

 private:
  struct Close {
    void operator()(struct nl_sock* socket) const;
  };
  int exchange(const RouteMessage& message, int flags, const std::function<void(struct nlmsghdr&)>& visit);

  std::unique_ptr<struct nl_sock, Close> socket_;
};

}  // namespace rehearse::gate
