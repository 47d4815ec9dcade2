#include "gate/engine.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "gate/dns_service.h"
#include "gate/recording.h"
#include "gate/relay.h"
#include "gate/service_connection.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

constexpr std::uint64_t kMostInDatagram = 65536;  ///< what is larger would never be let through
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLastPatience = kSecond;
constexpr std::int64_t kMemoryInterval = kSecond / 20;
constexpr std::int64_t kLogInterval = kSecond / 10;
constexpr int kMostAccepts = 64;  ///< a turn
constexpr std::uint16_t kDnsPort = 53;
constexpr const char* kCrowded = "too many connections at once";
constexpr std::uint64_t kOtherDescriptors = 64;  ///< files, sockets of the run, the resolver's

TlsUse tls_use(const Mock& mock) {
  if (mock.tls) return TlsUse::kAlways;
  const auto* replay = std::get_if<ReplayMock>(&mock.service);
  if (replay == nullptr) return TlsUse::kNever;
  // What was mocked within TLS is recorded as it was within.
  if (replay->recording->tls()) return *replay->recording->tls() ? TlsUse::kAlways : TlsUse::kNever;
  return replay->recording->kind() == ExchangeKind::kHttp ? TlsUse::kIfAsked : TlsUse::kNever;
}

}  // namespace

bool speaks_tls(const Rules& rules) {
  return std::ranges::any_of(rules.mock, [](const Mock& mock) { return tls_use(mock) != TlsUse::kNever; });
}

class Engine::Listener final : public EventLoop::Watcher {
 public:
  Listener(Engine& engine, int fd) : engine_(engine), fd_(fd) {}
  /// The kernel says in the next turn that there are more: as long as nobody queues, one call less for each.
  void on_ready(std::uint32_t /*events*/) override {
    const bool queued = engine_.turns_ == last_turn_ + 1;
    accepts_ = queued ? std::min(2 * accepts_, kMostAccepts) : 1;
    last_turn_ = engine_.turns_;
    engine_.accept(fd_, accepts_);
  }

 private:
  Engine& engine_;
  int fd_;
  int accepts_ = 1;
  std::uint64_t last_turn_ = 0;
};

class Engine::Doorway final : public EventLoop::Watcher {
 public:
  Doorway(Engine& engine, int fd) : engine_(engine), fd_(fd) {}
  void on_ready(std::uint32_t /*events*/) override { engine_.answer_door(fd_); }

 private:
  Engine& engine_;
  int fd_;
};

class Engine::Control final : public EventLoop::Watcher {
 public:
  explicit Control(Engine& engine) : engine_(engine) {}
  void on_ready(std::uint32_t /*events*/) override { engine_.finishing_ = true; }

 private:
  Engine& engine_;
};

Engine::Engine(const EngineSetup& setup)
    : setup_(setup),
      log_(setup.log),
      classes_(*setup.kernel, *setup.rule_names),
      responder_(*setup.zone, table_, setup.dns) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(const EngineSetup& setup, std::uint64_t descriptors) {
  std::unique_ptr<Engine> engine(new Engine(setup));
  RH_CHECK(engine->prepare());
  RH_CHECK(engine->share_descriptors(descriptors));
  return engine;
}

Result<void> Engine::prepare() {
  const Rules& rules = *setup_.rules;
  RH_TRY(loop_, EventLoop::create());
  if (!rules.pass.empty()) {
    RH_TRY(resolver_, Resolver::create(*loop_));
  }
  if (setup_.authority != nullptr && speaks_tls(rules)) {
    RH_TRY(tls_, TlsContext::create(*setup_.authority));
  }
  if (setup_.exchanges >= 0) {
    RH_TRY(auto writer, ExchangeWriter::create(setup_.exchanges, setup_.exchange_limits, setup_.redaction));
    exchanges_ = std::make_unique<ExchangeWriter>(std::move(writer));
  }
  context_ = std::make_unique<EngineContext>(*loop_, rules, log_, totals_);
  context_->resolver = resolver_.get();
  context_->tls = tls_.get();
  context_->exchanges = exchanges_.get();
  context_->begun_ns = setup_.begun_ns;
  for (const PassRule& rule : rules.pass) {
    const std::uint64_t least = rule.to.protocol == Protocol::kUdp ? kMostInDatagram : 1;
    context_->budgets.emplace_back(rule.limits, loop_->now(), least);
  }
  names_ = std::make_unique<NameService>(*loop_, responder_, classes_, log_);
  return {};
}

