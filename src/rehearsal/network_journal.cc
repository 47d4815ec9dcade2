#include "rehearsal/network_journal.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>

#include "base/sys.h"
#include "bpf/events.h"
#include "gate/address.h"
#include "gate/engine_context.h"
#include "rehearsal/host_root.h"
#include "syscalls/call.h"

namespace rehearse {
namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr const char* kHosts = "/etc/hosts";

const char* name_of(trace::Transport transport) {
  switch (transport) {
    case trace::Transport::kTcp:
      return "tcp";
    case trace::Transport::kUdp:
      return "udp";
    case trace::Transport::kIcmp:
      return "icmp";
    case trace::Transport::kUnix:
      return "unix";
    default:
      return "other";
  }
}

bool is_internet(const trace::NetworkAttempt& attempt) {
  return attempt.transport < trace::Transport::kUnix;
}

const char* verdict_of(gate::Action action) {
  switch (action) {
    case gate::Action::kMock:
      return "mocked";
    case gate::Action::kPass:
      return "passed";
    default:
      return "denied";
  }
}

/// What it names is this host's own: a service of it would have answered.
bool would_be_local(const trace::NetworkAttempt& attempt) {
  if (attempt.transport == trace::Transport::kUnix) return true;
  return is_internet(attempt) && attempt.verdict != RH_GATE &&
         gate::classify(attempt.address) == gate::AddressClass::kLoopback;
}

bool is_question(const trace::NetworkAttempt& attempt) {
  return attempt.verdict == RH_GATE && attempt.rule == 0 && attempt.port == kDnsPort;
}

std::string name_listener(const host::Listener& listener) {
  if (listener.pid == 0) return "a service of this host";
  return fmt::format("{} (pid {}{}{})", listener.comm, listener.pid, listener.unit.empty() ? "" : ", ",
                     listener.unit);
}

/// What the host has where a local socket was looked for.
struct HostSocket {
  enum class There : std::uint8_t { kSocket, kOther, kNothing, kUnknown };
  There there = There::kUnknown;
  std::string name = {};  ///< of a socket: that the host's tables have for it
};

/// An abstract name is its own.
HostSocket socket_on_host(const trace::NetworkAttempt& attempt) {
  using There = HostSocket::There;
  if (attempt.path.starts_with('@')) return {There::kSocket, attempt.path};
  const auto host = HostRoot::open();
  if (!host || attempt.place.empty()) return {};
  const auto object = host->find(attempt.place);
  if (!object) return {There::kNothing};
  const auto st = sys::stat_fd(object->get());
  if (!st || !S_ISSOCK(st->st_mode)) return {There::kOther};
  auto name = host->real_path(attempt.place);
  return name ? HostSocket{There::kSocket, std::move(*name)} : HostSocket{};
}

/// The host would have refused it too. One that is refused inside has met something there: if it is neither
/// the action's own nor under a name that the host knows, what it is on the host is not known.
bool is_absent(const trace::NetworkAttempt& attempt, const HostSocket& socket) {
  const bool nothing_inside = attempt.error == ENOENT || attempt.error == ENOTDIR;
  return attempt.own || socket.there == HostSocket::There::kOther ||
         (socket.there == HostSocket::There::kNothing && nothing_inside);
}

}  // namespace

NetworkJournal::NetworkJournal(gate::GateLog log, const NetworkPlan& plan, gate::HostsFile hosts)
    : log_(std::move(log)), plan_(plan), hosts_(std::move(hosts)) {
  for (const gate::QuestionRecord& asked : log_.questions)
    for (const IpAddress& address : asked.question.addresses) names_.emplace(address, asked.question.name);
  for (const gate::ConnectionRecord& connection : log_.connections)
    connections_[{connection.protocol, connection.address, connection.port}].push_back(&connection);
}

/// connect(2) of a datagram socket sends nothing; getaddrinfo(3) does it to see which address is nearer.
bool NetworkJournal::only_names_address(const trace::NetworkAttempt& attempt) const {
  return attempt.transport == trace::Transport::kUdp && !attempt.sends &&
         !connections_.contains({gate::Protocol::kUdp, attempt.address, attempt.port});
}

