#include <catch2/catch.hpp>

#include "dns_wire.h"
#include "gate/address.h"
#include "gate/dns_responder.h"
#include "gate/dns_stream.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

constexpr unsigned kA = 1, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33,
                   kOpt = 41;

struct Server {
  explicit Server(const std::vector<DnsMock>& mocks = {}, bool nxdomain = false,
                  const std::vector<std::string>& existing = {}) {
    auto made = DnsZone::create(mocks, existing);
    if (!made) FAIL(made.error().what);
    zone = *made;
    options.nxdomain = nxdomain;
  }
  DnsExchange send(std::string_view bytes, DnsTransport transport = DnsTransport::kUdp) {
    return DnsResponder(zone, names, options).answer(bytes, transport);
  }
  /// Asks, and says how it was answered; the response is in `got`.
  std::string_view ask(std::string_view name, unsigned type) {
    const DnsExchange exchange = send(query(name, type));
    got = read_response(exchange.response);
    question = *exchange.question;
    CHECK(got.question == name);
    CHECK(static_cast<unsigned>(question.type) == type);
    return to_string(question.answered);
  }
  std::string address(std::size_t index = 0) { return format_ip(question.addresses.at(index)); }

  DnsZone zone;
  NameTable names;
  DnsOptions options;
  Response got;
  DnsQuestion question;
};

std::string error_of(const DnsMock& mock) {
  const auto zone = DnsZone::create(std::vector{mock});
  INFO(mock.name << " " << mock.type << " " << mock.data);
  REQUIRE(!zone.has_value());
  CHECK(zone.error().exit == ExitCode::kConfig);
  CHECK(!zone.error().fix.empty());
  return zone.error().what;
}

}  // namespace

TEST_CASE("every name of a host has a synthetic address of each family") {
  Server server;
  CHECK(server.ask("deb.example.org", kA) == "synthetic");
  REQUIRE(server.got.answers.size() == 1);
  CHECK(server.got.id == 0x1234);
  CHECK(server.got.flags == 0x8180);
  CHECK(server.got.answers[0].owner == "deb.example.org");
  CHECK(server.got.answers[0].type == kA);
  CHECK(server.got.answers[0].ttl == 60);
  CHECK(server.got.answers[0].data.size() == 4);
  const IpAddress v4 = server.question.addresses.at(0);
  CHECK(server.names.name_of(v4) == "deb.example.org");
  CHECK(server.ask("deb.example.org", kAaaa) == "synthetic");
  CHECK(server.got.answers[0].data.size() == 16);
  CHECK(server.names.name_of(server.question.addresses.at(0)) == "deb.example.org");
  CHECK(server.ask("deb.example.org", 255) == "synthetic");
  CHECK(server.got.answers.size() == 2);
}

TEST_CASE("the letters of a question come back as they were asked; the name is one") {
  Server server;
  CHECK(server.ask("dEb.ExAmPlE.oRg", kA) == "synthetic");
  CHECK(server.got.answers[0].owner == "dEb.ExAmPlE.oRg");
  CHECK(server.question.name == "deb.example.org");
  const std::string first = server.address();
  server.ask("DEB.example.org", kA);
  CHECK(server.address() == first);
}

TEST_CASE("other records of a name that is not mocked are not there") {
  Server server;
  for (const unsigned type : {kMx, kSrv, kTxt, kSoa, 2U, 65U, 99U}) {
    CHECK(server.ask("example.com", type) == "nodata");
    CHECK(server.got.rcode() == 0);
    CHECK(server.got.answers.empty());
    REQUIRE(server.got.authority.size() == 1);
    CHECK(server.got.authority[0].type == kSoa);
    CHECK(server.got.authority[0].ttl == 0);
  }
  CHECK(server.ask("_http._tcp.deb.example.org", kSrv) == "nodata");
  CHECK(server.ask("_http._tcp.deb.example.org", kA) == "nodata");
  CHECK(server.ask("", 2) == "nodata");
  CHECK(server.ask("", kA) == "nodata");
  CHECK(server.names.size() == 0);
}

