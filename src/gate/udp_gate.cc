#include "gate/udp_gate.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>

#include "gate/address.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kPatience = 60 * kSecond;
constexpr std::uint16_t kDnsPort = 53;
constexpr std::size_t kMostDenied = 4096;
constexpr std::size_t kMostMocked = 4096;
constexpr std::size_t kMostQuoted = 200;
constexpr std::size_t kMostWaiting = 16;  ///< datagrams for a name that is being resolved
constexpr std::size_t kMostWaitingBytes = std::size_t{128} << 10U;
constexpr int kAnswersATurn = 64;

/// Where the action has sent a datagram that the sink received; nothing if the kernel did not say.
std::optional<NetEnd> original_destination(struct msghdr& message) {
  for (struct cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    const bool four = head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_ORIGDSTADDR;
    const bool six = head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_ORIGDSTADDR;
    if (!four && !six) continue;
    SocketAddress address;
    std::memcpy(&address.storage, CMSG_DATA(head),
                four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    return NetEnd{address.address(), address.port()};
  }
  return std::nullopt;
}

/// What the run's network does not take is lost, as datagrams are.
bool send_raw(const RunSockets& sockets, const IpAddress& to, std::string_view packet) {
  if (packet.empty()) return false;
  const int raw = to.is_v4() ? sockets.raw4.get() : sockets.raw6.get();
  const SocketAddress address = socket_address(to, 0);
  return ::sendto(raw, packet.data(), packet.size(), 0, address.get(), address.size) >= 0;
}

/// As if `from` had sent it.
bool send_packet(const RunSockets& sockets, const NetEnd& from, const NetEnd& to, std::string_view payload) {
  return send_raw(sockets, to.address, udp_packet(from, to, payload));
}

}  // namespace

class UdpGate::Listener final : public EventLoop::Watcher {
 public:
  Listener(UdpGate& gate, int fd) : gate_(gate), fd_(fd) {}
  void on_ready(std::uint32_t /*events*/) override { gate_.receive(fd_); }

 private:
  UdpGate& gate_;
  int fd_;
};

/// The datagrams between two ends that a rule passes.
class UdpGate::Flow final : public EventLoop::Watcher, private Timer {
 public:
  Flow(UdpGate& gate, const Ends& ends, ConnectionRecord record, const PassRule& rule)
      : gate_(gate), context_(gate.context_), ends_(ends), record_(std::move(record)), rule_(rule) {
    ++context_.outside;
    if (rule.record == Record::kYes && context_.exchanges != nullptr)
      recorder_.emplace([this](Exchange exchange) { keep_exchange(context_, record_, std::move(exchange)); });
  }
  ~Flow() override {
    if (question_ != 0) context_.resolver->cancel(question_);
  }

  void begin(bool synthetic) {
    touch();
    if (!synthetic) return take_answer({{record_.address}, {}});
    const std::uint64_t question =
        context_.resolver->ask(record_.name, [this](const Resolver::Answer& answer) {
          question_ = 0;
          take_answer(answer);
        });
    if (!over_ && !socket_.valid()) question_ = question;
  }

  void send(std::string_view payload) {
    if (over_) return;
    touch();
    if (!socket_.valid()) {
      const bool full =
          waiting_.size() == kMostWaiting || waiting_bytes_ + payload.size() > kMostWaitingBytes;
      if (full) return drop();
      waiting_bytes_ += payload.size();
      waiting_.emplace_back(payload);
      return;
    }
    if (!spend(payload.size())) return;
    // An error that the server's host has sent for an earlier one is told once: the next try is a new one.
    if (::send(socket_.get(), payload.data(), payload.size(), MSG_NOSIGNAL) < 0) {
      pass_on(errno);
      if (::send(socket_.get(), payload.data(), payload.size(), MSG_NOSIGNAL) < 0) {
        pass_on(errno);
        return drop();
      }
    }
    record_.bytes_out += payload.size();
    if (recorder_) recorder_->from_client(payload);
  }

