#include "rehearsal/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/ip_address.h"
#include "gate/address.h"
#include "rehearsal/some.h"

namespace rehearse {

std::vector<report::ListenerRecord> describe_listeners(const trace::ListeningSockets& sockets,
                                                       const host::Listeners* host, std::uint64_t begun_ns) {
  std::vector<report::ListenerRecord> records;
  for (const trace::ListeningSocket& socket : sockets.list()) {
    report::ListenerRecord one;
    one.proto = socket.transport == trace::Transport::kTcp   ? "tcp"
                : socket.transport == trace::Transport::kUdp ? "udp"
                                                             : "other";
    one.address = format_ip(socket.address);
    one.port = socket.port;
    one.any_port = socket.any_port;
    const gate::AddressClass kind = gate::classify(socket.address);
    one.outside = kind != gate::AddressClass::kLoopback;
    const bool one_address =
        one.outside && kind != gate::AddressClass::kUnspecified && kind != gate::AddressClass::kMulticast;
    one.foreign = one_address && host != nullptr && !host->is_own(socket.address);
    const bool tcp = socket.transport == trace::Transport::kTcp;
    if (host != nullptr && !socket.any_port && socket.transport != trace::Transport::kOtherInternet) {
      if (const auto taken = host->in_the_way(tcp, socket.address, socket.port)) {
        one.taken_by = host::to_string(*taken);
        one.taken_by_unit = taken->unit;
      }
    }
    one.process = socket.process;
    one.exe = socket.exe;
    one.time_ns = trace::between(begun_ns, socket.first_ns);
    one.count = socket.count;
    records.push_back(std::move(one));
  }
  return records;
}

void listener_gaps(report::RunRecord& record) {
  const auto is_stopped = [&](const std::string& unit) {
    return !unit.empty() && std::ranges::any_of(record.units, [&](const report::UnitRecord& asked) {
      return asked.changes() &&
             (asked.unit == unit || std::ranges::find(asked.also, "stop " + unit) != asked.also.end());
    });
  };
  std::set<std::string> foreign;
  std::set<std::string> taken;
  for (const report::ListenerRecord& one : record.listeners) {
    const bool six = one.address.find(':') != std::string::npos;
    const std::string end =
        fmt::format("{} {}{}{}:{}", one.proto, six ? "[" : "", one.address, six ? "]" : "", one.port);
    if (one.foreign) foreign.insert(end);
    if (!one.taken_by.empty() && !is_stopped(one.taken_by_unit)) taken.insert(end + " by " + one.taken_by);
  }
  if (!foreign.empty())
    record.gaps.push_back({"listening where no interface of this host is: " + some(foreign),
                           "inside every address can be bound; on the host that fails with EADDRNOTAVAIL",
                           verdict::Level::kYellow});
  if (!taken.empty())
    record.gaps.push_back({"ports that are taken on this host: " + some(taken),
                           "inside they were free; on the host binding them fails with EADDRINUSE",
                           verdict::Level::kYellow});
}

void bind_gaps(const std::set<IpAddress>& bound_to, const std::set<IpAddress>& own, bool mirrored,
               report::RunRecord& record) {
  std::set<std::string> foreign;
  std::set<std::string> missing;
  for (const IpAddress& address : bound_to) {
    const gate::AddressClass kind = gate::classify(address);
    if (kind == gate::AddressClass::kLoopback || kind == gate::AddressClass::kUnspecified ||
        kind == gate::AddressClass::kMulticast)
      continue;
    const bool is_own = own.contains(address);
    const std::string text = format_ip(address);
    const bool told = std::ranges::any_of(record.listeners, [&](const report::ListenerRecord& one) {
      return one.foreign && one.address == text;
    });
    // IPv6 has to have the address; of IPv4 every one is the run's.
    if (!is_own && address.is_v4() && !told) foreign.insert(text);
    if (is_own && !address.is_v4() && !mirrored) missing.insert(text);
  }
  if (!foreign.empty())
    record.gaps.push_back({"bound to an address that no interface of this host has: " + some(foreign),
                           "inside every address can be bound; on the host that fails with EADDRNOTAVAIL",
                           verdict::Level::kYellow});
  if (!missing.empty())
    record.gaps.push_back(
        {"to be bound to an address of this host: " + some(missing),
         "inside it is not there, and that fails with EADDRNOTAVAIL; --network-mirror has it",
         verdict::Level::kYellow});
}

}  // namespace rehearse
