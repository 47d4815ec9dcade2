#include "gate/relay.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gate/door.h"
#include "gate/socket_address.h"

namespace rehearse::gate {
namespace {

using Io = StreamSocket::Io;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kConnectPatience = 10 * kSecond;  ///< with each address but the last
constexpr std::int64_t kArrivalPatience = 10 * kSecond;  ///< with a client that has been let in
/// With bytes of a client that can still become HTTP or TLS: where they wait for an answer, it comes.
constexpr std::int64_t kHoldPatience = kSecond / 5;
constexpr std::int64_t kPatience = 3600 * kSecond;     ///< with two sides that say nothing
constexpr std::int64_t kDrainPatience = 10 * kSecond;  ///< with a side that takes nothing any more
constexpr std::int64_t kDrainInterval = kSecond / 50;
constexpr int kStepsATurn = 4;
/// While relays hold more than this together they read small pieces only.
constexpr std::size_t kMostHeld = std::size_t{64} << 20U;
constexpr std::size_t kSmallPiece = std::size_t{64} << 10U;
/// Of what goes to an address.
constexpr std::uint64_t kMostInspected = std::uint64_t{256} << 10U;
constexpr std::string_view kHttpReply = "HTTP/";

}  // namespace

Relay::Relay(EngineContext& context, ConnectionRecord record, const PassRule& rule, bool synthetic,
             Knock knock)
    : Connection(context, std::move(record)),
      rule_(rule),
      synthetic_(synthetic),
      by_name_(std::holds_alternative<NameTarget>(rule.to.target)),
      knock_(std::move(knock)),
      server_(context.loop, *this),
      out_(client_, server_, record_.bytes_out),
      in_(server_, client_, record_.bytes_in) {
  ++context.outside;
  if (rule.record == Record::kYes && context.exchanges != nullptr)
    recorder_.emplace([this](Exchange exchange) { keep(std::move(exchange)); });
}

Relay::~Relay() {
  if (question_ != 0) context_.resolver->cancel(question_);
}

// ---- to the server ----

void Relay::connect() {
  touch();
  if (context_.budget(rule_).exhausted()) return refuse("the rule's bytes are used up");
  if (synthetic_) {
    resolve();
  } else {
    // A mocked record may lead anywhere: the same holds for it as for an address that the name resolves to.
    take_answer({{record_.address}, {}});
  }
  set_timer();
}

void Relay::resolve() {
  if (record_.name.empty()) return refuse("the address stands for no name");
  const std::uint64_t question = context_.resolver->ask(record_.name, [this](const Resolver::Answer& answer) {
    question_ = 0;
    take_answer(answer);
  });
  if (!ended() && addresses_.empty() && !server_.open()) question_ = question;
}

void Relay::take_answer(const Resolver::Answer& answer) {
  auto allowed = passable(context_, rule_, record_, answer);
  if (!allowed) return refuse(allowed.error().what);
  addresses_ = std::move(*allowed);
  std::ranges::reverse(addresses_);
  connect_next();
  set_timer();
}

void Relay::connect_next() {
  server_.close();
  while (!addresses_.empty()) {
    const SocketAddress address = socket_address(addresses_.back(), record_.port);
    addresses_.pop_back();
    UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.valid() &&
        (::connect(socket.get(), address.get(), address.size) == 0 || errno == EINPROGRESS) &&
        server_.take_connecting(std::move(socket))) {
      // With the last the kernel is as patient as the client's own would be outside.
      connect_until_ns_ = addresses_.empty() ? 0 : context_.loop.now() + kConnectPatience;
      record_.error = "the destination has not answered";
      return;
    }
    error_ = errno;
  }
  record_.error = fmt::format("cannot connect: {}", std::strerror(error_));
  abort({});
}

