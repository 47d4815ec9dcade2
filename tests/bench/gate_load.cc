// Clients and a server for measuring the gate (tests/bench/gate.py): prints one number.
//
//   gate_load new ADDRESS PORT SECONDS     requests a second, each on a connection of its own
//   gate_load keep ADDRESS PORT SECONDS    requests a second on one connection
//   gate_load send ADDRESS PORT MEBIBYTES  bytes a second of one stream
//   gate_load refused ADDRESS PORT SECONDS nanoseconds that a connect takes that is refused, the fastest
//   tenth of them gate_load swallow PORT                 the other end of `send` gate_load serve PORT answers
//   requests, with nothing of HTTP but its form
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr const char* kRequest = "GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
constexpr const char* kReply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct sockaddr_in to(const char* address, const char* port) {
  struct sockaddr_in made = {};
  made.sin_family = AF_INET;
  made.sin_port = htons(static_cast<unsigned short>(std::atoi(port)));
  ::inet_pton(AF_INET, address, &made.sin_addr);
  return made;
}

int dial(const struct sockaddr_in& address, unsigned source) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (source != 0) {  // one address has too few ports
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in own = {};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(0x7f000000U + source);
    if (::bind(fd, reinterpret_cast<struct sockaddr*>(&own), sizeof own) != 0) die("bind");
  }
  if (::connect(fd, reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) die("connect");
  return fd;
}

void ask(int fd) {
  char reply[4096];
  if (::send(fd, kRequest, std::strlen(kRequest), 0) < 0) die("send");
  std::string got;
  while (got.find("hello") == std::string::npos) {
    const ssize_t size = ::recv(fd, reply, sizeof reply, 0);
    if (size <= 0) die("recv");
    got.append(reply, static_cast<std::size_t>(size));
  }
}

void measure_requests(const struct sockaddr_in& address, double seconds, bool keep) {
  const double begun = now();
  unsigned count = 0;
  int fd = keep ? dial(address, 0) : -1;
  for (; now() - begun < seconds; ++count) {
    if (!keep) fd = dial(address, 1 + count % 16);
    ask(fd);
    if (!keep) ::close(fd);
  }
  std::printf("%.0f\n", count / (now() - begun));
}

void measure_stream(const struct sockaddr_in& address, std::size_t mebibytes) {
  const std::vector<char> block(1 << 20, 'x');
  const int fd = dial(address, 0);
  const double begun = now();
  for (std::size_t i = 0; i < mebibytes; ++i) {
    for (std::size_t sent = 0; sent < block.size();) {
      const ssize_t size = ::send(fd, block.data() + sent, block.size() - sent, 0);
      if (size <= 0) die("send");
      sent += static_cast<std::size_t>(size);
    }
  }
  ::shutdown(fd, SHUT_WR);
  char end = 0;
  (void)!::recv(fd, &end, 1, 0);
  std::printf("%.0f\n", static_cast<double>(mebibytes << 20U) / (now() - begun));
}

void measure_refusals(const struct sockaddr_in& address, double seconds) {
  const double begun = now();
  std::vector<double> took;
  while (now() - begun < seconds) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const double before = now();
    if (::connect(fd, reinterpret_cast<const struct sockaddr*>(&address), sizeof address) == 0 ||
        errno != ECONNREFUSED)
      die("connect");
    took.push_back(now() - before);
    ::close(fd);
  }
  // Interruptions are not what is measured.
  const std::size_t tenth = took.size() / 10;
  std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(tenth), took.end());
  std::printf("%.0f\n", took[tenth] * 1e9);
}

void answer(int fd) {
  std::vector<char> buffer(1 << 16);
  while (::recv(fd, buffer.data(), buffer.size(), 0) > 0) {
    if (::send(fd, kReply, std::strlen(kReply), MSG_NOSIGNAL) < 0) break;
  }
}

void swallow(int fd) {
  std::vector<char> buffer(1 << 20);
  while (::recv(fd, buffer.data(), buffer.size(), 0) > 0) {
  }
  (void)!::send(fd, "x", 1, MSG_NOSIGNAL);
}

void serve(const char* port, void (*each)(int), bool threads) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const struct sockaddr_in address = to("127.0.0.1", port);
  if (::bind(listener, reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0) die("bind");
  ::listen(listener, 4096);
  while (true) {
    const int fd = ::accept(listener, nullptr, nullptr);
    const auto work = [fd, each] {
      each(fd);
      ::close(fd);
    };
    if (threads) {
      std::thread(work).detach();
    } else {
      work();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  if (what == "swallow" && argc == 3) serve(argv[2], swallow, true);
  if (what == "serve" && argc == 3) serve(argv[2], answer, false);
  if (argc != 5) return 64;
  const struct sockaddr_in address = to(argv[2], argv[3]);
  if (what == "send") {
    measure_stream(address, std::strtoul(argv[4], nullptr, 10));
  } else if (what == "refused") {
    measure_refusals(address, std::atof(argv[4]));
  } else {
    measure_requests(address, std::atof(argv[4]), what == "keep");
  }
  return 0;
}