  /// Writes the log; the flow sends nothing any more.
  void end(std::string_view why) {
    if (over_) return;
    over_ = true;
    --context_.outside;
    tell_limited();
    if (record_.error.empty()) record_.error = why;
    context_.loop.timers().cancel(*this);
    if (recorder_) recorder_->end();
    context_.totals.dropped_datagrams += waiting_.size();
    socket_.reset();
    record_.ended_ns = context_.loop.now();
    context_.log.write(record_);
  }

 private:
  void on_ready(std::uint32_t /*events*/) override {
    for (int i = 0; i < kAnswersATurn && !over_; ++i) {
      const ssize_t size = ::recv(socket_.get(), context_.buffer.data(), context_.buffer.size(), 0);
      if (size < 0) {
        if (errno != EAGAIN) pass_on(errno);
        return;
      }
      const std::string_view payload(context_.buffer.data(), static_cast<std::size_t>(size));
      touch();
      if (!spend(payload.size())) continue;
      if (!send_packet(gate_.sockets_, ends_.destination, ends_.client, payload)) {
        drop();
        continue;
      }
      record_.bytes_in += payload.size();
      if (recorder_) recorder_->from_server(payload);
    }
  }

  /// What came of an earlier datagram: a client that listens for it hears it, as it would outside.
  void pass_on(int error) {
    record_.error = std::strerror(error);
    if (error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH)
      send_raw(gate_.sockets_, ends_.client.address,
               undelivered_packet(ends_.client, ends_.destination, error));
  }

  void on_time() override {
    const std::int64_t now = context_.loop.now();
    if (over_) return gate_.remove(ends_);
    if (rule_.limits.time_ns && now - record_.begun_ns >= *rule_.limits.time_ns) {
      end("the rule's time is used up");
    } else if (now - last_ns_ >= kPatience) {
      end({});
    } else {
      return set_timer();
    }
    gate_.remove(ends_);
  }

  void set_timer() {
    std::int64_t at = last_ns_ + kPatience;
    if (rule_.limits.time_ns) at = std::min(at, record_.begun_ns + *rule_.limits.time_ns);
    context_.loop.timers().set(*this, std::max(at, context_.loop.now() + 1));
  }

  void take_answer(const Resolver::Answer& answer) {
    const auto allowed = passable(context_, rule_, record_, answer);
    if (!allowed) {
      record_.verdict = GateVerdict::kDenied;
      return give_up(allowed.error().what);
    }
    connect(*allowed);
  }

