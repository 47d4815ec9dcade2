#include "gate/rules.h"

#include <catch2/catch.hpp>

#include "address.h"
#include "gate/rule_text.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

Rules rules_of(const std::vector<std::string>& pass, const std::vector<std::string>& deny = {},
               const std::vector<std::string>& mock = {}) {
  Rules rules;
  for (const std::string& text : pass) rules.pass.push_back(parse_pass(text).value());
  for (const std::string& text : deny) rules.deny.push_back(parse_deny(text).value());
  for (const std::string& text : mock) rules.mock.push_back({parse_listen(text).value(), false, {}, text});
  return rules;
}

Destination to_address(std::string_view address, std::uint16_t port, Protocol protocol = Protocol::kTcp) {
  return {protocol, ip(address), port, {}, false};
}
Destination to_name(const std::string& name, std::uint16_t port) {
  return {Protocol::kTcp, ip("198.18.0.7"), port, {name}, true};
}

/// The text of the pass rule that decides; "deny" or "mock" if it is none.
std::string passes_by(const Rules& rules, const Destination& destination) {
  const Decision decision = decide(rules, destination);
  if (decision.action == Action::kPass) return to_text(*decision.pass);
  return decision.action == Action::kMock ? "mock" : "deny";
}

}  // namespace

TEST_CASE("Nothing passes by itself") {
  const Decision decision = decide({}, to_address("93.184.216.34", 443));
  CHECK(decision.action == Action::kDeny);
  CHECK(decision.refusal.error == ECONNREFUSED);
  CHECK((decision.deny == nullptr && decision.mock == nullptr && decision.pass == nullptr));
  Rules rules;
  rules.otherwise = {ENETUNREACH};
  CHECK(decide(rules, to_name("x.example", 1)).refusal.error == ENETUNREACH);
}

TEST_CASE("A deny comes before a mock, a mock before a pass") {
  Rules rules = rules_of({"tcp:a.example:443"}, {"tcp:*:443=ETIMEDOUT"}, {"tcp:a.example:443"});
  CHECK(decide(rules, to_name("a.example", 443)).refusal.error == ETIMEDOUT);
  CHECK(decide(rules, to_name("a.example", 443)).deny == rules.deny.data());
  rules.deny.clear();
  CHECK(decide(rules, to_name("a.example", 443)).mock == rules.mock.data());
  rules.mock.clear();
  CHECK(decide(rules, to_name("a.example", 443)).pass == rules.pass.data());
}

TEST_CASE("The most specific rule of a class decides, wherever it stands") {
  const Rules rules = rules_of({"tcp:*:*", "tcp:*.example:443", "tcp:*.b.example:443", "tcp:a.b.example:*",
                                "tcp:a.b.example:443", "tcp:93.0.0.0/8:443", "tcp:93.184.0.0/16:*",
                                "tcp:93.184.0.0/16:400-500", "udp:*:443"});
  CHECK(passes_by(rules, to_name("a.b.example", 443)) == "tcp:a.b.example:443");
  CHECK(passes_by(rules, to_name("a.b.example", 80)) == "tcp:a.b.example:*");
  CHECK(passes_by(rules, to_name("c.b.example", 443)) == "tcp:*.b.example:443");
  CHECK(passes_by(rules, to_name("b.example", 443)) == "tcp:*.example:443");
  CHECK(passes_by(rules, to_name("example", 443)) == "tcp:*:*");
  CHECK(passes_by(rules, to_name("xexample", 443)) == "tcp:*:*");
  CHECK(passes_by(rules, to_address("93.184.216.34", 443)) == "tcp:93.184.0.0/16:400-500");
  CHECK(passes_by(rules, to_address("93.184.216.34", 80)) == "tcp:93.184.0.0/16:*");
  CHECK(passes_by(rules, to_address("93.1.1.1", 443)) == "tcp:93.0.0.0/8:443");
  CHECK(passes_by(rules, to_address("8.8.8.8", 443, Protocol::kUdp)) == "udp:*:443");
  CHECK(passes_by(rules, to_address("8.8.8.8", 53, Protocol::kUdp)) == "deny");
}

