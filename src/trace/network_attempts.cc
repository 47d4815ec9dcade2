#include "trace/network_attempts.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "syscalls/call.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 65536;  ///< attempts, and sources
constexpr std::size_t kMostAsked = 65536;

Transport transport_of(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return Transport::kTcp;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
      return Transport::kUdp;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return Transport::kIcmp;
    default:
      return Transport::kOtherInternet;
  }
}

/// The address of a struct sockaddr_in or sockaddr_in6.
std::optional<IpAddress> internet_address(std::string_view sockaddr) {
  sa_family_t family = 0;
  if (sockaddr.size() < sizeof family) return std::nullopt;
  std::memcpy(&family, sockaddr.data(), sizeof family);
  if (family == AF_INET && sockaddr.size() >= sizeof(struct sockaddr_in)) {
    std::array<std::uint8_t, 4> four = {};
    std::memcpy(four.data(), sockaddr.data() + offsetof(struct sockaddr_in, sin_addr), four.size());
    return IpAddress::v4(four);
  }
  if (family != AF_INET6 || sockaddr.size() < offsetof(struct sockaddr_in6, sin6_scope_id))
    return std::nullopt;
  IpAddress address;
  std::memcpy(address.bytes.data(), sockaddr.data() + offsetof(struct sockaddr_in6, sin6_addr),
              address.bytes.size());
  return address;
}

/// 127.0.0.0/8 and ::1.
bool is_loopback(const IpAddress& address) {
  constexpr IpAddress kLoopback6 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return address.is_v4() ? address.bytes[12] == 127 : address == kLoopback6;
}

/// Calls that name where to: connect and sendto when they begin, sendmsg and sendmmsg (the first message)
/// when they return.
bool asks(const struct rh_head& head) {
  return head.abi == 0 && (head.nr == Nr::connect || head.nr == Nr::sendto || head.nr == Nr::sendmsg ||
                           head.nr == Nr::sendmmsg);
}

/// The socket address that such a call names, nothing if this record does not have it.
std::optional<std::string_view> asked_address(const Record& record) {
  const struct rh_head& head = record.head();
  const bool begins = head.nr == Nr::connect || head.nr == Nr::sendto || head.nr == Nr::bind;
  std::optional<std::string_view> address;
  if (head.kind != (begins ? RH_ENTER : RH_EXIT)) return address;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == (begins ? RH_BLOB : RH_PEER)) address = attachment.bytes;
  });
  return address;
}

bool is_pending(std::int64_t result) {
  return result == -EINPROGRESS || result == -EAGAIN || result == -EINTR || result == -EALREADY ||
         result == -EISCONN;
}

void of(const Process& process, NetworkAttempt& attempt) {
  attempt.process = process.id;
  if (const Image* image = ProcessTree::image_of(process)) attempt.exe = image->path;
}

}  // namespace

std::string unix_path(std::string_view sockaddr) {
  sa_family_t family = 0;
  if (sockaddr.size() <= sizeof family) return {};
  std::memcpy(&family, sockaddr.data(), sizeof family);
  if (family != AF_UNIX) return {};
  std::string_view path =
      sockaddr.substr(offsetof(struct sockaddr_un, sun_path), sizeof(sockaddr_un::sun_path));
  if (path.front() == '\0') return '@' + std::string(path.substr(1));
  return std::string(path.substr(0, std::min(path.find('\0'), path.size())));
}

void NetworkAttempts::add(const Record& record, const ProcessTree& tree) {
  const struct rh_head& head = record.head();
  const bool hook = head.kind == RH_SOCKET || head.kind == RH_UNIX;
  if (!hook && head.kind != RH_ENTER && head.kind != RH_EXIT) return;
  const bool makes = head.abi == 0 && head.nr == Nr::socket;
  const bool binds = head.abi == 0 && head.nr == Nr::bind;
  // Calls of another kind have other numbers: the hook has said that this one names a local socket.
  const bool foreign = head.abi != 0 && head.kind == RH_EXIT && asked_.contains(head.tid);
  if (!hook && !asks(head) && !makes && !binds && !foreign) return;
  const Process* process = tree.of_action(head.tid);
  if (process == nullptr) return;
  if (head.kind == RH_SOCKET) {
    if (const auto* socket = record.as<struct rh_socket>()) judged(record, *socket, *process);
  } else if (head.kind == RH_UNIX) {
    if (const auto* socket = record.as<struct rh_unix>()) named(record, *socket);
  } else if (foreign) {
    local(record, *process);
  } else if (binds) {
    bound(record);
  } else if (asks(head)) {
    local(record, *process);
    by_hand(record, *process);
    connected(record, *process);
  } else if (head.kind == RH_EXIT) {
    made(record, *process);
  }
}

