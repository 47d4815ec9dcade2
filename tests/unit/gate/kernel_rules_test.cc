// The kernel's list of rules and decide() say the same: the hooks' own walk (bpf/gate_rules.h), compiled for
// this process, over random rules and destinations.
#include "gate/kernel_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>

#include "gate/address.h"
#include "gate/name_classes.h"
#include "gate/name_table.h"
#include "gate/rule_text.h"

namespace {

// What the header has in the kernel.
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using bool_t = int;
struct question;
u32 bpf_htonl(u32 value) {
  return htonl(value);
}
u32 bpf_ntohl(u32 value) {
  return ntohl(value);
}
void bpf_loop(u32 count, long (*step)(u32, struct question*), struct question* context, u64 /*flags*/) {
  for (u32 i = 0; i < count && step(i, context) == 0; ++i) {
  }
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#ifndef __always_inline
#define __always_inline inline
#endif
#include "bpf/gate_rules.h"
#pragma GCC diagnostic pop

using namespace rehearse;
using namespace rehearse::gate;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(engine_);
  }
  template <class Value, std::size_t kCount>
  const Value& one_of(const Value (&values)[kCount]) {
    return values[below(kCount)];
  }

 private:
  std::mt19937 engine_;
};

constexpr const char* kNames[] = {"example.com",   "a.example.com", "b.a.example.com",   "example.org",
                                  "x.example.org", "other.test",    "deep.x.example.org"};
constexpr const char* kAddresses[] = {"93.184.216.34",
                                      "10.0.0.5",
                                      "10.1.2.3",
                                      "192.168.1.1",
                                      "169.254.169.254",
                                      "169.254.1.1",
                                      "100.100.100.200",
                                      "127.0.0.1",
                                      "127.9.9.9",
                                      "0.0.0.0",
                                      "224.0.0.1",
                                      "255.255.255.255",
                                      "198.51.100.1",
                                      "2606:4700::1",
                                      "::1",
                                      "::",
                                      "fe80::1",
                                      "fd00:ec2::254",
                                      "fd12::1",
                                      "64:ff9b::a00:5",
                                      "2002:a00:5::1",
                                      "::a00:5",
                                      "2001:db8::1",
                                      "198.18.3.0",
                                      "2001:2:0:1::5",
                                      "2001:2::1",
                                      "2001:2::c612:100"};
constexpr const char* kBlocks[] = {
    "10.0.0.0/8",     "10.0.0.0/24",    "169.254.169.254/31", "169.254.0.0/16",   "0.0.0.0/0",
    "0.0.0.0/1",      "[::]/0",         "[fd00::]/8",         "[fd00:ec2::]/32",  "93.184.216.34",
    "192.168.0.0/16", "[64:ff9b::]/96", "224.0.0.0/4",        "[2606:4700::]/32", "100.64.0.0/10"};
constexpr const char* kPorts[] = {"80", "443", "1-1000", "*", "53", "400-500"};
constexpr std::uint16_t kTried[] = {80, 443, 53, 450, 8080, 0, 65535};

std::string random_endpoint(Random& random, bool listens) {
  const std::string port = std::string(":") + random.one_of(kPorts);
  const std::string protocol = listens || random.below(3) > 0 ? "tcp:" : "udp:";
  switch (random.below(listens ? 4 : 5)) {
    case 0:
      return protocol + random.one_of(kNames) + port;
    case 1:
      return protocol + "*." + random.one_of(kNames) + port;
    case 2:
      return protocol + random.one_of(kBlocks) + port;
    case 3:
      return protocol + "*" + port;
    default:
      return protocol + "host-loopback" + port;
  }
}

Rules random_rules(Random& random) {
  Rules rules;
  for (std::size_t i = random.below(4); i > 0; --i) {
    auto rule = parse_deny(random_endpoint(random, false) + "=EPERM");
    if (rule) rules.deny.push_back(*rule);
  }
  for (std::size_t i = random.below(4); i > 0; --i) {
    auto endpoint = parse_listen(random_endpoint(random, true));
    if (endpoint) rules.mock.push_back({*endpoint, false, ScriptMock{}, "mock"});
  }
  for (std::size_t i = random.below(6); i > 0; --i) {
    auto rule = parse_pass(random_endpoint(random, false));
    if (rule) rules.pass.push_back(*rule);
  }
  if (random.below(2) == 0) rules.otherwise.error = Refusal::kDrop;
  return rules;
}

/// As judge() in bpf/gate.bpf.c walks: 0 if no rule decides.
u32 ask_kernel(struct rh_gate& gate, const Destination& destination) {
  struct question asked = {};
  std::memcpy(asked.address, destination.address.bytes.data(), 16);
  asked.port = destination.port;
  asked.protocol = destination.protocol == Protocol::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
  asked.gate = &gate;
  find_name(&asked);
  find_kind(&asked);
  bpf_loop(RH_RULES, try_rule, &asked, 0);
  CHECK((asked.synthetic != 0) == destination.synthetic);
  return asked.rule;
}

void compare(const Rules& rules, const KernelRules& kernel, struct rh_gate& gate,
             const Destination& destination) {
  const Decision wanted = decide(rules, destination);
  const u32 rule = ask_kernel(gate, destination);
  CAPTURE(format_ip(destination.address), destination.port, destination.name());
  if (rule == 0) {
    CHECK((wanted.deny == nullptr && wanted.mock == nullptr && wanted.pass == nullptr));
    CHECK(kernel.error == wanted.refusal.error);
    CHECK((kernel.verdict == RH_DROP) == (wanted.refusal.error == Refusal::kDrop));
    return;
  }
  const Decision& got = kernel.decisions.at(rule - 1);
  CHECK(got.deny == wanted.deny);
  CHECK(got.mock == wanted.mock);
  CHECK(got.pass == wanted.pass);
  const struct rh_rule& entry = kernel.rules.at(rule - 1);
  CHECK((entry.verdict == RH_GATE) == (wanted.action != Action::kDeny));
}

}  // namespace

