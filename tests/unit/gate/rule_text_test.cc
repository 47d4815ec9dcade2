#include "gate/rule_text.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::gate;

namespace {

/// "COLUMN: what" of the error; the remedy is checked to be there.
template <class Rule>
std::string wrong(const Result<Rule>& rule) {
  if (rule) return "it parses";
  CHECK(rule.error().exit == ExitCode::kUsage);
  CHECK_FALSE(rule.error().fix.empty());
  return rule.error().what;
}

}  // namespace

TEST_CASE("Rules are read and printed") {
  for (const char* text :
       {"tcp:deb.example.org:443", "tcp:10.0.0.5:5432", "tcp:10.0.0.0/8:1000-2000", "udp:ntp.example:123",
        "tcp:[2001:db8::1]:443", "tcp:[2001:db8::]/32:443", "host-loopback:5432", "udp:host-loopback:53",
        "tcp:*.example.org:*", "tcp:*:25", "tcp:deb.example.org:443,bytes=500MiB,rate=10MiB/s,time=5m,record",
        "tcp:a_b.example:1,bytes=1025B,time=1500ms", "tcp:a:65535", "tcp:0.0.0.0/0:1-65535"}) {
    const auto rule = parse_pass(text);
    REQUIRE(rule);
    CHECK(to_text(*rule) == text);
    CHECK(parse_pass(to_text(*rule)).value() == *rule);
  }
  CHECK(to_text(parse_pass("deb.example.org:443").value()) == "tcp:deb.example.org:443");
  CHECK(to_text(parse_pass("tcp:DEB.Example.org.:443").value()) == "tcp:deb.example.org:443");
  CHECK(to_text(parse_pass("[2001:db8:0::1]:443").value()) == "tcp:[2001:db8::1]:443");
  CHECK(to_text(parse_pass("tcp:[::ffff:10.0.0.5]:1").value()) == "tcp:10.0.0.5:1");
  CHECK(to_text(parse_pass("tcp:[2001:db8::/32]:443").value()) == "tcp:[2001:db8::]/32:443");
  CHECK(to_text(parse_pass("tcp:host-loopback:5432").value()) == "host-loopback:5432");
  CHECK(to_text(parse_pass("Host-Loopback.:5432").value()) == "host-loopback:5432");
  CHECK(to_text(parse_deny("tcp:*:25").value()) == "tcp:*:25=ECONNREFUSED");
  CHECK(to_text(parse_deny("tcp:*:25=ETIMEDOUT").value()) == "tcp:*:25=ETIMEDOUT");
  CHECK(parse_deny("udp:x.example:1=drop").value().how.error == Refusal::kDrop);
}

TEST_CASE("Limits of a pass") {
  const PassLimits limits = parse_pass("tcp:a.example:1,time=90s,rate=1.5K/s,bytes=2G").value().limits;
  CHECK(limits.bytes == std::uint64_t{2} << 30U);
  CHECK(limits.bytes_per_second == 1536);
  CHECK(limits.time_ns == 90'000'000'000);
}

TEST_CASE("Wrong rules name the column and the remedy") {
  CHECK(wrong(parse_pass("")) == "rule, column 1: nothing has no port");
  CHECK(wrong(parse_pass("tcp:443")) == "rule, column 5: '443' has no port");
  CHECK(wrong(parse_pass("tcp:a.example")) == "rule, column 5: 'a.example' has no port");
  CHECK(wrong(parse_pass("tcp:a.example:")) == "rule, column 15: nothing is no port");
  CHECK(wrong(parse_pass("tcp:a.example:0")) == "rule, column 15: '0' is no port");
  CHECK(wrong(parse_pass("tcp:a.example:65536")) == "rule, column 15: '65536' is no port");
  CHECK(wrong(parse_pass("tcp:a.example:1-x")) == "rule, column 17: 'x' is no port");
  CHECK(wrong(parse_pass("tcp:a.example:9-1")) == "rule, column 15: the ports '9-1' end before they begin");
  CHECK(wrong(parse_pass("tpc:a.example:1")) == "rule, column 1: 'tpc' is no protocol");
  CHECK(wrong(parse_pass("tcp:2001:db8::1:443")) ==
        "rule, column 5: '2001:db8::1' has colons without brackets");
  CHECK(wrong(parse_pass("tcp:[2001:db8::1:443")) == "rule, column 5: the bracket is not closed");
  CHECK(wrong(parse_pass("tcp:[2001:db8::1]443")) == "rule, column 5: '[2001:db8::1]443' has no port");
  CHECK(wrong(parse_pass("tcp:[x]:443")) == "rule, column 5: '[x]' is no address or block of addresses");
  CHECK(wrong(parse_pass("tcp:10.0.0.300:1")) ==
        "rule, column 5: '10.0.0.300' is no address or block of addresses");
  CHECK(wrong(parse_pass("tcp:10.0.0.0/33:1")) ==
        "rule, column 5: '10.0.0.0/33' is no address or block of addresses");
  CHECK(wrong(parse_pass("tcp:10.0.0.5/8:1")) ==
        "rule, column 5: '10.0.0.5/8' has bits set behind its length");
  CHECK(parse_pass("tcp:10.0.0.5/8:1").error().fix == "write 10.0.0.0/8 for the block, or the address alone");
  CHECK(wrong(parse_pass("tcp:a..b:1")) ==
        "rule, column 5: 'a..b' is no host name: a part between dots has 1 to 63 characters");
  CHECK(wrong(parse_pass("tcp:*.:1")) == "rule, column 7: nothing is no host name: it is empty");
  CHECK(wrong(parse_pass("tcp:a*.example:1")).starts_with("rule, column 5: 'a*.example' is no host name"));
  CHECK(wrong(parse_pass("tcp:bücher.example:1")) ==
        "rule, column 5: 'bücher.example' is no host name: it is not ASCII");
  CHECK(wrong(parse_pass("tcp:bücher.example:x,")).starts_with("rule, column 5"));
  CHECK(wrong(parse_pass("tcp:127.0.0.1:80")) ==
        "rule, column 1: inside, a loopback address is the sandbox's own");
  CHECK(wrong(parse_pass("tcp:a:1,bytes=x")) == "rule, column 15: \"x\" is not a size");
  CHECK(wrong(parse_pass("tcp:a:1,bytes=0")).starts_with("rule, column 15"));
  CHECK(wrong(parse_pass("tcp:a:1,rate=10MiB")) == "rule, column 14: '10MiB' is no rate");
  CHECK(wrong(parse_pass("tcp:a:1,time=1,time=2")) == "rule, column 16: the option is given twice");
  CHECK(wrong(parse_pass("tcp:a:1,record=yes")) == "rule, column 16: record takes no value");
  CHECK(wrong(parse_pass("tcp:a:1,")) == "rule, column 9: nothing is no option");
  CHECK(wrong(parse_pass("tcp:a:1,ratte=1/s")) == "rule, column 9: 'ratte' is no option");
  CHECK(parse_pass("tcp:a:1,ratte=1/s").error().fix == "did you mean rate?");
  CHECK(wrong(parse_deny("tcp:*:25=EAGAIN")) == "rule, column 10: 'EAGAIN' is no way to deny");
  CHECK(parse_listen("udp:a.example:1")->protocol == Protocol::kUdp);
  CHECK(parse_listen("host-loopback:1").error().fix == "write tcp:127.0.0.1:1");
  CHECK(wrong(parse_pass("tcp:" + std::string(2000, 'a') + ":1")).size() < 200);
}