TEST_CASE("localhost is this machine, and so is every name below it") {
  Server server({}, true);
  CHECK(server.ask("localhost", kA) == "local");
  CHECK(server.address() == "127.0.0.1");
  CHECK(server.ask("app.LocalHost", kAaaa) == "local");
  CHECK(server.address() == "::1");
  CHECK(server.ask("localhost", kMx) == "nodata");
  CHECK(server.got.authority.size() == 1);
  CHECK(server.ask("1.0.0.127.in-addr.arpa", kPtr) == "local");
  CHECK(server.got.answers.at(0).data == wire_name("localhost"));
}

TEST_CASE("reverse names of synthetic addresses give their name, all others nothing") {
  Server server;
  server.ask("Api.example.com", kA);
  const std::uint32_t low = server.question.addresses.at(0).low32();
  const std::string reverse = std::to_string(low & 0xffU) + "." + std::to_string(low >> 8U & 0xffU) + "." +
                              std::to_string(low >> 16U & 0xffU) + "." + std::to_string(low >> 24U) +
                              ".in-addr.arpa";
  CHECK(server.ask(reverse, kPtr) == "synthetic");
  REQUIRE(server.got.answers.size() == 1);
  CHECK(server.got.answers[0].data == wire_name("api.example.com"));
  CHECK(server.ask(reverse, kTxt) == "nodata");
  CHECK(server.ask("34.216.184.93.in-addr.arpa", kPtr) == "nxdomain");
  CHECK(server.got.rcode() == 3);
  CHECK(server.got.authority.size() == 1);
  CHECK(server.ask("b._dns-sd._udp.example.com", kPtr) == "nodata");
}

TEST_CASE("names that no public server knows do not exist") {
  Server server;
  for (const char* name : {"intranet", "a.invalid", "x.onion", "y.alt", "ipv4only.arpa", "10.0.0.1",
                           "use-application-dns.net"}) {
    INFO(name);
    CHECK(server.ask(name, kA) == "nxdomain");
    CHECK(server.got.rcode() == 3);
  }
  CHECK(server.ask("com", 2) == "nodata");
  CHECK(server.ask("host.local", kA) == "synthetic");
  CHECK(server.names.size() == 1);
}

TEST_CASE("mocked records are answered as they were written") {
  Server server({{"api.example.com", "A", 30, "10.0.0.5"},
                 {"api.example.com", "A", 30, "10.0.0.6"},
                 {"v6.example.com", "aaaa", 60, "2001:db8::5"},
                 {"example.com", "MX", 60, "10 mail.example.com"},
                 {"_sip._tcp.example.com", "SRV", 60, "1 2 5060 sip.example.com."},
                 {"example.com", "TXT", 60, "v=spf1 -all"},
                 {"q.example.com", "TXT", 60, "\"a b\" \"c\\\"d\" \"\""},
                 {"5.0.0.10.in-addr.arpa", "PTR", 60, "api.example.com"},
                 {"gone.example.com", "NXDOMAIN", 60, ""}});
  CHECK(server.ask("API.example.com", kA) == "mocked");
  REQUIRE(server.got.answers.size() == 2);
  CHECK(server.got.answers[0].owner == "API.example.com");
  CHECK(server.got.answers[0].ttl == 30);
  CHECK(server.address(0) == "10.0.0.5");
  CHECK(server.address(1) == "10.0.0.6");
  CHECK(server.ask("v6.example.com", kAaaa) == "mocked");
  CHECK(server.address() == "2001:db8::5");
  CHECK(server.ask("example.com", kMx) == "mocked");
  CHECK(server.got.answers[0].data == be16(10) + wire_name("mail.example.com"));
  CHECK(server.ask("_sip._tcp.example.com", kSrv) == "mocked");
  CHECK(server.got.answers[0].data == be16(1) + be16(2) + be16(5060) + wire_name("sip.example.com"));
  CHECK(server.ask("example.com", kTxt) == "mocked");
  CHECK(server.got.answers[0].data == "\x0bv=spf1 -all");
  CHECK(server.ask("q.example.com", kTxt) == "mocked");
  CHECK(server.got.answers[0].data == std::string("\3a b\3c\"d\0", 9));
  CHECK(server.ask("5.0.0.10.in-addr.arpa", kPtr) == "mocked");
  CHECK(server.ask("gone.example.com", kAaaa) == "nxdomain");
  CHECK(server.ask("example.com", 255) == "mocked");
  CHECK(server.got.answers.size() == 2);
}

