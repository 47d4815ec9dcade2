#include "gate/resolver.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "base/sys.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kMostAddresses = 32;  ///< of a name
constexpr std::int64_t kShortest = kSecond;
constexpr std::int64_t kLongest = 60 * kSecond;
constexpr int kPatience = 2000;  ///< milliseconds for each server, doubled in the second round
constexpr int kRounds = 2;
constexpr std::size_t kLargestHosts = std::size_t{16} << 20U;

IpAddress address_of(const struct ares_addrinfo_node& node) {
  SocketAddress address;
  if (node.ai_addrlen > sizeof address.storage) return {};
  std::memcpy(&address.storage, node.ai_addr, node.ai_addrlen);
  return address.address();
}

}  // namespace

class Resolver::Socket : public EventLoop::Watcher {
 public:
  Socket(Resolver& resolver, ares_socket_t fd) : resolver_(resolver), fd_(fd) {}
  void on_ready(std::uint32_t events) override {
    if (closed_) return;
    constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;
    resolver_.process((events & (EPOLLIN | kBroken)) != 0 ? fd_ : ARES_SOCKET_BAD,
                      (events & (EPOLLOUT | kBroken)) != 0 ? fd_ : ARES_SOCKET_BAD);
  }
  void close() { closed_ = true; }

 private:
  Resolver& resolver_;
  ares_socket_t fd_;
  bool closed_ = false;
};

Resolver::Resolver(EventLoop& loop) : loop_(loop) {}

Result<std::unique_ptr<Resolver>> Resolver::create(EventLoop& loop) {
  std::unique_ptr<Resolver> resolver(new Resolver(loop));
  if (auto text = sys::read_file("/etc/hosts", kLargestHosts)) resolver->hosts_ = HostsFile::parse(*text);
  struct ares_options options = {};
  char lookups[] = "b";  // name servers only
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = kPatience;
  options.tries = kRounds;
  options.lookups = lookups;
  options.sock_state_cb = on_socket;
  options.sock_state_cb_data = resolver.get();
  const int status = ::ares_init_options(
      &resolver->channel_, &options,
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS)
    return fail(std::string("the host's resolver cannot be used: ") + ::ares_strerror(status),
                ExitCode::kUnavailable, "check /etc/resolv.conf");
  return resolver;
}

Resolver::~Resolver() {
  for (auto& [name, entry] : entries_) entry.waiting.clear();
  if (channel_ != nullptr) ::ares_destroy(channel_);
}

std::uint64_t Resolver::ask(const std::string& name, Done done) {
  const std::uint64_t question = ++questions_;
  if (const auto& addresses = hosts_.find(name); !addresses.empty()) {
    done({addresses, {}});
    return question;
  }
  if (const auto found = entries_.find(name); found != entries_.end()) {
    Entry& entry = found->second;
    if (!entry.known) {
      entry.waiting.emplace(question, std::move(done));
      return question;
    }
    if (loop_.now() < entry.until_ns) {
      done(entry.answer);
      return question;
    }
    entries_.erase(found);
  }
  make_room();
  if (entries_.size() >= kMostEntries) {
    done({{}, "too many names are being resolved"});
    return question;
  }
  Entry& entry = entries_[name];
  entry.resolver = this;
  entry.waiting.emplace(question, std::move(done));
  struct ares_addrinfo_hints hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ::ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_answer, &entry);
  process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  return question;
}

void Resolver::cancel(std::uint64_t question) {
  for (auto& [name, entry] : entries_) {
    if (entry.waiting.erase(question) > 0) return;
  }
}

/// Forgets what is known if there is much of it.
void Resolver::make_room() {
  if (entries_.size() < kMostEntries) return;
  std::erase_if(entries_, [](const auto& entry) { return entry.second.known; });
}

void Resolver::on_answer(void* pointer, int status, int /*timeouts*/, struct ares_addrinfo* result) {
  Entry& entry = *static_cast<Entry*>(pointer);
  std::int64_t keep = kLongest;
  if (status == ARES_SUCCESS && result != nullptr) {
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
      if (entry.answer.addresses.size() == kMostAddresses) break;
      if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
      entry.answer.addresses.push_back(address_of(*node));
      keep = std::min(keep, node->ai_ttl * kSecond);
    }
  } else {
    keep = kShortest;
  }
  if (result != nullptr) ::ares_freeaddrinfo(result);
  if (entry.answer.addresses.empty())
    entry.answer.error = status == ARES_SUCCESS ? "it has no address" : ::ares_strerror(status);
  entry.known = true;
  entry.until_ns = entry.resolver->loop_.now() + std::max(keep, kShortest);
  // One of them may ask the next question.
  const Answer answer = entry.answer;
  for (auto& [question, done] : std::exchange(entry.waiting, {})) done(answer);
}

void Resolver::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  auto& resolver = *static_cast<Resolver*>(self);
  const std::uint32_t events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
  const auto found = resolver.sockets_.find(fd);
  if (found != resolver.sockets_.end()) {
    if (events != 0) {
      (void)resolver.loop_.change(fd, events, *found->second);
      return;
    }
    found->second->close();
    resolver.closed_.push_back(std::move(found->second));
    resolver.sockets_.erase(found);
    return;
  }
  if (events == 0) return;
  auto socket = std::make_unique<Socket>(resolver, fd);
  // One that cannot be watched is given up at its time-out.
  if (resolver.loop_.watch(fd, events, *socket)) resolver.sockets_.emplace(fd, std::move(socket));
}

void Resolver::process(ares_socket_t readable, ares_socket_t writable) {
  ::ares_process_fd(channel_, readable, writable);
  struct timeval buffer = {};
  const struct timeval* const left = ::ares_timeout(channel_, nullptr, &buffer);
  if (left != nullptr) {
    loop_.timers().set(*this, loop_.now() + left->tv_sec * kSecond + left->tv_usec * 1000 + 1);
  } else if (!closed_.empty()) {
    loop_.timers().set(*this, loop_.now() + 1);
  } else {
    loop_.timers().cancel(*this);
  }
}

void Resolver::on_time() {
  closed_.clear();
  process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

}  // namespace rehearse::gate
