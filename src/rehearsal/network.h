// The network of one rehearsal: what options say of it, and the gate that serves it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gate/certificate_authority.h"
#include "gate/dns_zone.h"
#include "gate/exchange_file.h"
#include "gate/gate_log.h"
#include "gate/kernel_rules.h"
#include "gate/replay.h"
#include "gate/rules.h"
#include "gate/run_sockets.h"
#include "gate/worker.h"
#include "ledger/state.h"
#include "rehearsal/action_file.h"
#include "rehearse/rehearse.h"
#include "sandbox/request.h"
#include "sandbox/sandbox.h"
#include "trace/session.h"

namespace rehearse {

/// What is passed, denied, mocked and replayed, and what names are. Checked whole before anything runs.
struct NetworkPlan {
  gate::Rules rules;
  gate::DnsZone zone;
  gate::DnsOptions dns;
  gate::KernelRules kernel;          ///< points into `rules`
  std::vector<std::string> sources;  ///< of rules, mocks and recordings: what was read, or which run
  gate::Replay replay;               ///< what mocks of it answer from
  bool mirror = false;               ///< the host's interfaces, addresses and routes are to be seen
  /// Who the certificates of mocked services are from; none if nothing may speak TLS.
  std::optional<gate::CertificateAuthority> authority;

  /// What makes clients inside trust the authority.
  [[nodiscard]] std::vector<sandbox::Addition> trust() const;
  /// The same for those that bring certificates of their own: Node.js, Python's requests and pip, httpx.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> trust_variables() const;

 private:
  /// Where OpenSSL looks the authority's certificate up.
  [[nodiscard]] std::string certificate_path() const;
};

/// From the action file (if there is one), --pass, --deny, --mock, --replay, --nxdomain and --network-mirror.
/// kUsage or kConfig name what is wrong, and where. `state`: for the run that is replayed.
Result<std::unique_ptr<NetworkPlan>> plan_network(const Options& options, const ActionFile* action,
                                                  const ledger::StateDir* state);

class Network {
 public:
  /// All borrowed.
  Network(const ledger::Bundle& bundle, NetworkPlan& plan) : bundle_(bundle), plan_(plan) {}

  /// Starts the gate's worker, before there is a network for it, if there are mocks or passes: else it is
  /// started when something is said to it. The bundle gets `gate.jsonl` and `exchanges.jsonl`.
  Result<void> begin(trace::Session& session);
  /// Takes over the network namespace `network`. When the entry has finished, the gate serves it and the
  /// rules of the session's gate are switched on. The session stays where it is until then.
  Result<std::unique_ptr<sandbox::Recorder::Entry>> enter(UniqueFd network, trace::Session& session);
  /// Readable when something is said to a gate that has no worker yet; -1: it has one. Then call attend(), in
  /// the thread that waits for the run's end.
  [[nodiscard]] int attention() const { return attention_.get(); }
  /// What goes wrong is told by finish().
  void attend();
  /// Nothing of the run lives any more: the gate may end.
  void end();
  /// After that: what the gate saw.
  Result<gate::GateLog> finish();

  /// After finish(): what was exchanged with mocks and recordings.
  [[nodiscard]] Result<gate::ExchangeFile> exchanges() const;

  [[nodiscard]] const NetworkPlan& plan() const { return plan_; }
  /// What the action saw of the host's network; nothing if no mirror was asked for.
  [[nodiscard]] const gate::NetworkMirror& mirror() const { return mirror_; }
  [[nodiscard]] const std::set<IpAddress>& own_addresses() const { return own_; }
  /// Whether the kernel knows that it is one of them: of very many it does not.
  [[nodiscard]] bool is_own(const IpAddress& address) const;

 private:
  class Entry;
  Result<void> start_worker();
  Result<void> serve(gate::RunSockets sockets, struct rh_gate& kernel);

  const ledger::Bundle& bundle_;
  NetworkPlan& plan_;
  gate::NetworkMirror mirror_;
  std::set<IpAddress> own_;  ///< where servers inside are reached: the host's addresses, or those mirrored
  UniqueFd log_;
  UniqueFd exchanges_;
  gate::EngineSetup setup_;
  std::optional<gate::Worker> worker_;
  gate::RunSockets waiting_;  ///< until there is a worker
  UniqueFd attention_;        ///< epoll(7), of these
  Result<void> started_;      ///< what came of starting it later
};

}  // namespace rehearse
