// One thing that the action tried to reach.
#pragma once

#include <cstdint>
#include <string>

#include "base/ip_address.h"
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

/// Of a socket's protocol, of which the records have the low byte: that of MPTCP is TCP's.
Transport transport_of(std::uint8_t protocol);

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
  bool looks = false;         ///< kUdp: which of a name's addresses is nearest was all that was to be seen
  bool used = false;          ///< kUdp: by a socket that has the address something was sent; not told apart
  std::uint8_t verdict = 0;   ///< rh_verdict
  std::uint16_t rule = 0;     ///< of the gate, from 1; 0: the default
  int error = 0;              ///< what the caller got; 0: it got through, or nothing answered
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0;  ///< CLOCK_MONOTONIC
};

/// socket(2) for ICMP's echo, of a caller whose groups may not have one (icmp(7), ping_group_range): the
/// host's setting is the run's, and it says the same there.
bool is_refused_echo_socket(const Record& record);

}  // namespace rehearse::trace