  /// To the first address that there is a way to.
  void connect(const std::vector<IpAddress>& addresses) {
    for (const IpAddress& candidate : addresses) {
      const SocketAddress address = socket_address(candidate, record_.port);
      UniqueFd socket(::socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (!socket.valid() || ::connect(socket.get(), address.get(), address.size) != 0) continue;
      if (!context_.loop.watch(socket.get(), EPOLLIN, *this)) continue;
      socket_ = std::move(socket);
      break;
    }
    if (!socket_.valid()) return give_up(fmt::format("cannot connect: {}", std::strerror(errno)));
    for (const std::string& payload : std::exchange(waiting_, {})) send(payload);
  }

  /// What is sent further is dropped until the flow is forgotten.
  void give_up(std::string_view why) {
    end(why);
    context_.loop.timers().set(*this, context_.loop.now() + kPatience);
  }

  bool spend(std::size_t bytes) {
    PassBudget& budget = context_.budget(rule_);
    if (budget.allowance(context_.loop.now()) >= bytes) {
      budget.spend(bytes);
      return true;
    }
    ++limited_;
    drop();
    return false;
  }

  /// What the rule's limits have dropped is said at the end; a flow of which they let nothing through was
  /// denied.
  void tell_limited() {
    if (limited_ == 0) return;
    record_.error = fmt::format("{} datagram{} beyond the limits of the rule {} dropped", limited_,
                                limited_ == 1 ? "" : "s", limited_ == 1 ? "was" : "were");
    if (record_.bytes_out + record_.bytes_in == 0) record_.verdict = GateVerdict::kDenied;
  }

  void drop() { ++context_.totals.dropped_datagrams; }

  void touch() {
    last_ns_ = context_.loop.now();
    if (!timed_) set_timer();
    timed_ = true;
  }

  UdpGate& gate_;
  EngineContext& context_;
  Ends ends_;
  ConnectionRecord record_;
  const PassRule& rule_;
  std::optional<Recorder> recorder_;
  UniqueFd socket_;
  std::uint64_t question_ = 0;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t limited_ = 0;  ///< datagrams that the rule's limits have dropped
  std::int64_t last_ns_ = 0;
  bool timed_ = false;
  bool over_ = false;
};

UdpGate::UdpGate(EngineContext& context, const RunSockets& sockets, NameService& names)
    : context_(context),
      sockets_(sockets),
      names_(names),
      buffer_(std::make_unique_for_overwrite<char[]>(kBatch * kLargest)) {}

UdpGate::~UdpGate() = default;

Result<void> UdpGate::begin() {
  for (const UniqueFd* socket : {&sockets_.udp4, &sockets_.udp6}) {
    if (!socket->valid()) continue;
    listeners_.push_back(std::make_unique<Listener>(*this, socket->get()));
    RH_CHECK(context_.loop.watch(socket->get(), EPOLLIN, *listeners_.back()));
  }
  return {};
}

void UdpGate::clear_ended() {
  ended_.clear();
}

void UdpGate::finish() {
  for (auto& [ends, flow] : flows_) flow->end({});
  end_mocked();
  end_misused();
  flows_.clear();
}

void UdpGate::remove(const Ends& ends) {
  const auto found = flows_.find(ends);
  if (found == flows_.end()) return;
  ended_.push_back(std::move(found->second));
  flows_.erase(found);
}

void UdpGate::receive(int fd) {
  std::array<struct mmsghdr, kBatch> messages = {};
  std::array<struct iovec, kBatch> pieces = {};
  std::array<SocketAddress, kBatch> sources = {};
  std::array<std::array<char, 128>, kBatch> controls = {};
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces[i] = {buffer_.get() + i * kLargest, kLargest};
    struct msghdr& head = messages[i].msg_hdr;
    head.msg_iov = &pieces[i];
    head.msg_iovlen = 1;
    head.msg_name = &sources[i].storage;
    head.msg_namelen = sizeof sources[i].storage;
    head.msg_control = controls[i].data();
    head.msg_controllen = controls[i].size();
  }
  const int count = ::recvmmsg(fd, messages.data(), kBatch, 0, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    const auto destination = original_destination(messages[place].msg_hdr);
    if (!destination) continue;
    const Ends ends = {{sources[place].address(), sources[place].port()}, *destination};
    take(ends, std::string_view(buffer_.get() + place * kLargest, messages[place].msg_len));
  }
}

ConnectionRecord UdpGate::record_of(const Ends& ends, const Destination& destination) {
  ConnectionRecord record;
  record.id = ++context_.connections;
  record.protocol = Protocol::kUdp;
  record.address = ends.destination.address;
  record.port = ends.destination.port;
  record.client_address = ends.client.address;
  record.client_port = ends.client.port;
  record.name = destination.name();
  record.begun_ns = record.ended_ns = context_.loop.now();
  return record;
}

void UdpGate::take(const Ends& ends, std::string_view payload) {
  if (const auto found = flows_.find(ends); found != flows_.end()) return found->second->send(payload);
  const Destination destination =
      names_.destination(Protocol::kUdp, ends.destination.address, ends.destination.port);
  const Decision decision = decide(context_.rules, destination);
  if (decision.action == Action::kMock) return mock(ends, destination, decision, payload);
  const bool nameless = destination.synthetic && destination.names.empty();
  if (decision.action == Action::kPass && !nameless) {
    ConnectionRecord record = record_of(ends, destination);
    record.verdict = GateVerdict::kPassed;
    record.rule = rule_text(decision);
    return open_flow(ends, std::move(record), *decision.pass, payload);
  }
  if (decision.deny == nullptr && ends.destination.port == kDnsPort) return answer(ends, payload);
  deny(ends, record_of(ends, destination), decision);
}