void Relay::check_connect() {
  if (!server_.open() || !server_.writable()) return;
  const int error = server_.connect_error();
  if (error != 0) {
    error_ = error;
    return connect_next();
  }
  connected_ = true;
  connect_until_ns_ = 0;
  record_.error.clear();
  touch();
  if (arrived_) return pump();
  context_.door->let_in(knock_);
  set_timer();
}

/// The packet that let it in may have been lost.
void Relay::knock_again() {
  if (connected_ && !arrived_) context_.door->let_in(knock_);
}

void Relay::begin(UniqueFd client) {
  touch();
  arrived_ = true;
  if (auto taken = client_.take(std::move(client)); !taken) return abort(taken.error().what);
  if (connected_) pump();
  set_timer();
}

// ---- what moves ----

void Relay::on_socket() {
  if (ended()) return;
  if (!connected_) return check_connect();
  if (arrived_) pump();
}

void Relay::pump() {
  for (int i = 0; i < kStepsATurn; ++i) {
    const Step out = move(out_);
    if (out == Step::kOver || ended()) return;
    const Step in = move(in_);
    if (in == Step::kOver || ended()) return;
    if (out_.finished && in_.finished) return end();
    if (out == Step::kWaits && in == Step::kWaits) {
      if (used_up_) drain();
      set_timer();
      return;
    }
  }
  client_.again();
}

/// What has been taken on comes to its end before the connection is cut.
void Relay::drain() {
  if (ended()) return;
  const bool waits = (!out_.held.empty() && !holds_back(out_)) || !in_.held.empty();
  const bool patient = context_.loop.now() - last_ns() < kDrainPatience;
  if (patient && (waits || client_.sends() || server_.sends())) return;
  refuse("the rule's bytes are used up");
}

/// Of what waits in a direction, then of what comes.
Relay::Step Relay::move(Flow& flow) {
  if (flow.finished) return Step::kWaits;
  const Step pushed = push(flow);
  if (pushed == Step::kOver) return pushed;
  if (!flow.held.empty() && !holds_back(flow)) return pushed;
  if (flow.ended) return take_end(flow);
  const Step pulled = pull(flow);
  return pulled == Step::kWaits ? pushed : pulled;
}

bool Relay::holds_back(const Flow& flow) const {
  return &flow == &out_ && patient_ && undecided();
}

/// What the client sends may turn out to be for somebody whom the rule is not for.
bool Relay::undecided() const {
  if (!by_name_) return false;
  if (!inspecting_) return watching_ && requests_.undecided();
  return first_.expects_more() && !(first_.before_request() && server_is_no_http());
}

/// It has spoken before a request could be whole. Only the wait is spared: what the client says is looked at
/// as before.
bool Relay::server_is_no_http() const {
  return !kHttpReply.starts_with(greeting_);
}

Relay::Step Relay::push(Flow& flow) {
  Step step = Step::kWaits;
  while (flow.sent < flow.held.size() && !holds_back(flow)) {
    std::size_t count = 0;
    const Io io = flow.to.write(std::string_view(flow.held).substr(flow.sent), count);
    if (io == Io::kBlocked) return step;
    if (io != Io::kDone) return broken(flow.to);
    took_on(flow, std::string_view(flow.held).substr(flow.sent, count));
    flow.sent += count;
    step = Step::kMoved;
  }
  if (flow.sent > 0) release(flow);
  return step;
}

/// One side has reset the connection: so has the gate, on the other.
Relay::Step Relay::broken(const StreamSocket& side) {
  abort(fmt::format("{}: {}", &side == &client_ ? "the client" : "the server", std::strerror(side.error())));
  return Step::kOver;
}

