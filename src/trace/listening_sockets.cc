#include "trace/listening_sockets.h"

#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;            ///< sockets, and threads in a call
constexpr std::uint64_t kLocalPortRange = 51;  ///< IP_LOCAL_PORT_RANGE, Linux 6.3

ListeningSocket of(const Record& record, const struct rh_socket& socket, const Process& process) {
  ListeningSocket made;
  made.transport = transport_of(socket.protocol);
  std::memcpy(made.address.bytes.data(), socket.address, sizeof socket.address);
  made.port = socket.port;
  made.process = process.id;
  if (const Image* image = ProcessTree::image_of(process)) made.exe = image->path;
  made.first_ns = record.head().time_ns;
  return made;
}

}  // namespace

void ListeningSockets::add(const Record& record, const ProcessTree& tree) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_SOCKET) {
    const auto* socket = record.as<struct rh_socket>();
    const Process* process = tree.of_action(head.tid);
    if (socket == nullptr || process == nullptr) return;
    if (socket->what == RH_BIND && (asked_.size() < kMost || asked_.contains(head.tid)))
      asked_[head.tid] = socket->port;
    if (socket->what == RH_BIND) note_address(of(record, *socket, *process).address);
    if (socket->what == RH_BOUND) bound(record, *socket, *process);
    if (socket->what == RH_LISTEN) listens(record, *socket, *process);
    return;
  }
  if (head.kind != RH_EXIT || head.abi != 0) return;
  if (head.nr == Nr::bind) asked_.erase(head.tid);
  if (head.nr == Nr::listen) returned(record);
  if (head.nr == Nr::setsockopt && record.argument(1) == IPPROTO_IP &&
      record.argument(2) == kLocalPortRange && reinterpret_cast<const struct rh_call&>(head).result == 0)
    chooses_ = true;
}

void ListeningSockets::note_address(const IpAddress& address) {
  if (bound_to_.contains(address)) return;
  if (bound_to_.size() < kMost)
    bound_to_.insert(address);
  else
    ++unlisted_;
}

void ListeningSockets::bound(const Record& record, const struct rh_socket& socket, const Process& process) {
  const auto asked = asked_.find(record.head().tid);
  // Not known: the worse.
  const bool asked_for = chooses_ || asked == asked_.end() || asked->second != 0;
  ListeningSocket made = of(record, socket, process);
  if (made.transport == Transport::kTcp) {
    if (asked_for) ports_.set(made.port);
    return;
  }
  // A client's socket has some port; only who wants to be found asks for one.
  if (made.transport == Transport::kUdp && asked_for) note(std::move(made));
}

void ListeningSockets::listens(const Record& record, const struct rh_socket& socket, const Process& process) {
  ListeningSocket made = of(record, socket, process);
  made.any_port = made.port == 0 || !ports_.test(made.port);
  if (begun_.size() < kMost || begun_.contains(record.head().tid))
    begun_[record.head().tid] = std::move(made);
  else
    note(std::move(made));  // whether it worked will not be known
}

void ListeningSockets::returned(const Record& record) {
  const auto found = begun_.find(record.head().tid);
  if (found == begun_.end()) return;
  ListeningSocket made = std::move(found->second);
  begun_.erase(found);
  if (reinterpret_cast<const struct rh_call&>(record.head()).result == 0) note(std::move(made));
}

void ListeningSockets::note(ListeningSocket socket) {
  Key key(socket.transport, socket.address, socket.any_port ? std::uint16_t{0} : socket.port, socket.any_port,
          socket.process, socket.exe);
  const auto found = known_.find(key);
  if (found == known_.end() && list_.size() >= kMost) {
    ++unlisted_;
    return;
  }
  const std::size_t at = found == known_.end() ? list_.size() : found->second;
  if (found == known_.end()) {
    known_.emplace(std::move(key), at);
    list_.push_back(std::move(socket));
  }
  ++list_[at].count;
}

}  // namespace rehearse::trace
