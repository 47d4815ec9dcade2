// Who on this host listens on an address or a local socket: what an attempt inside would have reached.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace rehearse::host {

struct Listener {
  std::uint32_t pid = 0;
  std::string comm;
  std::string unit;  ///< of the service manager; empty if it is none's
};

/// The listening sockets of the network namespace of the caller. Source: proc(5), /proc/net/{tcp,udp,unix}.
class Listeners {
 public:
  /// Reads the tables and looks through the descriptors of all processes: some milliseconds.
  static Result<Listeners> read();

  /// On the loopback addresses.
  [[nodiscard]] std::optional<Listener> tcp(std::uint16_t port) const { return find(tcp_, port); }
  [[nodiscard]] std::optional<Listener> udp(std::uint16_t port) const { return find(udp_, port); }
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

  std::map<std::uint16_t, std::uint64_t> tcp_;  ///< inodes
  std::map<std::uint16_t, std::uint64_t> udp_;
  std::map<std::string, std::uint64_t> unix_;
  std::map<std::uint64_t, Listener> owners_;  ///< by inode
};

/// The pure part: rows of /proc/net/tcp (or tcp6, udp, udp6) that are bound to loopback or every address and,
/// with `listening`, in the state LISTEN: port and inode. Malformed lines are passed over.
std::map<std::uint16_t, std::uint64_t> parse_internet_sockets(const std::string& text, bool listening);
/// Rows of /proc/net/unix that accept connections or datagrams: path and inode.
std::map<std::string, std::uint64_t> parse_unix_sockets(const std::string& text);

}  // namespace rehearse::host