Relay::Step Relay::pull(Flow& flow) {
  if (!flow.from.readable() || used_up_) return Step::kWaits;
  PassBudget& budget = context_.budget(rule_);
  const std::uint64_t most = budget.allowance(context_.loop.now());
  if (most == 0) {
    used_up_ = budget.exhausted();
    if (used_up_) return Step::kWaits;
    budget_ns_ = budget.next(context_.loop.now());
    return Step::kWaits;
  }
  const bool large = context_.held < kMostHeld && !((inspecting_ || undecided()) && &flow == &out_);
  const std::size_t wanted = std::min<std::uint64_t>(most, large ? context_.piece.size() : kSmallPiece);
  std::size_t count = 0;
  const Io io = flow.from.read(std::span(context_.piece).first(wanted), count);
  if (io == Io::kBlocked) return Step::kWaits;
  if (io == Io::kEnd) return take_end(flow);
  if (io == Io::kBroken) return broken(flow.from);
  touch();
  budget.spend(count);
  return take_bytes(flow, std::string_view(context_.piece.data(), count));
}

/// Writes what can be written at once and holds the rest.
Relay::Step Relay::take_bytes(Flow& flow, std::string_view bytes) {
  if (&flow == &out_ && !inspect(bytes)) return Step::kOver;
  if (&flow == &in_) {
    if (recorder_) recorder_->from_server(bytes);
    if (!hear(bytes)) return Step::kOver;
  }
  if (flow.held.empty() && !holds_back(flow)) {
    std::size_t count = 0;
    const Io io = flow.to.write(bytes, count);
    if (io == Io::kBroken) return broken(flow.to);
    took_on(flow, bytes.substr(0, count));
    bytes.remove_prefix(count);
  }
  hold(flow, bytes);
  return Step::kMoved;
}

/// What the client said is recorded when it is taken on: it may be refused before.
void Relay::took_on(Flow& flow, std::string_view bytes) {
  flow.bytes += bytes.size();
  if (recorder_ && &flow == &out_) recorder_->from_client(bytes);
}

void Relay::hold(Flow& flow, std::string_view bytes) {
  flow.held += bytes;
  context_.held += bytes.size();
}

void Relay::release(Flow& flow) {
  context_.held -= flow.held.size();
  flow.held.clear();
  flow.held.shrink_to_fit();
  flow.sent = 0;
}

/// One side sends no more; the other is told once it has everything.
Relay::Step Relay::take_end(Flow& flow) {
  flow.ended = true;
  if (&flow == &out_ && inspecting_) {
    first_.end();
    if (!judge_first_bytes()) return Step::kOver;
    return Step::kMoved;
  }
  if (&flow == &out_ && watching_ && requests_.undecided()) {
    refuse_unread();
    return Step::kOver;
  }
  if (!flow.held.empty()) return Step::kMoved;
  flow.finished = true;
  if (recorder_ && &flow == &out_) recorder_->client_ended();
  flow.to.shut_down();
  touch();
  return Step::kMoved;
}

// ---- what the client said first ----

/// False if the connection has ended.
bool Relay::inspect(std::string_view bytes) {
  std::vector<RequestAim> aims;
  if (by_name_ && (inspecting_ || watching_)) aims = requests_.from_client(bytes);
  if (inspecting_ && first_.feed(bytes) != FirstBytes::State::kNeedMore && !judge_first_bytes()) return false;
  // Nothing rests on it, and the report names what began in the usual way.
  if (!by_name_ && record_.bytes_out > kMostInspected) inspecting_ = false;
  if (watching_) {
    for (const RequestAim& aim : aims) {
      if (!judge(aim)) return false;
    }
    if (requests_.broken()) return refuse_unread();
  }
  // What is undecided after this waits anew.
  patient_ = true;
  hold_ns_ = undecided() ? context_.loop.now() + kHoldPatience : 0;
  return true;
}

/// What the server says. False if the connection has ended.
bool Relay::hear(std::string_view bytes) {
  if (watching_ && requests_.switches(bytes)) watching_ = false;
  if (!by_name_ || greeting_.size() == kHttpReply.size()) return true;
  greeting_ += bytes.substr(0, kHttpReply.size() - greeting_.size());
  // What was not taken for a request is one to it.
  if (!inspecting_ && first_.state() == FirstBytes::State::kOther && greeting_ == kHttpReply)
    return refuse_unread();
  return true;
}

