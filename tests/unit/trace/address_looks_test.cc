#include "trace/address_looks.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "records.h"
#include "syscalls/table.h"

using namespace rehearse;
using namespace rehearse::trace;

namespace {

using syscalls::Nr;

constexpr std::uint32_t kThread = 7;
constexpr std::uint64_t kFd = 3;
constexpr std::uint64_t kForLooking = std::uint64_t{SOCK_DGRAM} | SOCK_CLOEXEC;

/// The calls of one thread, and what was noted.
struct Bench {
  RecordMaker maker;
  std::vector<NetworkAttempt> noted;
  AddressLooks looks{[this](NetworkAttempt attempt) { noted.push_back(std::move(attempt)); }};

  void call(std::uint32_t nr, std::vector<std::uint64_t> args, std::int64_t result = 0) {
    looks.add(maker.call(RH_ENTER, kThread, nr, args).done());
    looks.add(maker.call(RH_EXIT, kThread, nr, args, result).done());
  }
  void make(std::uint64_t family, std::uint64_t type = kForLooking, std::uint64_t protocol = 0) {
    call(Nr::socket, {family, type, protocol}, kFd);
  }
  void connect(std::string_view to, std::uint16_t port = 443) {
    NetworkAttempt attempt;
    attempt.transport = Transport::kUdp;
    attempt.address = parse_ip(to).value();
    attempt.port = port;
    looks.add(maker.call(RH_ENTER, kThread, Nr::connect, {kFd}).done());
    if (!looks.take(kThread, attempt.address, port, &attempt)) noted.push_back(attempt);
    looks.add(maker.call(RH_EXIT, kThread, Nr::connect, {kFd}, -111).done());
  }
  [[nodiscard]] std::size_t looked() const {
    std::size_t count = 0;
    for (const NetworkAttempt& attempt : noted) count += attempt.looks ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_CASE("A library that looks which address is nearest") {
  Bench bench;
  bench.make(AF_INET6);
  bench.connect("2001:db8::1");
  bench.call(Nr::close, {kFd});
  bench.make(AF_INET);
  bench.connect("192.0.2.1");
  bench.call(Nr::connect, {kFd});  // to nothing: AF_UNSPEC
  bench.connect("192.0.2.2");
  bench.call(Nr::close, {kFd});
  CHECK(bench.noted.empty());
  bench.make(AF_INET, SOCK_STREAM);
  CHECK((bench.noted.size() == 3 && bench.looked() == 3));
}

TEST_CASE("One address alone, two ports, a socket for each address, and what is used are no looks") {
  Bench bench;
  SECTION("one address") {
    bench.make(AF_INET);
    bench.connect("192.0.2.1");
  }
  SECTION("two ports") {
    bench.make(AF_INET);
    bench.connect("192.0.2.1", 1);
    bench.connect("192.0.2.2", 2);
  }
  SECTION("a socket for each") {
    bench.make(AF_INET);
    bench.connect("192.0.2.1");
    bench.call(Nr::close, {kFd});
    bench.make(AF_INET);
    bench.connect("192.0.2.2");
  }
  SECTION("something is sent") {
    bench.make(AF_INET);
    bench.connect("192.0.2.1");
    bench.call(Nr::write, {kFd}, 5);
    bench.connect("192.0.2.2");
  }
  SECTION("the socket is kept") {
    bench.make(AF_INET);
    bench.connect("192.0.2.1");
    bench.connect("192.0.2.2");
    bench.call(Nr::write, {kFd}, 5);
  }
  SECTION("with another protocol") {
    bench.make(AF_INET, kForLooking, IPPROTO_UDP);
    bench.connect("192.0.2.1");
    bench.connect("192.0.2.2");
    bench.call(Nr::close, {kFd});
  }
  bench.looks.finish();
  CHECK(!bench.noted.empty());
  CHECK(bench.looked() == 0);
}
