// The gate of one run: takes what the run's network namespace hands to its sockets, asks the rules, and
// denies, mocks, replays, passes or answers it. One thread; everything is bounded.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "gate/certificate_authority.h"
#include "gate/dns_zone.h"
#include "gate/door.h"
#include "gate/engine_context.h"
#include "gate/name_service.h"
#include "gate/name_table.h"
#include "gate/run_sockets.h"
#include "gate/udp_gate.h"

namespace rehearse::gate {

class Relay;

/// What an engine is to do. Borrowed all, and not changed but for the kernel's classes of names, the
/// authority's certificates and the recordings that mocks point to.
struct EngineSetup {
  const Rules* rules = nullptr;
  const std::vector<NameTarget>* rule_names = nullptr;  ///< KernelRules::names
  const DnsZone* zone = nullptr;
  DnsOptions dns;
  struct rh_gate* kernel = nullptr;           ///< kernel_rules.h; switched on before begin()
  CertificateAuthority* authority = nullptr;  ///< null: nothing speaks TLS
  int log = -1;
  int exchanges = -1;         ///< -1: none are kept
  int control = -1;           ///< readable or at its end: finish
  std::int64_t begun_ns = 0;  ///< when the run began, of CLOCK_MONOTONIC
  ExchangeLimits exchange_limits;
  RedactionRules redaction;
};

/// A mock or a recording may be asked for within TLS: there has to be an authority.
bool speaks_tls(const Rules& rules);

class Engine {
 public:
  /// Connections at once, where there are descriptors for them; what comes beyond is reset.
  static constexpr std::size_t kMostConnections = 12000;
  /// Enough for two sockets of each, flows and the rest.
  static constexpr std::uint64_t kDescriptors = 32768;
  /// Fewer are not worth trying.
  static constexpr std::uint64_t kFewestDescriptors = 128;
  /// Of the heap; above it, connections that want more are ended.
  static constexpr std::size_t kMostMemory = std::size_t{512} << 20U;

  /// Reads what the host's resolver needs: after this no file is opened. `descriptors` is how many there may
  /// be.
  static Result<std::unique_ptr<Engine>> create(const EngineSetup& setup, std::uint64_t descriptors);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// The run's network stands. Borrowed.
  Result<void> begin(const RunSockets& sockets);
  /// Until `control` says so; then what is left has a second to end. Writes the end of the log.
  Result<void> run();

 private:
  class Listener;
  class Doorway;
  class Control;
  struct Ends {
    NetEnd client;
    NetEnd destination;
    // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
    friend auto operator<=>(const Ends&, const Ends&) = default;
  };

  explicit Engine(const EngineSetup& setup);
  Result<void> prepare();
  Result<void> share_descriptors(std::uint64_t descriptors);
  void accept(int listener, int most);
  void take(UniqueFd client, const Ends& ends);
  void answer_door(int socket);
  void hear(Knock knock);
  [[nodiscard]] ConnectionRecord record_of(const Ends& ends, const Destination& destination,
                                           const Decision& decision);
  bool has_room(const Decision& decision);
  std::unique_ptr<Connection> make_service_connection(const Decision& decision, ConnectionRecord& record);
  void deny(ConnectionRecord record);
  Connection& add(std::unique_ptr<Connection> connection);
  void clear_ended();
  void watch_memory();
  Result<void> turn(std::int64_t most_ns);
  Result<void> finish();

  EngineSetup setup_;
  std::unique_ptr<EventLoop> loop_;
  GateTotals totals_;
  GateLogWriter log_;
  std::unique_ptr<ExchangeWriter> exchanges_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<TlsContext> tls_;
  NameTable table_;
  NameClasses classes_;
  DnsResponder responder_;
  std::unique_ptr<EngineContext> context_;
  std::unique_ptr<NameService> names_;
  std::unique_ptr<UdpGate> udp_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::optional<Door> door_;
  std::vector<std::unique_ptr<Doorway>> doorways_;
  std::map<Ends, Relay*> waiting_;  ///< for their clients
  std::unique_ptr<Control> control_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t most_connections_ = 0;
  std::uint64_t turns_ = 0;  ///< of the loop
  std::int64_t memory_seen_ns_ = 0;
  std::int64_t flushed_ns_ = 0;
  bool finishing_ = false;
};

}  // namespace rehearse::gate