bool Relay::refuse_unread() {
  refuse_request("what the client says cannot be read: whom it wants is not known", {}, {});
  return false;
}

void Relay::refuse_request(std::string_view why, std::string host, std::string path) {
  if (recorder_) recorder_->forget_begun();
  refuse(why, std::move(host), std::move(path));
}

bool Relay::judge_first_bytes() {
  inspecting_ = false;
  switch (first_.state()) {
    case FirstBytes::State::kTls:
      record_.sni = first_.sni();
      if (!by_name_ || record_.sni.empty() || may_speak_to(record_.sni)) return true;
      refuse(fmt::format("TLS asks for another server than {}", record_.name));
      return false;
    case FirstBytes::State::kHttp:
      watching_ = by_name_;
      return judge(first_.request());
    case FirstBytes::State::kBroken:
      if (!by_name_) return true;
      return refuse_unread();
    case FirstBytes::State::kNeedMore:
    case FirstBytes::State::kOther:
      break;
  }
  return true;
}

/// The log names the first request of those that go through.
bool Relay::judge(const RequestAim& aim) {
  const bool named = !aim.host.empty();
  const bool for_name = by_name_ && named && may_speak_to(aim.host);
  if (!by_name_ || (for_name && (aim.other_host.empty() || may_speak_to(aim.other_host)))) {
    if (record_.http_path.empty()) {
      record_.http_host = aim.host;
      record_.http_path = aim.path;
    }
    return true;
  }
  refuse_request(named ? fmt::format("HTTP asks for another host than {}", record_.name)
                       : fmt::format("HTTP asks for no host: the rule is for {} only", record_.name),
                 for_name ? aim.other_host : aim.host, aim.path);
  return false;
}

bool Relay::may_speak_to(const std::string& host) const {
  const std::string name = plain_host(host);
  return name == record_.name || matches_name(std::get<NameTarget>(rule_.to.target), name);
}

// ---- time ----

void Relay::set_timer() {
  if (ended()) return;
  const std::int64_t now = context_.loop.now();
  std::int64_t at = last_ns() + (connected_ && !arrived_ ? kArrivalPatience : kPatience);
  for (const std::int64_t other : {connect_until_ns_, budget_ns_, hold_ns_})
    if (other != 0) at = std::min(at, other);
  if (used_up_ && arrived_) at = std::min(at, now + kDrainInterval);
  if (rule_.limits.time_ns) at = std::min(at, record_.begun_ns + *rule_.limits.time_ns);
  context_.loop.timers().set(*this, std::max(at, now + 1));
}

void Relay::on_time() {
  const std::int64_t now = context_.loop.now();
  if (rule_.limits.time_ns && now - record_.begun_ns >= *rule_.limits.time_ns)
    return abort("the rule's time is used up");
  if (connect_until_ns_ != 0 && now >= connect_until_ns_) {
    error_ = ETIMEDOUT;
    connect_next();
  } else if (connected_ && !arrived_ && now - last_ns() >= kArrivalPatience) {
    return abort("the client has given up");
  } else if (now - last_ns() >= kPatience) {
    return abort("nothing came for an hour");
  }
  budget_ns_ = 0;
  if (hold_ns_ != 0 && now >= hold_ns_) {
    hold_ns_ = 0;
    patient_ = false;
  }
  if (!ended() && arrived_) pump();
  set_timer();
}

void Relay::on_end(bool with_reset) {
  --context_.outside;
  if (!arrived_) context_.door->turn_away(knock_, error_);
  if (recorder_) recorder_->end();
  for (Flow* flow : {&out_, &in_}) release(*flow);
  if (question_ != 0) context_.resolver->cancel(std::exchange(question_, 0));
  if (with_reset) {
    server_.reset();
  } else {
    server_.close();
  }
}

}  // namespace rehearse::gate