TEST_CASE("The kernel's rules decide as decide() does") {
  const auto gate = std::make_unique<struct rh_gate>();
  for (unsigned seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Rules rules = random_rules(random);
    const auto kernel = flatten(rules);
    REQUIRE(kernel);
    *gate = {};
    switch_on(*kernel, *gate);
    CHECK(gate->on == 1);
    NameTable names;
    NameClasses classes(*gate, kernel->names);
    for (int i = 0; i < 60; ++i) {
      Destination destination;
      destination.protocol = random.below(2) == 0 ? Protocol::kTcp : Protocol::kUdp;
      destination.port = random.one_of(kTried);
      if (random.below(2) == 0) {
        const std::string name = random.one_of(kNames);
        const auto addresses = names.assign(DnsName::parse(name).value());
        destination.address = random.below(2) == 0 ? addresses->v4 : addresses->v6;
        classes.enter(name, destination.address);
        destination.names = {name};
        destination.synthetic = true;
      } else {
        destination.address = parse_ip(random.one_of(kAddresses)).value();
        destination.synthetic = is_synthetic(destination.address);
        if (!destination.synthetic && random.below(3) == 0)
          classes.enter(random.one_of(kNames), destination.address);  // as a mocked record does
        destination.names = classes.names_of(destination.address);
      }
      compare(rules, *kernel, *gate, destination);
    }
  }
}

TEST_CASE("More rules than the kernel takes are an error before the run") {
  Rules rules;
  for (unsigned i = 0; i < RH_RULES; ++i)
    rules.pass.push_back(parse_pass(fmt::format("tcp:10.0.0.1:{}", i + 1)).value());
  CHECK(flatten(rules));
  rules.deny.push_back(parse_deny("tcp:10.0.0.2:1").value());
  REQUIRE_FALSE(flatten(rules));
  CHECK(flatten(rules).error().what.find("more than 128 rules") != std::string::npos);
  CHECK_FALSE(flatten(rules).error().fix.empty());

  Rules named;
  for (unsigned i = 0; i < RH_NAME_RULES; ++i)
    named.pass.push_back(parse_pass(fmt::format("tcp:n{}.example.com:1", i)).value());
  named.pass.push_back(parse_pass("tcp:n0.example.com:2").value());  // shares its name's bit
  CHECK(flatten(named));
  named.pass.push_back(parse_pass("tcp:another.example.com:1").value());
  REQUIRE_FALSE(flatten(named));
  CHECK(flatten(named).error().what.find("64 different names") != std::string::npos);
}

TEST_CASE("Names of all kinds find room in the classes") {
  Rules rules;
  std::string suffix = "s";
  for (unsigned i = 0; i < RH_NAME_RULES / 2; ++i) {
    rules.pass.push_back(parse_pass(fmt::format("tcp:e{}.{}:1", i, suffix)).value());
    rules.pass.push_back(parse_pass(fmt::format("tcp:*.{}:1", suffix)).value());
    suffix = "s." + suffix;
  }
  const auto kernel = flatten(rules);
  REQUIRE(kernel);
  const auto gate = std::make_unique<struct rh_gate>();
  switch_on(*kernel, *gate);
  NameTable names;
  NameClasses classes(*gate, kernel->names);
  suffix = "s";
  for (unsigned i = 0; i < RH_NAME_RULES / 2; ++i) {
    for (const std::string& name : {fmt::format("e{}.{}", i, suffix), fmt::format("other.{}", suffix)}) {
      const auto addresses = names.assign(DnsName::parse(name).value());
      classes.enter(name, addresses->v4);
      compare(rules, *kernel, *gate, {Protocol::kTcp, addresses->v6, 1, {name}, true});
    }
    suffix = "s." + suffix;
  }
}

TEST_CASE("An address of the host is the run's own, as loopback is") {
  const auto gate = std::make_unique<struct rh_gate>();
  const auto is_own = [&](const char* text) {
    struct question asked = {};
    const auto address = parse_ip(text);
    REQUIRE(address);
    std::memcpy(asked.address, address->bytes.data(), 16);
    asked.gate = gate.get();
    return is_here(&asked) != 0;
  };
  CHECK(is_own("127.0.0.1"));
  CHECK(is_own("::"));
  CHECK_FALSE(is_own("192.0.2.2"));
  CHECK(own_addresses({*parse_ip("10.0.0.1"), *parse_ip("192.0.2.2"), *parse_ip("fe80::1")}, *gate));
  CHECK(is_own("192.0.2.2"));
  CHECK(is_own("fe80::1"));
  CHECK_FALSE(is_own("192.0.2.3"));
  CHECK_FALSE(is_own("fe80::2"));
  std::set<IpAddress> many;
  for (unsigned i = 0; i <= RH_OWN; ++i) many.insert(IpAddress::v4({10, 1, 0, static_cast<std::uint8_t>(i)}));
  CHECK_FALSE(own_addresses(many, *gate));
  CHECK(gate->own_count == RH_OWN);
}

TEST_CASE("The kernel has room for every block that addresses are told apart by") {
  CHECK(rehearse::gate::address_places().size() <= RH_PLACES);
}
