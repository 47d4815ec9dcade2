#include "rehearsal/connection_owners.h"

#include <catch2/catch.hpp>

#include "bpf/events.h"

using namespace rehearse;

namespace {

constexpr IpAddress kThere = IpAddress::v4({192, 0, 2, 1});
constexpr std::uint64_t kSecond = 1'000'000'000;

gate::ConnectionRecord connection(std::uint16_t client_port, std::uint64_t at_s,
                                  gate::Protocol protocol = gate::Protocol::kTcp) {
  gate::ConnectionRecord record;
  record.protocol = protocol;
  record.address = kThere;
  record.port = 80;
  record.client_port = client_port;
  record.begun_ns = static_cast<std::int64_t>(at_s * kSecond);
  return record;
}

trace::NetworkAttempt attempt(std::uint32_t process, trace::Transport transport = trace::Transport::kTcp) {
  trace::NetworkAttempt made;
  made.transport = transport;
  made.address = kThere;
  made.port = 80;
  made.process = process;
  made.verdict = RH_GATE;
  return made;
}

trace::SocketSource source(std::uint32_t process, std::uint16_t port, std::uint64_t at_s,
                           trace::Transport transport = trace::Transport::kTcp) {
  return {transport, kThere, 80, port, process, at_s * kSecond};
}

}  // namespace

TEST_CASE("A connection is whose socket had its port") {
  const std::vector<gate::ConnectionRecord> connections = {connection(1000, 1), connection(1001, 1),
                                                           connection(1000, 100),
                                                           connection(1000, 1, gate::Protocol::kUdp)};
  const std::vector<trace::SocketSource> sources = {source(1, 1000, 1), source(2, 1001, 1),
                                                    source(2, 1000, 100),
                                                    source(3, 1000, 1, trace::Transport::kUdp)};
  const auto owners = find_owners(connections, {attempt(1), attempt(2), attempt(3, trace::Transport::kUdp)},
                                  SocketOwners(sources));
  CHECK(owners.at(&connections[0]) == 1);
  CHECK(owners.at(&connections[1]) == 2);
  CHECK(owners.at(&connections[2]) == 2);  // the port was used again
  CHECK(owners.at(&connections[3]) == 3);
}

TEST_CASE("A connection that the trace has not seen made is of one who tried and has none") {
  const std::vector<gate::ConnectionRecord> connections = {connection(1000, 1), connection(1001, 1),
                                                           connection(1002, 1)};
  const std::vector<trace::SocketSource> sources = {source(1, 1000, 1)};
  const auto owners = find_owners(connections, {attempt(1), attempt(2)}, SocketOwners(sources));
  CHECK(owners.at(&connections[0]) == 1);
  CHECK(owners.at(&connections[1]) == 2);
  CHECK(owners.at(&connections[2]) == 1);
  // A port of a process that never named this destination says nothing.
  const auto other = find_owners(connections, {attempt(2)}, SocketOwners(sources));
  CHECK(other.at(&connections[0]) == 2);
}

TEST_CASE("What nobody tried is nobody's") {
  const std::vector<gate::ConnectionRecord> connections = {connection(1000, 1)};
  const std::vector<trace::SocketSource> sources = {source(1, 1000, 1)};
  CHECK(find_owners(connections, {}, SocketOwners(sources)).empty());
}
