// Where the action waited for others to reach it: stream sockets that it had listen(2), datagram sockets to
// which it gave a port. As the kernel has them, not as the calls named them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "trace/network_attempt.h"
#include "trace/process_tree.h"
#include "trace/record.h"

namespace rehearse::trace {

struct ListeningSocket {
  Transport transport = Transport::kTcp;
  IpAddress address;
  std::uint16_t port = 0;
  bool any_port = false;      ///< the kernel chose it: another one each time
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

 private:
  void returned(const Record& record, const Process& process);
  void note(ListeningSocket socket);

  using Key = std::tuple<Transport, IpAddress, std::uint16_t, bool, std::uint32_t, std::string>;
  std::vector<ListeningSocket> list_;
  std::map<Key, std::size_t> known_;
  std::unordered_map<std::uint32_t, std::uint16_t> asked_;  ///< by thread: the port that its bind(2) names
  /// Ports that were asked for, so that one that nobody asked for is known when listen(2) comes.
  std::set<std::pair<Transport, std::uint16_t>> bound_;
  std::uint64_t unlisted_ = 0;
};

}  // namespace rehearse::trace
