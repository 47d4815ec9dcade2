// Where the action tried to send something: every address that one of its sockets was given, as the kernel's
// hooks saw it, and what became of it.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "trace/address_looks.h"
#include "trace/event_stream.h"
#include "trace/network_attempt.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

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
  /// Whether it is one of the run's own addresses, besides loopback: what goes there stays inside.
  using Own = std::function<bool(const IpAddress&)>;
  NetworkAttempts(Place place, Own own)
      : place_(std::move(place)),
        own_(std::move(own)),
        looks_([this](NetworkAttempt attempt) { note(std::move(attempt)); }) {}
  NetworkAttempts(const NetworkAttempts&) = delete;
  NetworkAttempts& operator=(const NetworkAttempts&) = delete;

  /// `tree` has taken the record already.
  void add(const Record& record, const ProcessTree& tree);
  /// What the record has made known, if it is an event of the action.
  void add(const TraceEvent& event, const EventStream& stream);
  /// No more records come.
  void finish();

  /// In the order in which they were first made. Traffic to what the action itself listens on is none.
  [[nodiscard]] const std::vector<NetworkAttempt>& list() const { return list_; }
  /// In the order of their times; of a run with very many not all.
  [[nodiscard]] const std::vector<SocketSource>& sources() const { return sources_; }
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }

 private:
  [[nodiscard]] bool is_inside(const IpAddress& address) const;
  void judged(const Record& record, const struct rh_socket& socket, const Process& process);
  void named(const Record& record, const struct rh_unix& socket);
  void connected(const Record& record, const Process& process);
  void local(const Record& record, const Process& process);
  void bound(const Record& record);
  void unjudged(const TraceEvent& event, const FdInfo* socket);
  void made(const Record& record, const Process& process);
  void refused_family(const Record& record, const Process& process);
  void note(NetworkAttempt attempt);
  void note(const SocketSource& source);

  using Key = std::tuple<Transport, IpAddress, std::uint16_t, std::string, std::string, bool, std::uint32_t,
                         std::string, bool, bool, std::uint8_t, std::uint16_t, int>;
  Place place_;
  Own own_;
  AddressLooks looks_;
  std::vector<NetworkAttempt> list_;
  std::vector<SocketSource> sources_;
  std::map<Key, std::size_t> known_;
  std::unordered_map<std::uint32_t, std::string> asked_;  ///< by thread: the local socket its call names
  std::unordered_set<std::string> bound_;               ///< places of local sockets that the action has made
  std::set<std::pair<IpAddress, std::uint16_t>> used_;  ///< by connected datagram sockets
  std::unordered_set<std::uint32_t> pings_;             ///< processes with a socket for ICMP
  std::uint64_t unlisted_ = 0;
};

/// "/run/docker.sock", "@name" for an abstract one, "" for none: of a struct sockaddr_un (unix(7)).
std::string unix_path(std::string_view sockaddr);

}  // namespace rehearse::trace