TEST_CASE("Among equals the first decides") {
  const Rules rules = rules_of({"tcp:a.example:1-2,record", "tcp:a.example:2-3"});
  CHECK(passes_by(rules, to_name("a.example", 2)) == "tcp:a.example:1-2,record");
  CHECK(passes_by(rules, to_name("a.example", 3)) == "tcp:a.example:2-3");
}

TEST_CASE("A name is not reached by an address, nor an address by a name") {
  const Rules rules = rules_of({"tcp:a.example:443", "tcp:198.18.0.0/15:443"});
  CHECK(passes_by(rules, to_address("93.184.216.34", 443)) == "deny");
  CHECK(passes_by(rules, to_name("b.example", 443)) == "deny");
  CHECK(passes_by(rules, to_address("198.18.0.7", 443)) == "tcp:198.18.0.0/15:443");
}

TEST_CASE("Special ranges have to be named") {
  const Rules rules =
      rules_of({"tcp:*:*", "tcp:0.0.0.0/0:80", "tcp:10.0.0.0/8:5432", "tcp:169.254.0.0/16:80"});
  CHECK(passes_by(rules, to_address("93.184.216.34", 80)) == "tcp:0.0.0.0/0:80");
  CHECK(passes_by(rules, to_address("10.1.2.3", 5432)) == "tcp:10.0.0.0/8:5432");
  CHECK(passes_by(rules, to_address("10.1.2.3", 80)) == "deny");
  CHECK(decide(rules, to_address("10.1.2.3", 80)).unnamed_range == AddressClass::kPrivate);
  CHECK_FALSE(decide(rules, to_address("10.1.2.3", 80, Protocol::kUdp)).unnamed_range);
  CHECK(passes_by(rules, to_address("169.254.1.1", 80)) == "tcp:169.254.0.0/16:80");
  for (const char* special :
       {"127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "168.63.129.16", "fd00:ec2::254", "100.64.0.1",
        "192.168.1.1", "172.31.0.1", "fe80::1", "fc00::1", "64:ff9b::a00:1", "2002:a00:1::", "::10.0.0.1",
        "224.0.0.1", "255.255.255.255", "::ffff:127.0.0.1", "198.19.255.255", "ff02::1"})
    CHECK(passes_by(rules, to_address(special, 80)) == "deny");
  for (const char* plain :
       {"172.32.0.1", "172.15.255.255", "11.0.0.1", "100.128.0.1", "198.20.0.1", "2606:2800::1"})
    CHECK(passes_by(rules, to_address(plain, 80)) != "deny");
}

TEST_CASE("The host's loopback") {
  const Rules rules = rules_of({"host-loopback:5432"}, {"udp:host-loopback:53=EPERM"});
  CHECK(passes_by(rules, to_address("127.0.0.1", 5432)) == "host-loopback:5432");
  CHECK(passes_by(rules, to_address("::1", 5432)) == "host-loopback:5432");
  CHECK(passes_by(rules, to_address("127.0.0.1", 5433)) == "deny");
  CHECK(passes_by(rules, to_address("10.0.0.1", 5432)) == "deny");
  CHECK(decide(rules, to_address("127.0.0.53", 53, Protocol::kUdp)).refusal.error == EPERM);
}

TEST_CASE("Where a passed name may lead") {
  const Rules rules =
      rules_of({"tcp:a.example:443", "tcp:10.0.0.5:443", "host-loopback:8443", "tcp:b.example:8443"},
               {"tcp:93.184.216.0/24:*"});
  const auto allowed = [&](std::size_t rule, std::string_view address, std::uint16_t port = 443) {
    return allowed_resolution(rules, rules.pass[rule], ip(address), port);
  };
  CHECK(allowed(0, "8.8.8.8"));
  CHECK(allowed(0, "2606:2800::1"));
  CHECK_FALSE(allowed(0, "93.184.216.34"));
  CHECK(allowed(0, "10.0.0.5"));
  for (const char* rebound : {"10.0.0.6", "127.0.0.1", "::1", "169.254.169.254", "192.168.0.1", "0.0.0.0",
                              "fe80::1", "198.18.0.1", "::ffff:10.0.0.6"})
    CHECK_FALSE(allowed(0, rebound));
  CHECK_FALSE(allowed(3, "10.0.0.5", 8443));
  CHECK(allowed(3, "127.0.0.1", 8443));
}
