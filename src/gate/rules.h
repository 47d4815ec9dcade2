// What an operator lets through, mocks or denies, and the decision about one attempt. Values and one pure
// function: no descriptors, no clocks.
//
// The order of a decision:
//   1. an explicit deny; 2. a mock; 3. a pass; 4. the default: deny, ECONNREFUSED.
// Inside a class the most specific rule wins: an exact name, the longer `*.suffix`, host-loopback, the longer
// address block, `*`; among equals the one with fewer ports, then the one written first.
//
// Names are those that the gate's own resolver answered the address for, never what a client claims (SNI,
// Host): a rule by name cannot be reached by an address that the name did not resolve to. Before a pass by
// name connects, every address that the host's resolver gives has to pass `allowed_resolution`.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip_address.h"
#include "gate/address.h"
#include "gate/mock.h"

namespace rehearse::gate {

enum class Protocol : std::uint8_t { kTcp, kUdp };

/// `*`: whatever is asked for.
struct AnyHost {
  friend bool operator==(const AnyHost&, const AnyHost&) = default;
};
/// `deb.example.org`, or with `suffix` `*.example.org`: the names below it, not it itself.
struct NameTarget {
  std::string name;  ///< lower case, no dot at the end
  bool suffix = false;
  friend bool operator==(const NameTarget&, const NameTarget&) = default;
};
/// The loopback of the host, asked for inside as 127.0.0.0/8 or ::1.
struct HostLoopback {
  friend bool operator==(const HostLoopback&, const HostLoopback&) = default;
};
using Target = std::variant<AnyHost, NameTarget, IpBlock, HostLoopback>;

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 65535;
  [[nodiscard]] bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  friend bool operator==(const PortRange&, const PortRange&) = default;
};

struct Endpoint {
  Protocol protocol = Protocol::kTcp;
  Target target;
  PortRange ports;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Absent: unlimited.
struct PassLimits {
  std::optional<std::uint64_t> bytes;             ///< both ways, all connections of the rule together
  std::optional<std::uint64_t> bytes_per_second;  ///< both ways, all connections of the rule together
  std::optional<std::int64_t> time_ns;            ///< how long one connection may last
  friend bool operator==(const PassLimits&, const PassLimits&) = default;
};

enum class Record : std::uint8_t { kNo, kYes };

struct PassRule {
  Endpoint to;
  PassLimits limits;
  Record record = Record::kNo;  ///< keep what is exchanged (exchange.h)
  friend bool operator==(const PassRule&, const PassRule&) = default;
};

/// How a denied attempt ends.
struct Refusal {
  static constexpr int kDrop = 0;
  /// ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EHOSTUNREACH or EPERM; kDrop: nothing answers and a connect hangs
  /// until its own timeout.
  int error = ECONNREFUSED;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

struct DenyRule {
  Endpoint to;
  Refusal how;
  friend bool operator==(const DenyRule&, const DenyRule&) = default;
};

/// A service that the gate plays where `listen` is asked for.
struct Mock {
  Endpoint listen;   ///< of UDP if the service is a DatagramMock, else of TCP; no host-loopback
  bool tls = false;  ///< the bytes of the service are within TLS
  MockService service;
  std::string place;  ///< "FILE:LINE" of its table, for reports
};

struct Rules {
  std::vector<DenyRule> deny;
  std::vector<Mock> mock;
  std::vector<PassRule> pass;
  Refusal otherwise;  ///< what no rule speaks of
};

/// One attempt, as the socket hooks saw it.
struct Destination {
  Protocol protocol = Protocol::kTcp;
  IpAddress address;
  std::uint16_t port = 0;
  /// What the gate's resolver answered `address` for, lower case, the latest first. More than one where
  /// mocked records share it: a rule for any of them is for the attempt.
  std::vector<std::string> names;
  /// The gate made `address` up to stand for `name`: rules by address do not speak of it.
  bool synthetic = false;

  /// What it is called in reports; empty: nothing but its address.
  [[nodiscard]] std::string name() const { return names.empty() ? "" : names.front(); }
};

enum class Action : std::uint8_t { kDeny, kMock, kPass };

/// At most one of the pointers is set: the rule that decided, which lies within the Rules. None: the default.
struct Decision {
  Action action = Action::kDeny;
  Refusal refusal;  ///< for kDeny
  const DenyRule* deny = nullptr;
  const Mock* mock = nullptr;
  const PassRule* pass = nullptr;
  /// A rule would have passed it, but did not name an address of this kind (`names_range`).
  std::optional<AddressClass> unnamed_range;
};

/// The pointers in the answer are valid as long as `rules`.
Decision decide(const Rules& rules, const Destination& destination);

/// The rule that denies an address that a name was resolved to; nullptr if there is none.
const DenyRule* denial_of(const Rules& rules, Protocol protocol, const IpAddress& resolved,
                          std::uint16_t port);

/// May the gate connect to `resolved`, an address that the host's resolver gave for the name which `rule`
/// passes, on that port? No if a deny rule speaks of the address, and, against rebinding, if it is not public
/// and no pass rule by address (or host-loopback) names it for that protocol and port.
bool allowed_resolution(const Rules& rules, const PassRule& rule, const IpAddress& resolved,
                        std::uint16_t port);

/// True if the block names addresses of one class only: 10.0.0.0/8 names the private address 10.0.0.5,
/// 0.0.0.0/0 does not.
bool names_range(const IpBlock& block, AddressClass kind);

/// `a` wins over `b` where both fit, both being denials, mocks or passes.
bool is_narrower(const Endpoint& a, const Endpoint& b);

/// The name is `target`'s, or below it.
bool matches_name(const NameTarget& target, std::string_view name);

}  // namespace rehearse::gate
