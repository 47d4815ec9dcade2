#include "gate/stream_socket.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace rehearse::gate {
namespace {

constexpr std::uint32_t kInput = EPOLLIN | EPOLLRDHUP | EPOLLET;

}  // namespace

Result<void> StreamSocket::take(UniqueFd fd) {
  fd_ = std::move(fd);
  readable_ = true;  // most clients speak first, and have by the time they are accepted
  return loop_.watch(fd_.get(), kInput, *this);
}

Result<void> StreamSocket::take_connecting(UniqueFd fd) {
  fd_ = std::move(fd);
  readable_ = false;
  writable_ = false;
  watches_room_ = true;
  hung_up_ = false;
  error_ = 0;
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return loop_.watch(fd_.get(), kInput | EPOLLOUT, *this);
}

void StreamSocket::limit_unsent(int bytes) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void StreamSocket::on_ready(std::uint32_t events) {
  if (!fd_.valid()) return;
  constexpr std::uint32_t kOver = EPOLLHUP | EPOLLERR;
  if ((events & (EPOLLIN | EPOLLRDHUP | kOver)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | kOver)) != 0) writable_ = true;
  if ((events & kOver) != 0) hung_up_ = true;
  owner_.on_socket();
}

StreamSocket::Io StreamSocket::judge(std::ptrdiff_t result, bool& possible, std::size_t& count) {
  count = 0;
  if (result > 0) {
    count = static_cast<std::size_t>(result);
    return Io::kDone;
  }
  if (result == 0) return Io::kEnd;
  possible = false;
  if (errno == EAGAIN) return Io::kBlocked;
  error_ = errno;
  return Io::kBroken;
}

StreamSocket::Io StreamSocket::read(std::span<char> buffer, std::size_t& count) {
  if (!readable_) return Io::kBlocked;
  return judge(::recv(fd_.get(), buffer.data(), buffer.size(), 0), readable_, count);
}

StreamSocket::Io StreamSocket::write(std::string_view bytes, std::size_t& count) {
  count = 0;
  if (!writable_) return Io::kBlocked;
  const Io io = judge(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), writable_, count);
  if (io == Io::kBlocked) watch_room();
  return io;
}

/// Most connections never fill their buffers: nobody is woken for room before it was missing.
void StreamSocket::watch_room() {
  if (watches_room_) return;
  watches_room_ = true;
  // The kernel tells at once if there is room by now.
  if (!loop_.change(fd_.get(), kInput | EPOLLOUT, *this)) hung_up_ = true;
}

void StreamSocket::shut_down() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void StreamSocket::close() {
  loop_.forget(*this);
  fd_.reset();
}

void StreamSocket::reset() {
  if (fd_.valid()) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  close();
}

int StreamSocket::connect_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

bool StreamSocket::sends() const {
  struct tcp_info info = {};
  socklen_t size = sizeof info;
  return fd_.valid() && ::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         (info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0);
}

}  // namespace rehearse::gate
