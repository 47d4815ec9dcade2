// Where the action tried to send something: every address that one of its sockets was given, as the kernel's
// hooks saw it, and what became of it.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

enum class Transport : std::uint8_t {
  kTcp,
  kUdp,
  kIcmp,
  kOtherInternet,  ///< of another protocol
  kUnix,           ///< a local socket by its path or abstract name
  kFamily,         ///< a kind of socket that there is not inside
};

/// What a rule was asked about and said. One for each that differs in any of the first fields.
struct NetworkAttempt {
  Transport transport = Transport::kTcp;
  IpAddress address;
  std::uint16_t port = 0;
  std::string path;           ///< kUnix: "@name" is abstract; kFamily: what was asked for
  std::string place;          ///< kUnix, of a path: the host's for it, "" if that is not known
  bool own = false;           ///< kUnix: the action has made the socket there
  std::uint32_t process = 0;  ///< id
  std::string exe;            ///< that it executed then
  bool sends = false;         ///< a datagram was to be sent; else a socket was given an address
  std::uint8_t verdict = 0;   ///< rh_verdict
  std::uint16_t rule = 0;     ///< of the gate, from 1; 0: the default
  int error = 0;              ///< what the caller got; 0: it got through, or nothing answered
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0;  ///< CLOCK_MONOTONIC
};

/// A socket of the action that the gate may know by its port: whose it is.
struct SocketSource {
  Transport transport = Transport::kTcp;
  IpAddress address;  ///< to which it was connected, or sent
  std::uint16_t port = 0;
  std::uint16_t source = 0;   ///< its own port
  std::uint32_t process = 0;  ///< id
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
};

class NetworkAttempts {
 public:
  /// The host's path of what a thread names by a path at this moment; what is not absolute is not known.
  using Place = std::function<std::string(std::uint32_t, const std::string&)>;
  explicit NetworkAttempts(Place place) : place_(std::move(place)) {}

  /// `tree` has taken the record already.
  void add(const Record& record, const ProcessTree& tree);

  /// In the order in which they were first made. Traffic to what the action itself listens on is none.
  [[nodiscard]] const std::vector<NetworkAttempt>& list() const { return list_; }
  /// In the order of their times; of a run with very many not all.
  [[nodiscard]] const std::vector<SocketSource>& sources() const { return sources_; }
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }

 private:
  void judged(const Record& record, const struct rh_socket& socket, const Process& process);
  void named(const Record& record, const struct rh_unix& socket);
  void connected(const Record& record, const Process& process);
  void local(const Record& record, const Process& process);
  void bound(const Record& record);
  void by_hand(const Record& record, const Process& process);
  void made(const Record& record, const Process& process);
  void refused_family(const Record& record, const Process& process);
  void note(NetworkAttempt attempt);
  void note(const SocketSource& source);

  using Key = std::tuple<Transport, IpAddress, std::uint16_t, std::string, std::string, bool, std::uint32_t,
                         std::string, bool, std::uint8_t, std::uint16_t, int>;
  Place place_;
  std::vector<NetworkAttempt> list_;
  std::vector<SocketSource> sources_;
  std::map<Key, std::size_t> known_;
  std::unordered_map<std::uint32_t, std::string> asked_;  ///< by thread: the local socket its call names
  std::unordered_set<std::string> bound_;  ///< places of local sockets that the action has made
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint8_t> raw_;  ///< by process, descriptor: protocol
  std::uint64_t unlisted_ = 0;
};

/// "/run/docker.sock", "@name" for an abstract one, "" for none: of a struct sockaddr_un (unix(7)).
std::string unix_path(std::string_view sockaddr);

}  // namespace rehearse::trace