void NetworkAttempts::judged(const Record& record, const struct rh_socket& socket, const Process& process) {
  if (socket.what == RH_BIND || socket.listened != 0) return;
  NetworkAttempt attempt;
  attempt.transport = transport_of(socket.protocol);
  std::memcpy(attempt.address.bytes.data(), socket.address, sizeof socket.address);
  attempt.port = socket.port;
  of(process, attempt);
  attempt.sends = socket.what == RH_SEND;
  attempt.verdict = socket.verdict;
  attempt.rule = socket.rule;
  attempt.error = socket.verdict == RH_DENY ? socket.error : 0;
  // Nothing listens there: the run's own network refuses it.
  if (socket.verdict == RH_NATURAL) attempt.error = ECONNREFUSED;
  attempt.first_ns = record.head().time_ns;
  if (socket.source != 0 && socket.what == RH_SEND && socket.verdict == RH_GATE)
    note(SocketSource{attempt.transport, attempt.address, attempt.port, socket.source, process.id,
                      attempt.first_ns});
  note(std::move(attempt));
}

/// The kernel's copy of the address that the call in progress names: what it looks at, whatever the caller's
/// memory says by now.
void NetworkAttempts::named(const Record& record, const struct rh_unix& socket) {
  const std::size_t length = std::min<std::size_t>(socket.length, sizeof socket.address);
  std::string path = unix_path({reinterpret_cast<const char*>(socket.address), length});
  if (!path.empty() && asked_.size() < kMostAsked) asked_[record.head().tid] = std::move(path);
}

void NetworkAttempts::connected(const Record& record, const Process& process) {
  if (record.head().kind != RH_EXIT) return;
  record.each_attachment([&](const Attachment& attachment) {
    const auto* ends = attachment.kind == RH_ENDS ? attachment.as<struct rh_ends>() : nullptr;
    if (ends == nullptr || ends->local_port == 0) return;
    SocketSource source;
    source.transport = transport_of(static_cast<std::uint8_t>(ends->protocol));
    std::memcpy(source.address.bytes.data(), ends->remote, sizeof ends->remote);
    source.port = ends->remote_port;
    source.source = ends->local_port;
    source.process = process.id;
    source.time_ns = record.head().time_ns;
    note(source);
  });
}

/// A socket that sends again and again is one source.
void NetworkAttempts::note(const SocketSource& source) {
  if (!sources_.empty()) {
    const SocketSource& last = sources_.back();
    if (last.source == source.source && last.process == source.process && last.address == source.address &&
        last.port == source.port && last.transport == source.transport)
      return;
  }
  if (sources_.size() < kMost) sources_.push_back(source);
}

void NetworkAttempts::local(const Record& record, const Process& process) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_ENTER) asked_.erase(head.tid);
  // What the kernel has said counts.
  const bool known = asked_.contains(head.tid);
  if (const auto address = known ? std::nullopt : asked_address(record)) {
    std::string path = unix_path(*address);
    if (!path.empty() && asked_.size() < kMostAsked) asked_[head.tid] = std::move(path);
  }
  if (head.kind == RH_ENTER) return;
  const auto found = asked_.find(head.tid);
  if (found == asked_.end()) return;
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(head).result;
  std::string path = std::move(found->second);
  asked_.erase(found);
  if (result >= 0 || is_pending(result)) return;
  NetworkAttempt attempt;
  attempt.transport = Transport::kUnix;
  if (!path.starts_with('@')) attempt.place = place_(head.tid, path);
  if (!attempt.place.starts_with('/')) attempt.place.clear();
  attempt.own = bound_.contains(attempt.place);
  attempt.path = std::move(path);
  of(process, attempt);
  attempt.verdict = RH_DENY;
  attempt.error = static_cast<int>(-result);
  attempt.first_ns = head.time_ns;
  note(std::move(attempt));
}