/// Connections come first; what they leave is for sockets on the host's side.
Result<void> Engine::share_descriptors(std::uint64_t descriptors) {
  if (descriptors < kFewestDescriptors)
    return fail(fmt::format("{} descriptors are too few for the gate", descriptors), ExitCode::kUnavailable,
                fmt::format("raise the limit of open files (ulimit -n) to {}", kFewestDescriptors));
  const std::uint64_t left = descriptors - kOtherDescriptors;
  most_connections_ = std::min<std::uint64_t>(kMostConnections, left * 2 / 3);
  context_->most_outside = left - most_connections_;
  return {};
}

Result<void> Engine::begin(const RunSockets& sockets) {
  for (const UniqueFd* socket : {&sockets.tcp4, &sockets.tcp6}) {
    if (!socket->valid()) continue;
    listeners_.push_back(std::make_unique<Listener>(*this, socket->get()));
    RH_CHECK(loop_->watch(socket->get(), EPOLLIN, *listeners_.back()));
  }
  door_.emplace(sockets);
  context_->door = &*door_;
  for (const UniqueFd* socket : {&sockets.syn4, &sockets.syn6}) {
    if (!socket->valid()) continue;
    doorways_.push_back(std::make_unique<Doorway>(*this, socket->get()));
    RH_CHECK(loop_->watch(socket->get(), EPOLLIN, *doorways_.back()));
  }
  control_ = std::make_unique<Control>(*this);
  RH_CHECK(loop_->watch(setup_.control, EPOLLIN, *control_));
  udp_ = std::make_unique<UdpGate>(*context_, sockets, *names_);
  return udp_->begin();
}

// ---- connections ----

