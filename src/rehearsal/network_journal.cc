#include "rehearsal/network_journal.h"

#include <fmt/format.h>

#include <set>

#include "bpf/events.h"
#include "gate/address.h"
#include "gate/engine_context.h"
#include "syscalls/call.h"

namespace rehearse {
namespace {

constexpr std::uint16_t kDnsPort = 53;

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

/// Whom an attempt is for, and whose it is.
using Aim = std::tuple<std::uint32_t, IpAddress, std::uint16_t>;
Aim aim_of(const trace::NetworkAttempt& attempt) {
  return {attempt.process, attempt.address, attempt.port};
}

/// connect(2) of a datagram socket sends nothing.
bool only_names_address(const trace::NetworkAttempt& attempt) {
  return attempt.transport == trace::Transport::kUdp && !attempt.sends;
}

}  // namespace

NetworkJournal::NetworkJournal(gate::GateLog log, const NetworkPlan& plan)
    : log_(std::move(log)), plan_(plan) {
  for (const gate::QuestionRecord& asked : log_.questions)
    for (const IpAddress& address : asked.question.addresses) names_.emplace(address, asked.question.name);
  for (const gate::ConnectionRecord& connection : log_.connections)
    connections_[{connection.protocol, connection.address, connection.port}].push_back(&connection);
}

std::vector<report::NetworkRecord> NetworkJournal::describe(
    const std::vector<trace::NetworkAttempt>& attempts, std::uint64_t begun_ns) {
  std::set<Aim> tried;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (!only_names_address(attempt)) tried.insert(aim_of(attempt));
  }
  std::vector<report::NetworkRecord> records;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (attempt.verdict == RH_GATE && attempt.rule == 0 && attempt.port == kDnsPort) continue;
    report::NetworkRecord to = describe(attempt);
    to.time_ns = trace::between(begun_ns, attempt.first_ns);
    to.probe = only_names_address(attempt) && tried.contains(aim_of(attempt));
    records.push_back(std::move(to));
  }
  return records;
}

report::NetworkRecord NetworkJournal::describe(const trace::NetworkAttempt& attempt) {
  report::NetworkRecord to;
  to.verdict = "denied";
  to.proto = name_of(attempt.transport);
  to.dst = is_internet(attempt) ? format_ip(attempt.address) : attempt.path;
  to.port = attempt.port;
  if (attempt.error != 0) to.error = syscalls::errno_name(attempt.error);
  to.process = attempt.process;
  to.count = attempt.count;
  if (is_internet(attempt)) {
    if (const auto name = names_.find(attempt.address); name != names_.end()) to.name = name->second;
    add_rule(attempt, to);
    if (attempt.verdict == RH_GATE) add_connection(attempt, to);
  }
  if (would_be_local(attempt)) to.reached = reached(attempt);
  // The host has nothing there either: it would have ended the same.
  if (attempt.transport == trace::Transport::kUnix && to.reached.empty()) to.verdict = "absent";
  return to;
}

void NetworkJournal::add_rule(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) const {
  if (attempt.rule == 0 || attempt.rule > plan_.kernel.decisions.size()) return;
  const gate::Decision& decision = plan_.kernel.decisions[attempt.rule - 1U];
  to.rule = gate::rule_text(decision);
  to.verdict = verdict_of(decision.action);
}

/// What the gate's own decision was is what happened.
void NetworkJournal::add_connection(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) const {
  const auto protocol =
      attempt.transport == trace::Transport::kUdp ? gate::Protocol::kUdp : gate::Protocol::kTcp;
  const auto found = connections_.find({protocol, attempt.address, attempt.port});
  if (found == connections_.end()) return;
  const auto take = [](std::string& into, const std::string& from) {
    if (into.empty()) into = from;
  };
  to.verdict = gate::to_string(found->second.front()->verdict);
  for (const gate::ConnectionRecord* connection : found->second) {
    take(to.name, connection->name);
    take(to.sni, connection->sni);
    take(to.http_host, connection->http_host);
    take(to.http_path, connection->http_path);
    take(to.rule, connection->rule);
    take(to.ended, connection->error);
    to.bytes_out += connection->bytes_out;
    to.bytes_in += connection->bytes_in;
  }
}

std::string NetworkJournal::reached(const trace::NetworkAttempt& attempt) {
  if (!listeners_) {
    auto read = host::Listeners::read();
    listeners_ = read ? std::move(*read) : host::Listeners();
  }
  std::optional<host::Listener> listener;
  if (attempt.transport == trace::Transport::kUnix)
    listener = listeners_->local(attempt.path);
  else if (attempt.transport == trace::Transport::kTcp)
    listener = listeners_->tcp(attempt.port);
  else
    listener = listeners_->udp(attempt.port);
  if (!listener) return {};
  if (listener->pid == 0) return "a service of this host";
  return fmt::format("{} (pid {}{}{})", listener->comm, listener->pid, listener->unit.empty() ? "" : ", ",
                     listener->unit);
}

std::vector<report::DnsRecord> NetworkJournal::questions() const {
  std::vector<report::DnsRecord> records;
  for (const gate::QuestionRecord& asked : log_.questions) {
    records.push_back({asked.question.name, gate::to_string(asked.question.type),
                       std::string(gate::to_string(asked.question.answered)), asked.count});
  }
  return records;
}

}  // namespace rehearse