/// A local socket that the action makes under a path is its own, also after it has closed it.
void NetworkAttempts::bound(const Record& record) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_ENTER) asked_.erase(head.tid);
  if (const auto address = asked_address(record)) {
    std::string path = unix_path(*address);
    if (!path.empty() && asked_.size() < kMostAsked) asked_[head.tid] = std::move(path);
  }
  if (head.kind == RH_ENTER) return;
  const auto found = asked_.find(head.tid);
  if (found == asked_.end()) return;
  const std::string path = std::move(found->second);
  asked_.erase(found);
  if (reinterpret_cast<const struct rh_call&>(head).result != 0 || path.starts_with('@')) return;
  std::string place = place_(head.tid, path);
  if (place.starts_with('/') && bound_.size() < kMost) bound_.insert(std::move(place));
}

/// What a raw socket is given: of these the hooks hear nothing, and nothing of it gets out.
void NetworkAttempts::by_hand(const Record& record, const Process& process) {
  const auto address = asked_address(record);
  const auto socket = raw_.find({process.id, record.argument(0)});
  if (!address || socket == raw_.end()) return;
  const auto to = internet_address(*address);
  if (!to || is_loopback(*to)) return;
  NetworkAttempt attempt;
  attempt.transport = transport_of(socket->second);
  attempt.address = *to;
  of(process, attempt);
  attempt.sends = true;
  attempt.verdict = RH_DENY;
  attempt.first_ns = record.head().time_ns;
  note(std::move(attempt));
}

void NetworkAttempts::made(const Record& record, const Process& process) {
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(record.head()).result;
  if (result < 0) return refused_family(record, process);
  const std::pair socket(process.id, static_cast<std::uint64_t>(result));
  const bool internet = record.argument(0) == AF_INET || record.argument(0) == AF_INET6;
  constexpr std::uint64_t kType = 0xf;  // beside SOCK_NONBLOCK and SOCK_CLOEXEC
  if (internet && (record.argument(1) & kType) == SOCK_RAW && raw_.size() < kMostAsked)
    raw_[socket] = static_cast<std::uint8_t>(record.argument(2));
  else
    raw_.erase(socket);
}

void NetworkAttempts::refused_family(const Record& record, const Process& process) {
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(record.head()).result;
  // A question to this host's kernel reaches nobody: it is an attempt of another kind (attempt_kind.h).
  if (static_cast<std::uint32_t>(record.argument(0)) == AF_NETLINK) return;
  if (result != -EAFNOSUPPORT && result != -EPERM && result != -EACCES && result != -EPROTONOSUPPORT) return;
  syscalls::Call made;
  made.nr = record.head().nr;
  for (unsigned i = 0; i < made.args.size(); ++i) made.args[i] = record.argument(i);
  NetworkAttempt attempt;
  attempt.transport = Transport::kFamily;
  attempt.path = syscalls::format_arguments(made);
  of(process, attempt);
  attempt.verdict = RH_DENY;
  attempt.error = static_cast<int>(-result);
  attempt.first_ns = record.head().time_ns;
  note(std::move(attempt));
}

void NetworkAttempts::note(NetworkAttempt attempt) {
  Key key(attempt.transport, attempt.address, attempt.port, attempt.path, attempt.place, attempt.own,
          attempt.process, attempt.exe, attempt.sends, attempt.verdict, attempt.rule, attempt.error);
  if (const auto found = known_.find(key); found != known_.end()) {
    ++list_[found->second].count;
    return;
  }
  if (list_.size() >= kMost) {
    ++unlisted_;
    return;
  }
  known_.emplace(std::move(key), list_.size());
  attempt.count = 1;
  list_.push_back(std::move(attempt));
}

}  // namespace rehearse::trace
