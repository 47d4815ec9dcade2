#include "trace/listening_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <utility>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;  ///< sockets, threads and ports that are known

Transport transport_of(std::uint16_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
    case IPPROTO_MPTCP:
      return Transport::kTcp;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
      return Transport::kUdp;
    default:
      return Transport::kOtherInternet;
  }
}

std::optional<struct rh_ends> own_end(const Record& record) {
  std::optional<struct rh_ends> found;
  record.each_attachment([&](const Attachment& attachment) {
    const auto* ends = attachment.kind == RH_LISTENER ? attachment.as<struct rh_ends>() : nullptr;
    if (ends != nullptr) found = *ends;
  });
  return found;
}

}  // namespace

void ListeningSockets::add(const Record& record, const ProcessTree& tree) {
  const struct rh_head& head = record.head();
  if (head.kind == RH_SOCKET) {
    const auto* socket = record.as<struct rh_socket>();
    if (socket != nullptr && socket->what == RH_BIND && asked_.size() < kMost)
      asked_[head.tid] = socket->port;
    return;
  }
  if (head.kind != RH_EXIT || head.abi != 0 || (head.nr != Nr::bind && head.nr != Nr::listen)) return;
  if (const Process* process = tree.of_action(head.tid)) returned(record, *process);
  if (head.nr == Nr::bind) asked_.erase(head.tid);
}

void ListeningSockets::returned(const Record& record, const Process& process) {
  const struct rh_head& head = record.head();
  const auto end = own_end(record);
  if (!end || end->local_port == 0) return;
  ListeningSocket socket;
  socket.transport = transport_of(end->protocol);
  const std::pair named(socket.transport, end->local_port);
  const bool streams = end->type == SOCK_STREAM || end->type == SOCK_SEQPACKET;
  if (head.nr == Nr::bind) {
    const auto asked = asked_.find(head.tid);
    const bool asked_for = asked != asked_.end() && asked->second != 0;
    if (asked_for && bound_.size() < kMost) bound_.insert(named);
    // A client's socket has some port; only who wants to be found asks for one.
    if (streams || !asked_for) return;
  } else {
    socket.any_port = !bound_.contains(named);
  }
  std::memcpy(socket.address.bytes.data(), end->remote, sizeof end->remote);
  socket.port = end->local_port;
  socket.process = process.id;
  if (const Image* image = ProcessTree::image_of(process)) socket.exe = image->path;
  socket.first_ns = head.time_ns;
  note(std::move(socket));
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
