#include "rehearsal/listeners.h"

#include <utility>

#include "base/ip_address.h"
#include "gate/address.h"

namespace rehearse {

std::vector<report::ListenerRecord> describe_listeners(const trace::ListeningSockets& sockets,
                                                       std::uint64_t begun_ns) {
  std::vector<report::ListenerRecord> records;
  for (const trace::ListeningSocket& socket : sockets.list()) {
    report::ListenerRecord one;
    one.proto = socket.transport == trace::Transport::kTcp   ? "tcp"
                : socket.transport == trace::Transport::kUdp ? "udp"
                                                             : "other";
    one.address = format_ip(socket.address);
    one.port = socket.port;
    one.any_port = socket.any_port;
    one.outside = gate::classify(socket.address) != gate::AddressClass::kLoopback;
    one.process = socket.process;
    one.exe = socket.exe;
    one.time_ns = trace::between(begun_ns, socket.first_ns);
    one.count = socket.count;
    records.push_back(std::move(one));
  }
  return records;
}

}  // namespace rehearse
