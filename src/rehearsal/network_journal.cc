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
constexpr const char* kNotReached = "nothing of it reached the gate";
/// Beyond so many, connections of one attempt that differ in what they were for are put together.
constexpr std::size_t kMostApart = 10'000;

const char* word_of(trace::Transport transport) {
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

bool is_ported(trace::Transport transport) {
  return transport == trace::Transport::kTcp || transport == trace::Transport::kUdp;
}

/// What it names may be this host's own: a service of it would have answered.
bool may_be_local(const trace::NetworkAttempt& attempt) {
  return attempt.transport == trace::Transport::kUnix ||
         (is_internet(attempt) && is_ported(attempt.transport) && attempt.verdict != RH_GATE);
}

bool is_question(const trace::NetworkAttempt& attempt) {
  return attempt.verdict == RH_GATE && attempt.rule == 0 && attempt.port == kDnsPort;
}

bool is_denied(const gate::ConnectionRecord* connection) {
  return connection->verdict == gate::GateVerdict::kDenied;
}

/// The first `most` connections, each with the refusal that it ended in. Returns how many there are.
std::size_t keep_first(std::vector<const gate::ConnectionRecord*>& records, std::uint64_t most) {
  std::set<std::uint64_t> there;
  std::set<std::uint64_t> kept;
  for (const auto* record : records) there.insert(record->id);
  const auto id_of = [&there](const gate::ConnectionRecord* record) {
    return there.contains(record->refused_in) ? record->refused_in : record->id;
  };
  for (const auto* record : records) {
    if (kept.size() < most) kept.insert(id_of(record));
  }
  std::erase_if(records, [&](const auto* record) { return !kept.contains(id_of(record)); });
  return kept.size();
}

/// The names that a mocked alias stands for, one behind the other, as the gate's resolver follows them.
std::vector<std::string> aliases_of(const gate::DnsZone& zone, const std::string& name) {
  std::vector<std::string> aliases;
  auto at = gate::DnsName::parse(name);
  while (at && aliases.size() < gate::kMostAliases) {
    const gate::DnsEntry* const entry = zone.find(*at);
    const gate::DnsRecord* const alias = entry == nullptr ? nullptr : entry->find(gate::DnsType::kCname);
    if (alias == nullptr) break;
    at = std::get<gate::DnsName>(alias->data);
    aliases.push_back(at->key());
  }
  return aliases;
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

NetworkJournal::NetworkJournal(gate::GateLog log, const NetworkPlan& plan, gate::HostsFile hosts,
                               const std::vector<trace::SocketSource>& sources)
    : log_(std::move(log)), plan_(plan), hosts_(std::move(hosts)), sockets_(sources) {
  take_questions();
  for (const gate::ConnectionRecord& connection : log_.connections) {
    const bool asks = connection.rule == gate::kDnsRule && connection.verdict != gate::GateVerdict::kDenied;
    auto& to = asks ? asking_ : connections_;
    to[{connection.protocol, connection.address, connection.port}].push_back(&connection);
  }
  // The log has them in the order in which they ended.
  for (auto& [destination, connections] : connections_)
    std::ranges::stable_sort(connections, {}, &gate::ConnectionRecord::begun_ns);
}

void NetworkJournal::take_questions() {
  for (const gate::QuestionRecord& asked : log_.questions) {
    const gate::QuestionEnds& ends = asked.ends;
    const std::uint32_t process = ends.client_port == 0 ? 0
                                                        : sockets_.find(ends.protocol, ends.server, kDnsPort,
                                                                        ends.client_port, asked.time_ns);
    asked_[{ends.protocol, ends.server, process}] += asked.count;
    for (const IpAddress& address : asked.question.addresses)
      answers_[address].push_back({asked.time_ns, process, &asked.question.name});
  }
  for (auto& [address, answers] : answers_) std::ranges::stable_sort(answers, {}, &Answer::time_ns);
}

/// Two names may have one address: what was asked last before that counts, by the same process if it has
/// asked.
const std::string* NetworkJournal::name_of(const IpAddress& address, std::uint32_t process,
                                           std::int64_t time_ns) const {
  const auto found = answers_.find(address);
  if (found == answers_.end()) return nullptr;
  const std::vector<Answer>& answers = found->second;
  const auto after = std::ranges::upper_bound(answers, time_ns, {}, &Answer::time_ns);
  if (after == answers.begin()) return answers.front().name;
  constexpr std::ptrdiff_t kMostTried = 1000;
  const auto first = after - std::min(after - answers.begin(), kMostTried);
  for (auto answer = after; answer != first; --answer) {
    if (std::prev(answer)->process == process) return std::prev(answer)->name;
  }
  return std::prev(after)->name;
}

/// connect(2) of a datagram socket sends nothing; getaddrinfo(3) does it to see which address is nearer.
bool NetworkJournal::only_names_address(const trace::NetworkAttempt& attempt) const {
  if (attempt.transport != trace::Transport::kUdp || attempt.sends) return false;
  const Destination destination(gate::Protocol::kUdp, attempt.address, attempt.port);
  return attempt.looks || (!attempt.used && !connections_.contains(destination));
}

/// Nothing can be sent to port 0, and what a rule lets through was not denied. Who names a name server is to
/// ask it.
bool NetworkJournal::is_unused(const trace::NetworkAttempt& attempt) const {
  return only_names_address(attempt) &&
         (attempt.looks || attempt.port == 0 || (attempt.verdict == RH_GATE && !is_question(attempt)));
}

std::uint64_t NetworkJournal::asked(const trace::NetworkAttempt& attempt, std::uint32_t process) const {
  const auto found = asked_.find({protocol_of(attempt.transport), attempt.address, process});
  return found == asked_.end() ? 0 : found->second;
}

/// As many questions as there were attempts have come, as far as that can be told.
bool NetworkJournal::only_asks(const trace::NetworkAttempt& attempt) const {
  if (!is_question(attempt)) return false;
  const Destination destination(protocol_of(attempt.transport), attempt.address, attempt.port);
  if (!of_process(destination, attempt.process).empty()) return false;
  if (asked(attempt, 0) != 0) return true;
  const std::uint64_t came = attempt.transport == trace::Transport::kTcp
                                 ? asking_connections(destination, attempt.process)
                                 : asked(attempt, attempt.process);
  return came != 0 &&
         (attempt.transport == trace::Transport::kUdp && !attempt.sends ? true : came >= attempt.count);
}

NetworkJournal::Connections NetworkJournal::of_process(const Destination& destination,
                                                       std::uint32_t process) const {
  Connections own;
  const auto found = connections_.find(destination);
  if (found == connections_.end()) return own;
  std::ranges::copy_if(found->second, std::back_inserter(own), [&](const gate::ConnectionRecord* connection) {
    const auto owner = owners_.find(connection);
    return (owner == owners_.end() ? 0 : owner->second) == process;
  });
  return own;
}

std::size_t NetworkJournal::asking_connections(const Destination& destination, std::uint32_t process) const {
  const auto found = asking_.find(destination);
  if (found == asking_.end()) return 0;
  return static_cast<std::size_t>(
      std::ranges::count_if(found->second, [&](const gate::ConnectionRecord* connection) {
        const auto owner = owners_.find(connection);
        return owner != owners_.end() && owner->second == process;
      }));
}

std::vector<report::NetworkRecord> NetworkJournal::describe(
    const std::vector<trace::NetworkAttempt>& attempts, std::uint64_t begun_ns) {
  begun_ns_ = begun_ns;
  owners_ = find_owners(log_.connections, attempts, sockets_);
  // Whom an attempt is for, and whose it is: a name stands for all its addresses.
  using Aim = std::tuple<std::uint32_t, std::string, std::uint16_t>;
  const auto aim_of = [this](const trace::NetworkAttempt& attempt) -> Aim {
    const std::string* name =
        name_of(attempt.address, attempt.process, static_cast<std::int64_t>(attempt.first_ns));
    return {attempt.process, name == nullptr ? format_ip(attempt.address) : *name, attempt.port};
  };
  std::set<Aim> tried;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (!only_names_address(attempt)) tried.insert(aim_of(attempt));
  }
  std::vector<report::NetworkRecord> records;
  for (const trace::NetworkAttempt& attempt : attempts) {
    if (only_asks(attempt)) continue;
    const std::size_t before = records.size();
    describe(attempt, records);
    const bool probe = is_unused(attempt) || (only_names_address(attempt) && !is_question(attempt) &&
                                              tried.contains(aim_of(attempt)));
    for (std::size_t i = before; i < records.size(); ++i) records[i].probe = probe;
  }
  add_unattended(attempts, records);
  return records;
}

void NetworkJournal::add_unattended(const std::vector<trace::NetworkAttempt>& attempts,
                                    std::vector<report::NetworkRecord>& records) {
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
    add_each(connections, to, records);
  }
}

