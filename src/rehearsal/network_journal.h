// What the kernel's hooks saw of an attempt and what the gate knows of it, put together for the report.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gate/gate_log.h"
#include "gate/hosts_file.h"
#include "host/listeners.h"
#include "rehearsal/connection_owners.h"
#include "rehearsal/network.h"
#include "report/run_record.h"
#include "trace/network_attempts.h"

namespace rehearse {

class NetworkJournal {
 public:
  /// `plan` is borrowed. `hosts`: names that are found without asking anybody.
  NetworkJournal(gate::GateLog log, const NetworkPlan& plan, gate::HostsFile hosts);

  /// In the order of `attempts`, then what only the gate has seen (packets that were made by hand), of
  /// process 0. Questions to a name server are none: see questions(). `begun_ns`: when the action began, of
  /// CLOCK_MONOTONIC.
  std::vector<report::NetworkRecord> describe(const std::vector<trace::NetworkAttempt>& attempts,
                                              const std::vector<trace::SocketSource>& sources,
                                              std::uint64_t begun_ns);
  [[nodiscard]] std::vector<report::DnsRecord> questions() const;
  /// When each name was asked for first, since the action began.
  [[nodiscard]] std::map<std::string, std::int64_t> first_asked(std::uint64_t begun_ns) const;

 private:
  using Destination = std::tuple<gate::Protocol, IpAddress, std::uint16_t>;

  [[nodiscard]] bool only_names_address(const trace::NetworkAttempt& attempt) const;
  report::NetworkRecord describe(const trace::NetworkAttempt& attempt);
  void add_name(const IpAddress& address, report::NetworkRecord& to) const;
  void add_connections(const Destination& destination, report::NetworkRecord& to);
  void add_unattended(const std::vector<trace::NetworkAttempt>& attempts, std::uint64_t begun_ns,
                      std::vector<report::NetworkRecord>& records);
  void add_local(const trace::NetworkAttempt& attempt, report::NetworkRecord& to);
  void add_rule(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) const;
  const host::Listeners* listeners();

  gate::GateLog log_;
  const NetworkPlan& plan_;
  gate::HostsFile hosts_;
  std::map<IpAddress, std::string> names_;  ///< what addresses were the answer for
  std::map<Destination, std::vector<const gate::ConnectionRecord*>> connections_;
  ConnectionOwners owners_;
  std::set<const gate::ConnectionRecord*> counted_;   ///< whose bytes are in a record
  std::optional<Result<host::Listeners>> listeners_;  ///< read when they are needed
};

}  // namespace rehearse