void Engine::accept(int listener, int most) {
  for (int i = 0; i < most; ++i) {
    SocketAddress client;
    UniqueFd socket(::accept4(listener, client.get(), &client.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    const SocketAddress asked = own_address(socket.get());
    take(std::move(socket), {{client.address(), client.port()}, {asked.address(), asked.port()}});
  }
}

void Engine::take(UniqueFd client, const Ends& ends) {
  if (const auto found = waiting_.find(ends); found != waiting_.end()) {
    Relay* const relay = found->second;
    waiting_.erase(found);
    return relay->begin(std::move(client));
  }
  ++totals_.connections;
  const Destination destination =
      names_->destination(Protocol::kTcp, ends.destination.address, ends.destination.port);
  const Decision decision = decide(*setup_.rules, destination);
  ConnectionRecord record = record_of(ends, destination, decision);
  std::unique_ptr<Connection> connection;
  if (!has_room(decision)) {
    record.error = kCrowded;
  } else if (decision.action == Action::kPass) {
    // Its first packet was made by hand, and was not held: inside, it stands already.
    record.verdict = GateVerdict::kPassed;
    auto made = std::make_unique<Relay>(*context_, std::move(record), *decision.pass, destination.synthetic,
                                        Knock{ends.client, ends.destination, 0, {}});
    Relay& relay = static_cast<Relay&>(add(std::move(made)));
    relay.begin(std::move(client));
    if (!relay.ended()) relay.connect();
    return;
  } else {
    connection = make_service_connection(decision, record);
  }
  if (connection) return add(std::move(connection)).begin(std::move(client));
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  deny(std::move(record));
}

void Engine::answer_door(int socket) {
  bool more = true;
  for (int i = 0; i < kMostAccepts && more; ++i) {
    if (auto knock = door_->next(socket, more)) hear(std::move(*knock));
  }
}

/// Who knocks once more waits already. The kernel's hooks send here what passes; packets can be made by hand.
void Engine::hear(Knock knock) {
  const Ends ends = {knock.client, knock.destination};
  if (const auto found = waiting_.find(ends); found != waiting_.end()) {
    if (found->second->knock().sequence == knock.sequence) return found->second->knock_again();
    Relay* const before = found->second;
    waiting_.erase(found);
    before->abort("the client has given up");
  }
  const Destination destination =
      names_->destination(Protocol::kTcp, knock.destination.address, knock.destination.port);
  const Decision decision = decide(*setup_.rules, destination);
  const bool asks_name = decision.deny == nullptr && knock.destination.port == kDnsPort;
  if (decision.action == Action::kMock || (decision.action == Action::kDeny && asks_name))
    return door_->let_in(knock);
  ++totals_.connections;
  ConnectionRecord record = record_of(ends, destination, decision);
  if (decision.action == Action::kPass && has_room(decision)) {
    record.verdict = GateVerdict::kPassed;
    auto relay = std::make_unique<Relay>(*context_, std::move(record), *decision.pass, destination.synthetic,
                                         std::move(knock));
    waiting_[ends] = relay.get();
    return static_cast<Relay&>(add(std::move(relay))).connect();
  }
  if (decision.action == Action::kPass) record.error = kCrowded;
  door_->turn_away(knock, decision.action == Action::kPass ? ECONNREFUSED : decision.refusal.error);
  deny(std::move(record));
}

ConnectionRecord Engine::record_of(const Ends& ends, const Destination& destination,
                                   const Decision& decision) {
  ConnectionRecord record;
  record.id = ++context_->connections;
  record.address = ends.destination.address;
  record.port = ends.destination.port;
  record.client_address = ends.client.address;
  record.client_port = ends.client.port;
  record.name = destination.name();
  record.rule = rule_text(decision);
  record.begun_ns = record.ended_ns = loop_->now();
  return record;
}

bool Engine::has_room(const Decision& decision) {
  const bool crowded = decision.action == Action::kPass && context_->outside >= context_->most_outside;
  if (connections_.size() < most_connections_ && !crowded && !context_->memory_used_up) return true;
  ++totals_.refused;
  return false;
}

/// Null for what is denied.
std::unique_ptr<Connection> Engine::make_service_connection(const Decision& decision,
                                                            ConnectionRecord& record) {
  if (decision.action == Action::kMock) {
    const Mock& mock = *decision.mock;
    const bool replayed = std::holds_alternative<ReplayMock>(mock.service);
    record.verdict = replayed ? GateVerdict::kReplayed : GateVerdict::kMocked;
    return std::make_unique<ServiceConnection>(*context_, std::move(record), make_service(mock.service),
                                               tls_use(mock));
  }
  if (decision.deny != nullptr || record.port != kDnsPort) return nullptr;
  record.verdict = GateVerdict::kMocked;
  record.rule = kDnsRule;
  const QuestionEnds ends = {Protocol::kTcp, record.address, record.client_port};
  return std::make_unique<ServiceConnection>(*context_, std::move(record),
                                             std::make_unique<DnsService>(*names_, ends), TlsUse::kNever);
}

/// The hooks deny before a packet is sent; what comes here was sent past them, or the gate has no room.
void Engine::deny(ConnectionRecord record) {
  record.verdict = GateVerdict::kDenied;
  log_.write(record);
}

Connection& Engine::add(std::unique_ptr<Connection> connection) {
  connection->place = connections_.size();
  connections_.push_back(std::move(connection));
  return *connections_.back();
}

void Engine::clear_ended() {
  for (const Connection* ended : std::exchange(context_->ended, {})) {
    const ConnectionRecord& record = ended->record();
    const auto waits =
        waiting_.find({{record.client_address, record.client_port}, {record.address, record.port}});
    if (waits != waiting_.end() && waits->second == ended) waiting_.erase(waits);
    const std::size_t place = ended->place;
    std::swap(connections_[place], connections_.back());
    connections_[place]->place = place;
    connections_.pop_back();
  }
  udp_->clear_ended();
}

// ---- the loop ----

/// The services' and TLS's memory is theirs: what they have taken together is what counts.
void Engine::watch_memory() {
  if (loop_->now() - memory_seen_ns_ < kMemoryInterval) return;
  memory_seen_ns_ = loop_->now();
  const struct mallinfo2 info = ::mallinfo2();
  context_->memory_used_up = info.uordblks + info.hblkhd > kMostMemory;
}

Result<void> Engine::turn(std::int64_t most_ns) {
  ++turns_;
  RH_CHECK(loop_->turn(most_ns));
  clear_ended();
  watch_memory();
  if (loop_->now() - flushed_ns_ >= kLogInterval) {
    flushed_ns_ = loop_->now();
    log_.flush();
    if (exchanges_) (void)exchanges_->flush();  // finish() says so too
  }
  return {};
}

Result<void> Engine::run() {
  while (!finishing_) RH_CHECK(turn(kLogInterval));
  const std::int64_t until = loop_->now() + kLastPatience;
  while (!connections_.empty() && loop_->now() < until) RH_CHECK(turn(until - loop_->now()));
  return finish();
}

Result<void> Engine::finish() {
  for (const auto& connection : connections_) connection->abort("the run ended before it");
  clear_ended();
  udp_->finish();
  if (exchanges_) {
    RH_CHECK(exchanges_->finish());
    totals_.dropped_exchanges = exchanges_->dropped();
  }
  for (const Mock& mock : setup_.rules->mock) {
    if (const auto* replay = std::get_if<ReplayMock>(&mock.service))
      totals_.unused_recordings += replay->recording->unused();
  }
  return log_.finish(totals_);
}

}  // namespace rehearse::gate