TEST_CASE(
    "the other family of a mocked address is not made up; a name with a mocked MX still has an address") {
  Server server({{"api.example.com", "A", 60, "10.0.0.5"}, {"example.com", "MX", 60, "10 mail.example.com"}});
  CHECK(server.ask("api.example.com", kAaaa) == "nodata");
  CHECK(server.ask("example.com", kA) == "synthetic");
}

TEST_CASE("patterns match below their suffix; the exact name and the longer pattern win") {
  Server server({{"*.example.com", "A", 60, "10.0.0.1"},
                 {"*.eu.example.com", "A", 60, "10.0.0.2"},
                 {"www.example.com", "A", 60, "10.0.0.3"}},
                false, {"shop.example.com"});
  CHECK(server.ask("a.example.com", kA) == "mocked");
  CHECK(server.address() == "10.0.0.1");
  CHECK(server.got.answers[0].owner == "a.example.com");
  CHECK(server.ask("b.a.example.com", kA) == "mocked");
  CHECK(server.ask("x.eu.example.com", kA) == "mocked");
  CHECK(server.address() == "10.0.0.2");
  CHECK(server.ask("WWW.example.com", kA) == "mocked");
  CHECK(server.address() == "10.0.0.3");
  CHECK(server.ask("shop.example.com", kA) == "synthetic");
  CHECK(server.ask("example.com", kA) == "synthetic");
  CHECK(server.ask("badexample.com", kA) == "synthetic");
}

TEST_CASE("an option makes all names that nobody mentioned absent") {
  Server server({{"api.example.com", "A", 60, "10.0.0.5"}}, true, {"*.svc.example", "db"});
  CHECK(server.ask("www.example.org", kA) == "nxdomain");
  CHECK(server.ask("www.example.org", kMx) == "nxdomain");
  CHECK(server.ask("api.example.com", kA) == "mocked");
  CHECK(server.ask("x.svc.example", kA) == "synthetic");
  CHECK(server.ask("db", kA) == "synthetic");
}

TEST_CASE("aliases are followed, to what is mocked, made up, missing or going round") {
  Server server({{"www.example.com", "CNAME", 60, "web.example.com"},
                 {"web.example.com", "A", 60, "10.0.0.9"},
                 {"cdn.example.com", "CNAME", 60, "Edge.example.net"},
                 {"dead.example.com", "CNAME", 60, "x.invalid"},
                 {"a.example.com", "CNAME", 60, "b.example.com"},
                 {"b.example.com", "CNAME", 60, "a.example.com"}});
  CHECK(server.ask("wWw.example.com", kA) == "mocked");
  REQUIRE(server.got.answers.size() == 2);
  CHECK(server.got.answers[0].owner == "wWw.example.com");
  CHECK(server.got.answers[0].type == kCname);
  CHECK(server.got.answers[1].owner == "web.example.com");
  CHECK(server.address() == "10.0.0.9");
  CHECK(server.ask("www.example.com", kAaaa) == "nodata");
  CHECK(server.got.answers.size() == 1);
  CHECK(server.ask("www.example.com", kCname) == "mocked");
  CHECK(server.got.answers.size() == 1);
  CHECK(server.ask("cdn.example.com", kA) == "mocked");
  CHECK(server.names.name_of(server.question.addresses.at(0)) == "edge.example.net");
  std::vector<DnsMock> chain;
  for (int i = 0; i < 9; ++i)
    chain.push_back(
        {"c" + std::to_string(i) + ".example", "CNAME", 60, "c" + std::to_string(i + 1) + ".example"});
  Server chained(chain);
  CHECK(chained.ask("c1.example", kA) == "mocked");
  CHECK(chained.got.answers.size() == 9);  // eight aliases and the address
  CHECK(chained.ask("c0.example", kA) == "refused");
  CHECK(server.ask("dead.example.com", kA) == "nxdomain");
  CHECK(server.got.answers.size() == 1);
  CHECK(server.ask("a.example.com", kA) == "refused");
  CHECK(server.got.rcode() == 2);
  CHECK(server.got.answers.empty());
}

