#include "gate/rtnetlink.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cerrno>
#include <cstring>

#include "base/sys.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kRoom = 4096;

struct Answer {
  const std::function<void(struct nlmsghdr&)>* visit = nullptr;
  int error = 0;  ///< an errno
};

int take(struct nl_msg* message, void* of) {
  const auto& answer = *static_cast<const Answer*>(of);
  if (*answer.visit) (*answer.visit)(*::nlmsg_hdr(message));
  return NL_OK;
}

int take_error(struct sockaddr_nl* /*from*/, struct nlmsgerr* error, void* of) {
  static_cast<Answer*>(of)->error = -error->error;
  return NL_STOP;
}

struct PutCallbacks {
  void operator()(struct nl_cb* callbacks) const { ::nl_cb_put(callbacks); }
};

}  // namespace

void FreeRouteMessage::operator()(struct nl_msg* message) const {
  ::nlmsg_free(message);
}

RouteMessage make_route_message(int type, int flags, std::string_view body) {
  RouteMessage message(::nlmsg_alloc_size(NLMSG_HDRLEN + body.size() + kRoom));
  if (!message || ::nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) == nullptr ||
      ::nlmsg_append(message.get(), const_cast<char*>(body.data()), body.size(), NLMSG_ALIGNTO) != 0)
    return nullptr;
  return message;
}

void RouteSocket::Close::operator()(struct nl_sock* socket) const {
  ::nl_socket_free(socket);
}

Result<RouteSocket> RouteSocket::open() {
  RouteSocket made;
  made.socket_.reset(::nl_socket_alloc());
  if (!made.socket_) return fail("no memory for a netlink socket");
  if (const int r = ::nl_connect(made.socket_.get(), NETLINK_ROUTE); r != 0)
    return fail(std::string("a netlink socket cannot be opened: ") + ::nl_geterror(r));
  return made;
}

int RouteSocket::exchange(const RouteMessage& message, int flags,
                          const std::function<void(struct nlmsghdr&)>& visit) {
  if (!message) return ENOMEM;
  ::nlmsg_hdr(message.get())->nlmsg_flags |= static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  if (::nl_send_auto(socket_.get(), message.get()) < 0) return errno;
  const std::unique_ptr<struct nl_cb, PutCallbacks> callbacks(::nl_cb_alloc(NL_CB_DEFAULT));
  if (!callbacks) return ENOMEM;
  Answer answer{&visit, 0};
  ::nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, take, &answer);
  ::nl_cb_err(callbacks.get(), NL_CB_CUSTOM, take_error, &answer);
  const int r = ::nl_recvmsgs(socket_.get(), callbacks.get());
  return answer.error != 0 ? answer.error : r < 0 ? EIO : 0;
}

int RouteSocket::ask(const RouteMessage& message) {
  return exchange(message, NLM_F_ACK, {});
}

Result<void> RouteSocket::dump(const RouteMessage& message,
                               const std::function<void(struct nlmsghdr&)>& visit) {
  if (const int error = exchange(message, NLM_F_DUMP, visit); error != 0)
    return fail_errno(error, "the network cannot be read by netlink");
  return {};
}

}  // namespace rehearse::gate
