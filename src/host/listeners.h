// Who on this host listens on an address or a local socket: what an attempt inside would have reached.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/result.h"

namespace rehearse::host {

struct Listener {
  std::uint32_t pid = 0;
  std::string comm;
  std::string unit;  ///< of the service manager; empty if it is none's
};

/// "postgres (pid 812, postgresql.service)".
std::string to_string(const Listener& listener);

/// Inodes by port and the address that the socket is bound to; all zeros and 0.0.0.0: every one of its
/// family.
using InternetSockets = std::map<std::pair<std::uint16_t, IpAddress>, std::uint64_t>;

/// Of all interfaces of the calling thread's network namespace; none if they cannot be read.
std::set<IpAddress> own_addresses();

/// The listening sockets of the network namespace of the caller. Source: proc(5), /proc/net/{tcp,udp,unix}.
class Listeners {
 public:
  /// Reads the tables and looks through the descriptors of all processes: some milliseconds.
  static Result<Listeners> read();

  /// Who would get what is sent to an address of this host: a socket bound to it, or to every address of its
  /// family. One of every IPv6 address is taken to be one for IPv4 too, which is what bindv6only says unless
  /// it was changed.
  [[nodiscard]] std::optional<Listener> tcp(const IpAddress& address, std::uint16_t port) const {
    return find(tcp_, address, port);
  }
  [[nodiscard]] std::optional<Listener> udp(const IpAddress& address, std::uint16_t port) const {
    return find(udp_, address, port);
  }
  /// Who has what another socket would be bound to, or a part of it: there that fails (EADDRINUSE), unless
  /// both have SO_REUSEPORT.
  [[nodiscard]] std::optional<Listener> in_the_way(bool tcp, const IpAddress& address,
                                                   std::uint16_t port) const;
  /// An address of one of this host's interfaces.
  [[nodiscard]] bool is_own(const IpAddress& address) const { return own_.contains(address); }
  /// By its path, or "@name".
  [[nodiscard]] std::optional<Listener> local(const std::string& path) const { return find(unix_, path); }

  /// What process `pid` is known to listen on: "tcp 80", "udp 53", "unix /run/x", raw.
  [[nodiscard]] std::vector<std::string> of(std::uint32_t pid) const;

 private:
  template <class Key>
  std::optional<Listener> find(const std::map<Key, std::uint64_t>& sockets, const Key& key) const {
    const auto inode = sockets.find(key);
    if (inode == sockets.end()) return std::nullopt;
    const auto owner = owners_.find(inode->second);
    return owner == owners_.end() ? Listener{} : owner->second;
  }

  [[nodiscard]] std::optional<Listener> find(const InternetSockets& sockets, const IpAddress& address,
                                             std::uint16_t port) const;

  InternetSockets tcp_;
  InternetSockets udp_;
  std::set<IpAddress> own_;
  std::map<std::string, std::uint64_t> unix_;
  std::map<std::uint64_t, Listener> owners_;  ///< by inode
};

/// The pure part: rows of /proc/net/tcp (or tcp6, udp, udp6), with `listening` those in the state LISTEN.
/// Malformed lines are passed over.
InternetSockets parse_internet_sockets(const std::string& text, bool listening);
/// Rows of /proc/net/unix that accept connections or datagrams: path and inode.
std::map<std::string, std::uint64_t> parse_unix_sockets(const std::string& text);

}  // namespace rehearse::host
