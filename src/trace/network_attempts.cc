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
#include "syscalls/nr_set.h"
#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 65536;  ///< attempts, sources, and what is known of sockets
constexpr std::size_t kMostAsked = 65536;

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

/// Nothing, or 0.0.0.0.
bool is_unspecified(const IpAddress& address) {
  return address == IpAddress{} || address == IpAddress::v4({0, 0, 0, 0});
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

/// Calls that may send something by the socket they are given.
bool sends(std::uint32_t nr) {
  static constexpr syscalls::NrSet kCalls(Nr::sendto, Nr::sendmsg, Nr::sendmmsg, Nr::write, Nr::writev,
                                          Nr::pwritev2, Nr::sendfile, Nr::splice);
  return kCalls.contains(nr);
}

/// What a socket is that no hook judges, if it is one.
std::optional<struct rh_ends> ends_of(const Record& record) {
  std::optional<struct rh_ends> found;
  record.each_attachment([&](const Attachment& attachment) {
    const auto* ends = attachment.kind == RH_ENDS ? attachment.as<struct rh_ends>() : nullptr;
    if (ends == nullptr || ends->family == 0) return;
    const bool judged =
        ends->family != AF_PACKET && ends->type != SOCK_RAW &&
        (ends->protocol == IPPROTO_TCP || ends->protocol == IPPROTO_UDP || ends->protocol == IPPROTO_MPTCP);
    if (!judged) found = *ends;
  });
  return found;
}

std::optional<struct rh_ends> ends_of(const FdInfo& socket) {
  struct rh_ends ends = {};
  if (socket.protocol == "packet") {
    ends.family = AF_PACKET;
  } else if (socket.protocol == "raw" || socket.protocol == "icmp") {
    ends.family = AF_INET;
    ends.protocol = socket.protocol == "icmp" ? IPPROTO_ICMP : IPPROTO_RAW;
    if (socket.server) std::memcpy(ends.remote, socket.server->address.bytes.data(), sizeof ends.remote);
  } else {
    return std::nullopt;
  }
  return ends;
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
  looks_.add(record);
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
    connected(record, *process);
  } else if (head.kind == RH_EXIT) {
    made(record, *process);
  }
}

bool NetworkAttempts::is_inside(const IpAddress& address) const {
  return is_loopback(address) || is_unspecified(address) || own_(address);
}

void NetworkAttempts::judged(const Record& record, const struct rh_socket& socket, const Process& process) {
  if (socket.what != RH_CONNECT && socket.what != RH_SEND) return;
  NetworkAttempt attempt;
  attempt.transport = transport_of(socket.protocol);
  std::memcpy(attempt.address.bytes.data(), socket.address, sizeof socket.address);
  attempt.port = socket.port;
  const bool names = attempt.transport == Transport::kUdp && socket.what == RH_CONNECT;
  if (socket.listened != 0) {
    if (names) looks_.take(record.head().tid, attempt.address, attempt.port, nullptr);
    return;
  }
  // ping(8) looks so for the source address of what it is to send.
  constexpr std::uint16_t kPingPort = 1025;
  if (names && attempt.port == kPingPort && pings_.contains(process.id)) {
    if (socket.verdict == RH_NATURAL && is_inside(attempt.address)) return;  // the run's kernel answers
    attempt.transport = Transport::kIcmp;
    attempt.port = 0;
  }
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
  if (names && looks_.take(record.head().tid, attempt.address, socket.port, &attempt)) return;
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

/// What is sent by sockets of which the hooks hear nothing: nothing of it gets out. What such a socket is,
/// the kernel says of the calls for sending; of others, what is known of the descriptor.
void NetworkAttempts::unjudged(const TraceEvent& event, const FdInfo* socket) {
  const Record& record = *event.record;
  std::optional<struct rh_ends> ends = ends_of(record);
  if (!ends && socket != nullptr) ends = ends_of(*socket);
  if (!ends) return;
  NetworkAttempt attempt;
  if (ends->family == AF_PACKET) {
    attempt.transport = Transport::kFamily;
    attempt.path = "AF_PACKET";
  } else {
    std::memcpy(attempt.address.bytes.data(), ends->remote, sizeof ends->remote);
    for (const Record* told : {event.entry, event.record}) {
      if (told == nullptr) continue;
      if (const auto named = asked_address(*told)) {
        if (const auto to = internet_address(*named)) attempt.address = *to;
      }
    }
    if (is_inside(attempt.address)) return;
    attempt.transport = transport_of(static_cast<std::uint8_t>(ends->protocol));
  }
  of(*event.process, attempt);
  attempt.sends = true;  // or may, once it is connected
  attempt.verdict = RH_DENY;
  if (event.failed()) attempt.error = static_cast<int>(-event.result());
  attempt.first_ns = record.head().time_ns;
  note(std::move(attempt));
}

void NetworkAttempts::add(const TraceEvent& event, const EventStream& stream) {
  if (event.type != EventType::kCall || event.record->head().abi != 0) return;
  const std::uint32_t nr = event.record->head().nr;
  const bool connects = nr == Nr::connect && !event.failed();
  if (!sends(nr) && !connects) return;
  // The first descriptor is where the bytes of splice(2) come from.
  const FdInfo* socket =
      stream.peek(event.tid, static_cast<std::int32_t>(event.record->argument(nr == Nr::splice ? 2 : 0)));
  unjudged(event, socket);
  const bool connected = socket != nullptr && socket->protocol == "udp" && socket->server;
  if (connected && !connects && used_.size() < kMost)
    used_.emplace(socket->server->address, socket->server->port);
}

void NetworkAttempts::finish() {
  looks_.finish();
  for (NetworkAttempt& attempt : list_)
    attempt.used = attempt.transport == Transport::kUdp && used_.contains({attempt.address, attempt.port});
}

void NetworkAttempts::made(const Record& record, const Process& process) {
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(record.head()).result;
  if (result < 0) return refused_family(record, process);
  const std::uint64_t protocol = record.argument(2);
  const bool internet = record.argument(0) == AF_INET || record.argument(0) == AF_INET6;
  if (internet && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && pings_.size() < kMost)
    pings_.insert(process.id);
}

void NetworkAttempts::refused_family(const Record& record, const Process& process) {
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(record.head()).result;
  // A question to this host's kernel reaches nobody: it is an attempt of another kind (attempt_kind.h).
  if (static_cast<std::uint32_t>(record.argument(0)) == AF_NETLINK) return;
  if (is_refused_echo_socket(record)) return;
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
          attempt.process, attempt.exe, attempt.sends, attempt.looks, attempt.verdict, attempt.rule,
          attempt.error);
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
