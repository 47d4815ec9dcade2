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
  /// `plan` and `sources` are borrowed. `hosts`: names that are found without asking anybody.
  NetworkJournal(gate::GateLog log, const NetworkPlan& plan, gate::HostsFile hosts,
                 const std::vector<trace::SocketSource>& sources);

  /// In the order of `attempts`, then what only the gate has seen (packets that were made by hand), of
  /// process 0. What was for a name server and nothing but questions is none: see questions(). `begun_ns`:
  /// when the action began, of CLOCK_MONOTONIC.
  std::vector<report::NetworkRecord> describe(const std::vector<trace::NetworkAttempt>& attempts,
                                              std::uint64_t begun_ns);
  [[nodiscard]] std::vector<report::DnsRecord> questions(std::uint64_t begun_ns) const;
  /// When each name was asked for first, since the action began.
  [[nodiscard]] std::map<std::string, std::int64_t> first_asked(std::uint64_t begun_ns) const;

  /// Who listens on the host, read when it is asked for first; nullptr if that is not known. Of this object.
  const host::Listeners* host_listeners();

 private:
  using Destination = std::tuple<gate::Protocol, IpAddress, std::uint16_t>;
  using Connections = std::vector<const gate::ConnectionRecord*>;
  /// An address was the answer for a name.
  struct Answer {
    std::int64_t time_ns = 0;
    std::uint32_t process = 0;  ///< that had asked; 0: not known
    const std::string* name = nullptr;
  };

  void take_questions();
  [[nodiscard]] const std::string* name_of(const IpAddress& address, std::uint32_t process,
                                           std::int64_t time_ns) const;
  [[nodiscard]] bool only_names_address(const trace::NetworkAttempt& attempt) const;
  [[nodiscard]] bool is_unused(const trace::NetworkAttempt& attempt) const;
  [[nodiscard]] bool only_asks(const trace::NetworkAttempt& attempt) const;
  [[nodiscard]] std::uint64_t asked(const trace::NetworkAttempt& attempt, std::uint32_t process) const;
  [[nodiscard]] Connections of_process(const Destination& destination, std::uint32_t process) const;
  [[nodiscard]] std::size_t asking_connections(const Destination& destination, std::uint32_t process) const;
  void describe(const trace::NetworkAttempt& attempt, std::vector<report::NetworkRecord>& records);
  void add_name(const IpAddress& address, std::int64_t time_ns, report::NetworkRecord& to) const;
  void add_taken(const trace::NetworkAttempt& attempt, report::NetworkRecord to,
                 std::vector<report::NetworkRecord>& records);
  std::size_t add_each(const Connections& connections, const report::NetworkRecord& to,
                       std::vector<report::NetworkRecord>& records);
  void add_unattended(const std::vector<trace::NetworkAttempt>& attempts,
                      std::vector<report::NetworkRecord>& records);
  void add_local(const trace::NetworkAttempt& attempt, report::NetworkRecord& to);
  void add_rule(const trace::NetworkAttempt& attempt, report::NetworkRecord& to) const;

  gate::GateLog log_;
  const NetworkPlan& plan_;
  gate::HostsFile hosts_;
  SocketOwners sockets_;
  std::uint64_t begun_ns_ = 0;
  std::map<IpAddress, std::vector<Answer>> answers_;  ///< in the order of their times
  /// Of each protocol, server and process: how many questions the gate has got.
  std::map<std::tuple<gate::Protocol, IpAddress, std::uint32_t>, std::uint64_t> asked_;
  std::map<Destination, Connections> connections_;
  std::map<Destination, Connections> asking_;  ///< to name servers that were asked, and nothing else
  ConnectionOwners owners_;
  std::set<const gate::ConnectionRecord*> described_;
  std::size_t apart_ = 0;                             ///< records that are one of several for an attempt
  std::optional<Result<host::Listeners>> listeners_;  ///< read when they are needed
};

}  // namespace rehearse