TEST_CASE("mocks that cannot be are refused, with their name") {
  CHECK(error_of({"a.example", "A", 60, "10.0.0"}).find("DNS mock a.example A: \"10.0.0\"") == 0);
  CHECK(error_of({"a.example", "A", 60, "::1"}).find("type A") != std::string::npos);
  CHECK(error_of({"a.example", "AAAA", 60, "10.0.0.1"}).find("type AAAA") != std::string::npos);
  error_of({"a..b", "A", 60, "10.0.0.1"});
  error_of({"a.example", "MX", 60, "mail.example"});
  error_of({"a.example", "MX", 60, "70000 mail.example"});
  error_of({"a.example", "SRV", 60, "1 2 mail.example"});
  error_of({"a.example", "CNAME", 60, "a b"});
  error_of({"a.example", "HINFO", 60, "x"});
  error_of({"a.example", "TXT", 60, "\"unclosed"});
  error_of({"a.example", "TXT", 60, std::string(40000, 'x')});
  error_of({"a.example", "NXDOMAIN", 60, "x"});
  CHECK(error_of({"x.localhost", "A", 60, "10.0.0.1"}).find("loopback") != std::string::npos);
  const std::vector<DnsMock> two = {{"a.example", "A", 60, "10.0.0.1"},
                                    {"A.example", "CNAME", 60, "b.example"}};
  CHECK(DnsZone::create(two).error().what.find("alias") != std::string::npos);
  std::vector<DnsMock> placed = two;
  placed[1].place = "m.toml:3:4";
  CHECK(DnsZone::create(placed).error().what.starts_with("m.toml:3:4: DNS mock A.example CNAME: "));
  const std::vector<DnsMock> gone = {{"a.example", "A", 60, "10.0.0.1"}, {"a.example", "NXDOMAIN", 60, ""}};
  CHECK(!DnsZone::create(gone).has_value());
  const std::vector<DnsMock> much(2, {"a.example", "TXT", 60, std::string(30000, 'x')});
  CHECK(!DnsZone::create(much).has_value());
}

TEST_CASE("EDNS is answered with EDNS: own size, version 0, the DO bit that was sent") {
  Server server;
  auto got = read_response(server.send(query("a.example.com", kA, edns(4096, 0x8000))).response);
  REQUIRE(got.additional.size() == 1);
  CHECK(got.additional[0].type == kOpt);
  CHECK(got.additional[0].owner.empty());
  CHECK(got.additional[0].record_class == 1232);
  CHECK(got.additional[0].ttl == 0x8000);
  CHECK(got.additional[0].data.empty());
  // A cookie and padding are skipped.
  const std::string options = be16(10) + be16(8) + "12345678" + be16(12) + be16(3) + std::string(3, '\0');
  got = read_response(server.send(query("a.example.com", kA, edns(1232, 0, 0, options))).response);
  CHECK(got.rcode() == 0);
  CHECK(got.answers.size() == 1);
  got = read_response(server.send(query("a.example.com", kA, edns(1232, 0, 1))).response);
  CHECK(got.rcode() == 0);
  CHECK(got.additional.at(0).ttl == 1U << 24U);  // BADVERS
  CHECK(got.answers.empty());
}

TEST_CASE("what does not fit into a datagram is asked again by TCP") {
  Server server({{"big.example.com", "TXT", 60, std::string(2000, 'x')}});
  const auto udp = server.send(query("big.example.com", kTxt));
  auto got = read_response(udp.response);
  CHECK(got.truncated());
  CHECK(got.answers.empty());
  CHECK(udp.question->answered == DnsAnswer::kMocked);
  CHECK(read_response(server.send(query("big.example.com", kTxt, edns(1232))).response).truncated());
  CHECK(!read_response(server.send(query("big.example.com", kTxt, edns(4096))).response).truncated());
  got = read_response(server.send(query("big.example.com", kTxt), DnsTransport::kTcp).response);
  CHECK(!got.truncated());
  CHECK(got.answers.at(0).data.size() == 2008);
}