void NetworkJournal::describe(const trace::NetworkAttempt& attempt,
                              std::vector<report::NetworkRecord>& records) {
  report::NetworkRecord to;
  to.verdict = "denied";
  to.proto = word_of(attempt.transport);
  to.dst = is_internet(attempt)    ? format_ip(attempt.address)
           : attempt.place.empty() ? attempt.path
                                   : attempt.place;
  to.port = attempt.port;
  if (attempt.error != 0) to.error = syscalls::errno_name(attempt.error);
  to.process = attempt.process;
  to.exe = attempt.exe;
  to.count = attempt.count;
  to.time_ns = trace::between(begun_ns_, attempt.first_ns);
  if (is_internet(attempt)) {
    add_name(attempt.address, static_cast<std::int64_t>(attempt.first_ns), to);
    add_rule(attempt, to);
    if (attempt.verdict == RH_GATE && !attempt.looks) return add_taken(attempt, std::move(to), records);
    if (attempt.looks) to.verdict = "denied";  // nothing was sent
  }
  if (may_be_local(attempt)) add_local(attempt, to);
  records.push_back(std::move(to));
}

/// A name that the gate has answered, or one that needed no answer. Of the run's own addresses there is
/// nothing to say.
void NetworkJournal::add_name(const IpAddress& address, std::int64_t time_ns,
                              report::NetworkRecord& to) const {
  if (const std::string* name = name_of(address, to.process, time_ns); name != nullptr) {
    to.name = *name;
    to.aliases = aliases_of(plan_.zone, *name);
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

/// What the gate's own decision was is what happened, to each connection of the process.
void NetworkJournal::add_taken(const trace::NetworkAttempt& attempt, report::NetworkRecord to,
                               std::vector<report::NetworkRecord>& records) {
  const Destination destination(protocol_of(attempt.transport), attempt.address, attempt.port);
  const bool tcp = attempt.transport == trace::Transport::kTcp;
  const Connections all = of_process(destination, attempt.process);
  Connections own;
  std::ranges::copy_if(all, std::back_inserter(own),
                       [this](const auto* connection) { return !described_.contains(connection); });
  // A process may have tried as more than one program: each has as many connections as it made.
  const std::size_t made = keep_first(own, tcp ? attempt.count : own.size());
  const auto others = connections_.find(destination);
  if (own.empty() && !(tcp && !all.empty()) && others != connections_.end()) {
    // It named the address, and the gate has not told its packets from another's.
    const Connections& shared = all.empty() ? others->second : all;
    const auto taken = std::ranges::find_if_not(shared, is_denied);
    const auto* connection = taken == shared.end() ? shared.front() : *taken;
    to.verdict = gate::to_string(connection->verdict);
    to.rule = connection->rule;
    records.push_back(std::move(to));
    return;
  }
  described_.insert(own.begin(), own.end());
  const std::size_t at = records.size();
  const std::size_t added = add_each(own, to, records);
  if (added != 0) records[at].time_ns = to.time_ns;
  // Of what went to a name server the questions are none of it.
  const std::uint64_t questions = is_question(attempt) ? asked(attempt, attempt.process) : 0;
  if (added == 1 && !tcp)
    records[at].count = std::max(attempt.count - std::min(questions, attempt.count), own.size());
  std::uint64_t came = added != 0 && !tcp ? attempt.count : made;
  if (is_question(attempt))
    came += tcp ? asking_connections(destination, attempt.process) : asked(attempt, attempt.process);
  if (came >= attempt.count) return;
  to.verdict = "denied";
  to.rule.clear();
  to.ended = kNotReached;
  to.count -= came;
  records.push_back(std::move(to));
}

/// Connections that differ in what they were for, or in how they ended, are records of their own; how many it
/// adds.
std::size_t NetworkJournal::add_each(const Connections& connections, const report::NetworkRecord& to,
                                     std::vector<report::NetworkRecord>& records) {
  using Kind = std::tuple<gate::GateVerdict, std::string, std::string, std::string, std::string, std::string,
                          std::string>;
  std::map<Kind, std::size_t> kinds;
  const std::size_t before = records.size();
  for (const gate::ConnectionRecord* connection : connections) {
    report::NetworkRecord one = to;
    one.name.clear();
    one.name_from.clear();
    one.aliases.clear();
    add_name(connection->address, connection->begun_ns, one);
    // The gate names the last of several that an address stands for; what was asked for is an alias of that.
    const bool alias = std::ranges::find(one.aliases, connection->name) != one.aliases.end();
    if (!connection->name.empty() && !alias) {
      one.name = connection->name;
      one.name_from.clear();
      one.aliases = aliases_of(plan_.zone, one.name);
    }
    one.sni = connection->sni;
    one.http_host = connection->http_host;
    one.http_path = connection->http_path;
    one.rule = connection->rule;
    one.ended = connection->error;
    if (apart_ >= kMostApart) {
      one.name = to.name;
      one.name_from = to.name_from;
      one.aliases = to.aliases;
      one.sni = one.http_host = one.http_path = one.rule = {};
      one.ended = "not told apart: there are very many; gate.jsonl has each";
    }
    one.verdict = gate::to_string(connection->verdict);
    const auto [kind, fresh] = kinds.emplace(
        Kind(connection->verdict, one.name, one.sni, one.http_host, one.http_path, one.rule, one.ended),
        records.size());
    if (fresh) {
      if (records.size() != before) ++apart_;
      one.count = 0;
      one.time_ns = trace::between(begun_ns_, static_cast<std::uint64_t>(connection->begun_ns));
      records.push_back(std::move(one));
    }
    report::NetworkRecord& record = records[kind->second];
    ++record.count;
    record.bytes_out += connection->bytes_out;
    record.bytes_in += connection->bytes_in;
  }
  return kinds.size();
}

/// Who on the host would have answered. What nobody there would have answered either would have ended the
/// same.
void NetworkJournal::add_local(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) {
  const bool local = attempt.transport == trace::Transport::kUnix;
  const HostSocket socket = local ? socket_on_host(attempt) : HostSocket{};
  if (local && is_absent(attempt, socket)) {
    to.verdict = "absent";
    return;
  }
  const host::Listeners* all = host_listeners();
  const bool loopback = !local && gate::classify(attempt.address) == gate::AddressClass::kLoopback;
  if (!local && !loopback && (all == nullptr || !all->is_own(attempt.address))) return;
  if (all == nullptr || (local && socket.there != HostSocket::There::kSocket)) {
    to.reached = "not known";
    return;
  }
  const auto listener = local ? all->local(socket.name)
                        : attempt.transport == trace::Transport::kTcp
                            ? all->tcp(attempt.address, attempt.port)
                            : all->udp(attempt.address, attempt.port);
  if (listener)
    to.reached = host::to_string(*listener);
  else if (local && attempt.path.starts_with('@'))
    to.verdict = "absent";
  else if (local)
    to.reached = "not known";  // nobody, or one who bound it under another name
  else if (attempt.verdict == RH_NATURAL && is_ported(attempt.transport))
    to.verdict = "absent";
}

const host::Listeners* NetworkJournal::host_listeners() {
  if (!listeners_) listeners_.emplace(host::Listeners::read());
  return listeners_->has_value() ? &**listeners_ : nullptr;
}

std::vector<report::DnsRecord> NetworkJournal::questions(std::uint64_t begun_ns) const {
  std::vector<report::DnsRecord> records;
  std::map<std::tuple<std::string, gate::DnsType, gate::DnsAnswer>, std::size_t> known;
  for (const gate::QuestionRecord& one : log_.questions) {
    const std::int64_t time_ns = trace::between(begun_ns, static_cast<std::uint64_t>(one.time_ns));
    const auto [at, fresh] = known.emplace(
        std::tuple(one.question.name, one.question.type, one.question.answered), records.size());
    if (fresh) {
      report::DnsRecord& made = records.emplace_back();
      made.name = one.question.name;
      made.type = gate::to_string(one.question.type);
      made.answer = gate::to_string(one.question.answered);
      made.time_ns = time_ns;
    }
    report::DnsRecord& record = records[at->second];
    record.time_ns = std::min(record.time_ns.value_or(time_ns), time_ns);
    record.count += one.count;
    record.servers.insert(format_ip(one.ends.server));
    record.processes.insert(
        sockets_.find(one.ends.protocol, one.ends.server, kDnsPort, one.ends.client_port, one.time_ns));
    record.processes.erase(0);
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