void UdpGate::open_flow(const Ends& ends, ConnectionRecord record, const PassRule& rule,
                        std::string_view payload) {
  ++context_.totals.flows;
  if (flows_.size() == kMostFlows || context_.outside >= context_.most_outside) {
    ++context_.totals.dropped_datagrams;
    ++context_.totals.refused;
    return;
  }
  const bool synthetic = is_synthetic(record.address);
  Flow& flow =
      *flows_.emplace(ends, std::make_unique<Flow>(*this, ends, std::move(record), rule)).first->second;
  flow.begin(synthetic);
  flow.send(payload);
}

/// Each datagram is an exchange; those between two ends are one connection of the log.
void UdpGate::mock(const Ends& ends, const Destination& destination, const Decision& decision,
                   std::string_view payload) {
  const auto* mock = std::get_if<DatagramMock>(&decision.mock->service);
  if (mock == nullptr) return deny(ends, record_of(ends, destination), decision);
  auto found = mocked_.find(ends);
  if (found == mocked_.end()) {
    if (mocked_.size() == kMostMocked) end_mocked();
    found = mocked_.emplace(ends, record_of(ends, destination)).first;
    found->second.verdict = GateVerdict::kMocked;
    found->second.rule = rule_text(decision);
    ++context_.totals.flows;
  }
  ConnectionRecord& record = found->second;
  record.bytes_out += payload.size();
  record.ended_ns = context_.loop.now();
  Exchange exchange;
  exchange.request.append(payload);
  const DatagramRoute* const route = find_route(*mock, payload);
  if (route == nullptr) {
    exchange.outcome = Outcome::kUnmatched;
    exchange.remark = fmt::format("no datagram of the mock is like \"{}\"", payload.substr(0, kMostQuoted));
  } else if (route->replies) {
    const std::string reply = make_reply(*route, payload);
    if (send_packet(sockets_, ends.destination, ends.client, reply)) {
      record.bytes_in += reply.size();
      exchange.reply.append(reply);
    } else {
      ++context_.totals.dropped_datagrams;
    }
  }
  keep_exchange(context_, record, std::move(exchange));
}

void UdpGate::end_mocked() {
  for (const auto& [ends, record] : mocked_) context_.log.write(record);
  mocked_.clear();
}

void UdpGate::deny(const Ends& ends, ConnectionRecord record, const Decision& decision) {
  ++context_.totals.dropped_datagrams;
  if (denied_.contains(ends)) return;
  if (denied_.size() == kMostDenied) denied_.clear();
  denied_.insert(ends);
  record.verdict = GateVerdict::kDenied;
  record.rule = rule_text(decision);
  context_.log.write(record);
}

void UdpGate::answer(const Ends& ends, std::string_view payload) {
  const NameService::Answer answer = names_.answer(
      payload, DnsTransport::kUdp, {Protocol::kUdp, ends.destination.address, ends.client.port});
  if (!answer.asked) note_misuse(ends, payload);
  if (answer.response.empty() || !send_packet(sockets_, ends.destination, ends.client, answer.response))
    ++context_.totals.dropped_datagrams;
}

/// What is sent to a name server and is no question: those between two ends are one connection of the log.
void UdpGate::note_misuse(const Ends& ends, std::string_view payload) {
  auto found = misused_.find(ends);
  if (found == misused_.end()) {
    if (misused_.size() == kMostMocked) end_misused();
    const Destination destination =
        names_.destination(Protocol::kUdp, ends.destination.address, ends.destination.port);
    found = misused_.emplace(ends, Misuse{record_of(ends, destination)}).first;
  }
  Misuse& misuse = found->second;
  ++misuse.datagrams;
  misuse.bytes += payload.size();
  misuse.record.ended_ns = context_.loop.now();
}

void UdpGate::end_misused() {
  for (auto& [ends, misuse] : misused_) {
    misuse.record.verdict = GateVerdict::kDenied;
    misuse.record.error = fmt::format("{} bytes in {} datagrams that are no question to a name server",
                                      misuse.bytes, misuse.datagrams);
    context_.log.write(misuse.record);
  }
  misused_.clear();
}

}  // namespace rehearse::gate