TEST_CASE("what is no query for the internet's names is refused, by what is wrong with it") {
  Server server;
  const auto rcode = [&](const std::string& bytes) {
    const auto exchange = server.send(bytes);
    if (exchange.question) CHECK(exchange.question->answered == DnsAnswer::kRefused);
    return static_cast<int>(read_response(exchange.response).rcode());
  };
  const std::string good = query("a.example.com", kA);
  CHECK(rcode(query("version.bind", kTxt, {}, 3)) == 5);
  CHECK(rcode(query("example.com", 252)) == 5);
  CHECK(rcode(query("example.com", 251)) == 5);
  CHECK(rcode(query("example.com", 0)) == 5);
  CHECK(rcode(query("example.com", kOpt)) == 5);
  CHECK(rcode(query("example.com", kA, {}, 1, 0x2900)) == 4);  // opcode 5, update
  CHECK(rcode(good + "x") == 1);
  CHECK(rcode(good.substr(0, good.size() - 1)) == 1);
  CHECK(rcode(good.substr(0, 12)) == 1);
  CHECK(rcode(query("a.example.com", kA, edns(1232) + edns(1232))) == 1);
  CHECK(rcode(query("a.example.com", kA, edns(1232, 0, 0, "\1"))) == 1);
  std::string two = query("a.example.com", kA, edns(1232) + edns(1232));
  two[11] = 2;
  CHECK(rcode(two) == 1);
  std::string pointed = good.substr(0, 12) + "\xc0\x0c" + be16(kA) + be16(1);
  CHECK(rcode(pointed) == 1);
  std::string none = good;
  none[5] = 0;
  CHECK(rcode(none) == 1);
  std::string answered = good;
  answered[7] = 1;
  CHECK(rcode(answered) == 1);
  std::string skipped =
      query("a.example.com", kA, "\3foo\xc0\x0c" + be16(99) + be16(1) + be16(0) + be16(0) + be16(0));
  CHECK(read_response(server.send(skipped).response).rcode() == 0);
}

TEST_CASE("responses and fragments of a header get no answer: nothing can be made to answer itself") {
  Server server;
  CHECK(server.send("").response.empty());
  CHECK(server.send(query("a.example.com", kA).substr(0, 11)).response.empty());
  CHECK(server.send(query("a.example.com", kA, {}, 1, 0x8180)).response.empty());
  CHECK(server.send(server.send(query("a.example.com", kA)).response).response.empty());
}

TEST_CASE("a name whose bytes are a terminal's commands is recorded as text") {
  Server server;
  const auto exchange = server.send(query("\x1b[2J.example.com", kA));
  CHECK(exchange.question->name == "\\027[2j.example.com");
  CHECK(read_response(exchange.response).answers.at(0).owner == "\x1b[2J.example.com");
}

TEST_CASE("a name table that is full refuses, and says so") {
  Server server;
  for (std::size_t i = 0; i < NameTable::kMostNames; ++i)
    server.names.assign(*DnsName::parse("n" + std::to_string(i) + ".example"));
  CHECK(server.ask("exfiltrated-data.example.com", kA) == "refused");
  CHECK(server.got.rcode() == 5);
  CHECK(server.ask("n7.example", kA) == "synthetic");
}

TEST_CASE("messages over TCP come whole, in pieces and together") {
  const std::string one = query("a.example.com", kA);
  const std::string two = query("b.example.com", kTxt);
  const std::string both = dns_frame(one) + dns_frame(two);
  for (std::size_t piece = 1; piece <= both.size(); ++piece) {
    DnsStream stream;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < both.size(); at += piece) {
      std::string_view bytes = std::string_view(both).substr(at, piece);
      while (auto message = stream.next(bytes)) got.push_back(*message);
    }
    if (got != std::vector{one, two}) FAIL("in pieces of " << piece);
  }
}

TEST_CASE("a client that announces more than a query is dropped before it sends it") {
  DnsStream stream;
  std::string_view announced = "\x10\x01xxxx";  // 4097
  CHECK(!stream.next(announced));
  CHECK(stream.failed());
  DnsStream whole;
  std::string_view most = "\x10";
  CHECK(!whole.next(most));
  CHECK(!whole.failed());
  const std::string rest = '\0' + std::string(DnsStream::kMostQuery, 'x');
  std::string_view view = rest;
  CHECK(whole.next(view)->size() == DnsStream::kMostQuery);
}
