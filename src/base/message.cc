#include "base/message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/sys.h"

namespace rehearse {
namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(kMostMessageFds * sizeof(int));

}  // namespace

Result<SocketPair> socket_pair(int type) {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) return sys::last_error("socketpair");
  return SocketPair{UniqueFd(pair[0]), UniqueFd(pair[1])};
}

Result<void> send_message(int socket, std::string_view text, std::span<const int> fds) {
  if (text.empty() || fds.size() > kMostMessageFds)
    return fail("a message without text, or too many descriptors");
  struct iovec part = {const_cast<char*>(text.data()), text.size()};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(struct cmsghdr) char control[kControlBytes] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return sys::last_error("sendmsg");
  return {};
}

Result<Message> receive_message(int socket, std::size_t limit) {
  Message received;
  received.text.resize(limit);
  struct iovec part = {received.text.data(), received.text.size()};
  alignas(struct cmsghdr) char control[kControlBytes] = {};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return sys::last_error("recvmsg");
  received.text.resize(static_cast<std::size_t>(size));
  for (struct cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail("a message was longer than it may be");
  return received;
}

}  // namespace rehearse