std::vector<report::NetworkRecord> NetworkJournal::describe(
    const std::vector<trace::NetworkAttempt>& attempts, const std::vector<trace::SocketSource>& sources,
    std::uint64_t begun_ns) {
  owners_ = find_owners(log_.connections, attempts, sources);
  // Whom an attempt is for, and whose it is: a name stands for all its addresses.
  using Aim = std::tuple<std::uint32_t, std::string, std::uint16_t>;
  const auto aim_of = [this](const trace::NetworkAttempt& attempt) -> Aim {
    const auto name = names_.find(attempt.address);
    return {attempt.process, name == names_.end() ? format_ip(attempt.address) : name->second, attempt.port};
  };
  std::set<Aim> tried;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (!only_names_address(attempt)) tried.insert(aim_of(attempt));
  }
  std::vector<report::NetworkRecord> records;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (is_question(attempt)) continue;
    report::NetworkRecord to = describe(attempt);
    to.time_ns = trace::between(begun_ns, attempt.first_ns);
    // Nothing can be sent to port 0, and what a rule lets through was not denied.
    to.probe = only_names_address(attempt) &&
               (attempt.port == 0 || attempt.verdict == RH_GATE || tried.contains(aim_of(attempt)));
    records.push_back(std::move(to));
  }
  add_unattended(attempts, begun_ns, records);
  return records;
}

void NetworkJournal::add_unattended(const std::vector<trace::NetworkAttempt>& attempts,
                                    std::uint64_t begun_ns, std::vector<report::NetworkRecord>& records) {
  std::set<Destination> attended;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (attempt.verdict == RH_GATE)
      attended.insert({protocol_of(attempt.transport), attempt.address, attempt.port});
  }
  for (const auto& [destination, connections] : connections_) {
    if (attended.contains(destination)) continue;
    const auto& [protocol, address, port] = destination;
    report::NetworkRecord to;
    to.proto = protocol == gate::Protocol::kUdp ? "udp" : "tcp";
    to.dst = format_ip(address);
    to.port = port;
    to.count = connections.size();
    to.time_ns = trace::between(begun_ns, static_cast<std::uint64_t>(connections.front()->begun_ns));
    add_connections(destination, to);
    records.push_back(std::move(to));
  }
}

report::NetworkRecord NetworkJournal::describe(const trace::NetworkAttempt& attempt) {
  report::NetworkRecord to;
  to.verdict = "denied";
  to.proto = name_of(attempt.transport);
  to.dst = is_internet(attempt)    ? format_ip(attempt.address)
           : attempt.place.empty() ? attempt.path
                                   : attempt.place;
  to.port = attempt.port;
  if (attempt.error != 0) to.error = syscalls::errno_name(attempt.error);
  to.process = attempt.process;
  to.exe = attempt.exe;
  to.count = attempt.count;
  if (is_internet(attempt)) {
    add_name(attempt.address, to);
    add_rule(attempt, to);
    if (attempt.verdict == RH_GATE)
      add_connections({protocol_of(attempt.transport), attempt.address, attempt.port}, to);
  }
  if (would_be_local(attempt)) add_local(attempt, to);
  return to;
}

/// A name that the gate has answered, or one that needed no answer. Of the run's own addresses there is
/// nothing to say.
void NetworkJournal::add_name(const IpAddress& address, report::NetworkRecord& to) const {
  if (const auto name = names_.find(address); name != names_.end()) {
    to.name = name->second;
  } else if (gate::classify(address) != gate::AddressClass::kLoopback) {
    to.name = hosts_.name_of(address);
    if (!to.name.empty()) to.name_from = kHosts;
  }
}

void NetworkJournal::add_rule(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) const {
  if (attempt.rule == 0 || attempt.rule > plan_.kernel.decisions.size()) return;
  const gate::Decision& decision = plan_.kernel.decisions[attempt.rule - 1U];
  to.rule = gate::rule_text(decision);
  to.verdict = verdict_of(decision.action);
}

