// Where the action waited for others to reach it: stream sockets that began to listen, datagram sockets that
// were given a port. As the kernel's hooks saw the sockets themselves: what a descriptor stands for when a
// call returns may be something else by then.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"
#include "trace/network_attempt.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

struct ListeningSocket {
  Transport transport = Transport::kTcp;
  IpAddress address;
  std::uint16_t port = 0;     ///< 0: one that is not known
  bool any_port = false;      ///< the kernel chose it: another one each time; of several the first
  std::uint32_t process = 0;  ///< id
  std::string exe;            ///< that it executed then
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0;  ///< CLOCK_MONOTONIC
};

class ListeningSockets {
 public:
  /// `tree` has taken the record already.
  void add(const Record& record, const ProcessTree& tree);

  /// One for each that differs in anything but time, in the order in which they were first there.
  [[nodiscard]] const std::vector<ListeningSocket>& list() const { return list_; }
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }
  /// The first addresses that sockets of any kind were to be bound to, whether they were or not.
  [[nodiscard]] const std::set<IpAddress>& bound_to() const { return bound_to_; }

 private:
  void note_address(const IpAddress& address);
  void bound(const Record& record, const struct rh_socket& socket, const Process& process);
  void listens(const Record& record, const struct rh_socket& socket, const Process& process);
  void returned(const Record& record);
  void note(ListeningSocket socket);

  using Key = std::tuple<Transport, IpAddress, std::uint16_t, bool, std::uint32_t, std::string>;
  std::vector<ListeningSocket> list_;
  std::map<Key, std::size_t> known_;
  std::unordered_map<std::uint32_t, std::uint16_t> asked_;  ///< by thread: the port that its bind(2) names
  /// By thread: what begins to listen, until the call has returned.
  std::unordered_map<std::uint32_t, ListeningSocket> begun_;
  std::set<IpAddress> bound_to_;
  std::bitset<65536> ports_;  ///< of stream sockets, that were asked for
  bool chooses_ = false;      ///< IP_LOCAL_PORT_RANGE was set: who asks for no port may mean one
  std::uint64_t unlisted_ = 0;
};

}  // namespace rehearse::trace