/// What the gate's own decision was is what happened. A process has the bytes of its own connections.
void NetworkJournal::add_connections(const Destination& destination, report::NetworkRecord& to) {
  const auto found = connections_.find(destination);
  if (found == connections_.end()) {
    to.verdict = "denied";
    to.ended = "nothing of it reached the gate";
    return;
  }
  const auto take = [](std::string& into, const std::string& from) {
    if (into.empty()) into = from;
  };
  std::vector<const gate::ConnectionRecord*> connections;
  const auto owner_of = [this](const gate::ConnectionRecord* connection) {
    const auto owner = owners_.find(connection);
    return owner == owners_.end() ? 0 : owner->second;
  };
  std::ranges::copy_if(found->second, std::back_inserter(connections),
                       [&](const auto* connection) { return owner_of(connection) == to.process; });
  // One that connected and whose packets the gate has not told from another's.
  if (connections.empty()) connections = found->second;
  const auto is_denied = [](const auto* one) { return one->verdict == gate::GateVerdict::kDenied; };
  const auto denied = static_cast<std::size_t>(std::ranges::count_if(connections, is_denied));
  const auto taken = std::ranges::find_if_not(connections, is_denied);
  to.verdict = gate::to_string(taken == connections.end() ? gate::GateVerdict::kDenied : (*taken)->verdict);
  for (const gate::ConnectionRecord* connection : connections) {
    take(to.name, connection->name);
    take(to.sni, connection->sni);
    take(to.http_host, connection->http_host);
    take(to.http_path, connection->http_path);
    take(to.rule, connection->rule);
    take(to.ended, connection->error);
    if (owner_of(connection) != to.process || !counted_.insert(connection).second) continue;
    to.bytes_out += connection->bytes_out;
    to.bytes_in += connection->bytes_in;
  }
  if (denied != 0 && taken != connections.end())
    to.ended = fmt::format("{} of {} connections were denied{}{}", denied, connections.size(),
                           to.ended.empty() ? "" : ": ", to.ended);
}

/// Who on the host would have answered. A local socket that the host does not have either would have ended
/// the same.
void NetworkJournal::add_local(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) {
  const bool local = attempt.transport == trace::Transport::kUnix;
  const HostSocket socket = local ? socket_on_host(attempt) : HostSocket{};
  if (local && is_absent(attempt, socket)) {
    to.verdict = "absent";
    return;
  }
  const host::Listeners* all = listeners();
  if (all == nullptr || (local && socket.there != HostSocket::There::kSocket)) {
    to.reached = "not known";
    return;
  }
  const auto listener = local                                         ? all->local(socket.name)
                        : attempt.transport == trace::Transport::kTcp ? all->tcp(attempt.port)
                                                                      : all->udp(attempt.port);
  if (listener)
    to.reached = name_listener(*listener);
  else if (local && attempt.path.starts_with('@'))
    to.verdict = "absent";
  else if (local)
    to.reached = "not known";  // nobody, or one who bound it under another name
}

const host::Listeners* NetworkJournal::listeners() {
  if (!listeners_) listeners_.emplace(host::Listeners::read());
  return listeners_->has_value() ? &**listeners_ : nullptr;
}

std::vector<report::DnsRecord> NetworkJournal::questions() const {
  std::vector<report::DnsRecord> records;
  for (const gate::QuestionRecord& asked : log_.questions) {
    records.push_back({asked.question.name, gate::to_string(asked.question.type),
                       std::string(gate::to_string(asked.question.answered)), asked.count});
  }
  return records;
}

std::map<std::string, std::int64_t> NetworkJournal::first_asked(std::uint64_t begun_ns) const {
  std::map<std::string, std::int64_t> times;
  for (const gate::QuestionRecord& asked : log_.questions) {
    const std::int64_t at = trace::between(begun_ns, static_cast<std::uint64_t>(asked.time_ns));
    const auto [known, fresh] = times.emplace(asked.question.name, at);
    if (!fresh) known->second = std::min(known->second, at);
  }
  return times;
}

}  // namespace rehearse
