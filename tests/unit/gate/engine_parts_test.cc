// The small parts that the engine is made of.
#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <random>

#include "address.h"
#include "gate/first_bytes.h"
#include "gate/hosts_file.h"
#include "gate/packet.h"
#include "gate/pass_budget.h"
#include "gate/request_watch.h"
#include "gate/timer_queue.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

std::uint32_t sum_of(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::uint32_t{static_cast<std::uint8_t>(bytes[i])} << (i % 2 == 0 ? 8U : 0U);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return sum;
}

struct Counted : Timer {
  void on_time() override { ++count; }
  int count = 0;
};

FirstBytes::State state_after(FirstBytes& first, std::string_view text, std::size_t piece) {
  for (std::size_t at = 0; at < text.size(); at += piece) first.feed(text.substr(at, piece));
  return first.state();
}

}  // namespace

TEST_CASE("A datagram's packet has the checksums that receivers want") {
  for (const std::size_t size : {0U, 1U, 2U, 777U, 65507U}) {
    const std::string payload(size, 'z');
    const std::string packet = udp_packet({ip("8.8.8.8"), 53}, {ip("127.0.0.1"), 40001}, payload);
    REQUIRE(packet.size() == 28 + size);
    CHECK(sum_of(packet.substr(0, 20)) == 0xffff);
    const std::string pseudo = packet.substr(12, 8) + std::string("\0\x11", 2) + packet.substr(24, 2);
    CHECK(sum_of(pseudo + packet.substr(20)) == 0xffff);
  }
  const std::string six = udp_packet({ip("2001:2::1"), 53}, {ip("::1"), 9}, "abc");
  REQUIRE(six.size() == 51);
  const std::string pseudo = six.substr(8, 32) + std::string("\0\x11", 2) + six.substr(44, 2);
  CHECK(sum_of(pseudo + six.substr(40)) == 0xffff);
  CHECK(udp_packet({ip("8.8.8.8"), 53}, {ip("::1"), 9}, "").empty());
  CHECK(udp_packet({ip("8.8.8.8"), 53}, {ip("127.0.0.1"), 9}, std::string(65508, 'x')).empty());
}

TEST_CASE("A connection's first packet is read, sent on and refused") {
  const auto is_whole = [](std::string_view packet, std::size_t head) {
    const bool four = head == 20;
    const std::string size = {static_cast<char>((packet.size() - head) >> 8U),
                              static_cast<char>(packet.size() - head)};
    const auto ends = four ? packet.substr(12, 8) : packet.substr(8, 32);
    const char protocol = packet[four ? 9U : 6U];
    const std::string pseudo =
        protocol == 1 ? "" : std::string(ends) + std::string(1, '\0') + protocol + size;
    return (!four || sum_of(packet.substr(0, 20)) == 0xffff) &&
           sum_of(pseudo + std::string(packet.substr(head))) == 0xffff;
  };
  const std::string segment("\xc0\x01\0\x50\1\2\3\xff\0\0\0\0\x60\2\xff\xff\0\0\0\0\2\4\xff\xd7", 24);
  for (const bool four : {true, false}) {
    const IpAddress from = ip(four ? "127.0.0.1" : "::1");
    const IpAddress to = ip(four ? "93.184.216.34" : "2606:2800::1");
    const std::size_t head = four ? 20 : 40;
    const auto knock = read_knock(from, to, segment);
    REQUIRE(knock);
    CHECK((knock->client == NetEnd{from, 0xc001} && knock->destination == NetEnd{to, 80}));
    CHECK(knock->sequence == 0x010203ff);
    const std::string again = knock_packet(*knock);
    CHECK(is_whole(again, head));
    if (four) {
      const auto same = read_knock(again);
      REQUIRE(same);
      CHECK((same->client == knock->client && same->destination == knock->destination));
      for (std::size_t size = 0; size < again.size(); ++size) {
        const auto part = read_knock(again.substr(0, size));
        CHECK((!part || size >= 40));
      }
    }
    const std::string reset = reset_packet(*knock);
    CHECK(is_whole(reset, head));
    CHECK(reset.substr(head, 14) == std::string("\0\x50\xc0\1\0\0\0\0\1\2\4\0\x50\x14", 14));
    for (const int error : {EHOSTUNREACH, ENETUNREACH}) {
      const std::string message = unreachable_packet(*knock, error);
      CHECK(is_whole(message, head));
      CHECK(message[head] == (four ? 3 : 1));
      CHECK(message[head + 1] == (error == ENETUNREACH ? 0 : four ? 1 : 3));
    }
  }
  for (const bool four : {true, false}) {
    const NetEnd client = {ip(four ? "127.0.0.1" : "::1"), 4001};
    const std::string message =
        undelivered_packet(client, {ip(four ? "10.1.2.3" : "fd00::1"), 53}, ECONNREFUSED);
    const std::size_t head = four ? 20 : 40;
    CHECK(is_whole(message, head));
    CHECK((message[head] == (four ? 3 : 1) && message[head + 1] == (four ? 3 : 4)));
    CHECK(message.substr(2 * head + 8, 4) == std::string("\x0f\xa1\0\x35", 4));
  }
  std::string acknowledged = segment;
  acknowledged[13] = 0x12;
  CHECK_FALSE(read_knock(ip("127.0.0.1"), ip("10.0.0.1"), acknowledged));
  CHECK_FALSE(read_knock(ip("127.0.0.1"), ip("::1"), segment));
  CHECK_FALSE(read_knock(ip("127.0.0.1"), ip("10.0.0.1"), segment.substr(0, 19)));
}

TEST_CASE("Of a client's requests each is told, however they are cut") {
  const std::string requests =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "GET /2 HTTP/1.1\r\nHost: b:8080\r\n\r\n\r\nGET http://c/3 HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n";
  for (const std::size_t piece : {1U, 7U, 1000U}) {
    RequestWatch watch;
    std::string seen;
    for (std::size_t at = 0; at < requests.size(); at += piece) {
      CHECK_FALSE(watch.switches("HTTP/1.1 101 Switching Protocols"));
      for (const RequestAim& aim : watch.from_client(requests.substr(at, piece)))
        seen += aim.host + aim.path + ' ';
    }
    CHECK(seen == "a/1 b/2 c/3 ");
    CHECK_FALSE(watch.undecided());
    CHECK(watch.switches("HTTP/1.1 101 Switching Protocols"));
    CHECK_FALSE(watch.switches("HTTP/1.1 200 OK"));
    CHECK(watch.from_client("GET /4").empty());
    CHECK(watch.undecided());
    CHECK(watch.from_client("\r\n").empty());
    CHECK(watch.broken());
  }
  RequestWatch tunnel;
  CHECK(tunnel.from_client("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n").size() == 1);
  CHECK(tunnel.switches("HTTP/1.1 200 OK"));
}

TEST_CASE("Timers come in order, once, and not after they were taken back") {
  TimerQueue queue;
  std::vector<std::unique_ptr<Counted>> timers;
  std::mt19937 random(1);
  std::vector<std::int64_t> due(200);
  for (std::size_t i = 0; i < due.size(); ++i) timers.push_back(std::make_unique<Counted>());
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < due.size(); ++i) {
      due[i] = static_cast<std::int64_t>(random() % 1000);
      queue.set(*timers[i], due[i]);
    }
  }
  queue.cancel(*timers[3]);
  timers[4].reset();
  for (std::int64_t now = 0; now < 1000; now += 10) {
    queue.run(now);
    for (std::size_t i = 0; i < due.size(); ++i) {
      if (timers[i]) CHECK(timers[i]->count == (i != 3 && due[i] <= now ? 1 : 0));
    }
    CHECK((queue.next() == -1 || queue.next() > now));
  }
}

TEST_CASE("A budget lets as much through as the rule says") {
  PassBudget bytes({.bytes = 100, .bytes_per_second = {}, .time_ns = {}}, 0);
  CHECK(bytes.allowance(0) == 100);
  bytes.spend(60);
  CHECK((bytes.allowance(0) == 40 && !bytes.exhausted()));
  bytes.spend(40);
  CHECK((bytes.allowance(0) == 0 && bytes.exhausted()));

  for (const std::uint64_t rate : {1ULL, 1000ULL, 123456789ULL, 50'000'000'000ULL}) {
    PassBudget budget({.bytes = {}, .bytes_per_second = rate, .time_ns = {}}, 0);
    std::uint64_t moved = 0;
    std::int64_t now = 0;
    for (int i = 0; now < 10'000'000'000 && i < 1'000'000; ++i) {
      const std::uint64_t most = budget.allowance(now);
      budget.spend(most);
      moved += most;
      if (most == 0) now = budget.next(now);
    }
    CAPTURE(rate);
    CHECK(moved <= rate * 11);
    CHECK(moved >= rate * 9);
  }
  // However low the rate, what cannot be cut comes to fit.
  PassBudget whole({.bytes = {}, .bytes_per_second = 1000, .time_ns = {}}, 0, 5000);
  const std::int64_t second = 1'000'000'000;
  CHECK(whole.allowance(0) == 5000);
  whole.spend(5000);
  CHECK(whole.allowance(second) == 1000);
  CHECK(whole.allowance(4 * second) == 4000);
  CHECK(whole.allowance(1000 * second) == 5000);

  PassBudget free({}, 0);
  CHECK(free.allowance(0) > 1ULL << 60U);
  CHECK_FALSE(free.exhausted());
}

TEST_CASE("The host's file of names is read as the C library does") {
  const HostsFile file = HostsFile::parse(
      "# comment\n127.0.0.1\tlocalhost Local # x\n::1 localhost\nnonsense a\n10.0.0.5 DB.example.com "
      "db\n10.0.0.6 db");
  CHECK(file.find("LOCALHOST") == std::vector<IpAddress>{ip("127.0.0.1"), ip("::1")});
  CHECK(file.find("db") == std::vector<IpAddress>{ip("10.0.0.5"), ip("10.0.0.6")});
  CHECK(file.find("db.example.com").size() == 1);
  CHECK(file.find("x").empty());
  CHECK(file.find("a").empty());
}

TEST_CASE("A client's first bytes say whom it wants") {
  using State = FirstBytes::State;
  struct Case {
    std::string bytes;
    State state;
    std::string host;
    std::string path;
  };
  const Case cases[] = {
      {"GET /a?b HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n", State::kHttp, "Example.com", "/a?b"},
      {"\r\nGET / HTTP/1.0\r\n\r\n", State::kHttp, "", "/"},
      {"GET http://other.example/x HTTP/1.1\r\nHost: example.com\r\n\r\n", State::kHttp, "other.example",
       "/x"},
      {"GET http://user@[::1]:80/ HTTP/1.1\r\nHost: e\r\n\r\n", State::kHttp, "[::1]", "/"},
      {"CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n", State::kHttp, "a.example", "a.example:443"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", State::kBroken, "", ""},
      {"GET / HTTP/1.1\r\nno header\r\n\r\n", State::kBroken, "", ""},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", State::kOther, "", ""},
      {"EHLO example.com\r\n", State::kOther, "", ""},
      {std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), State::kOther, "", ""},
      {"SSH-2.0-OpenSSH_9.2\r\n", State::kOther, "", ""},
      {"GET / HTTP/1.1\r\nHost: a", State::kNeedMore, "", ""},
      {"GE", State::kNeedMore, "", ""},
      // Other protocols, as far as their beginnings are like HTTP's.
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", State::kOther, "", ""},
      {"GET key\r\nGET other:key\r\n", State::kOther, "", ""},
      {"SET key value of http://x/\r\n", State::kOther, "", ""},
      {"get /page\r\n", State::kOther, "", ""},
      {"set /page 0 0 7\r\nHost: x\r\n", State::kOther, "", ""},
      {"PING\r\n", State::kOther, "", ""},
      {"CONNECT {\"verbose\":false}\r\nPING\r\n", State::kOther, "", ""},
      {"nSCAN /tmp/file\n", State::kOther, "", ""},
      {"-T dn example.de\r\n", State::kOther, "", ""},
      {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", State::kOther, "", ""},
      {"{\"line\": \"GET / HTTP/1.1\"}\n", State::kOther, "", ""},
      {"003egit-upload-pack /project.git" + std::string("\0host=a\0", 8) + "0032want 0000\n", State::kOther,
       "", ""},
      {std::string("\0\0\0\x29\0\3\0\0user\0a HTTP/1.1\n", 25), State::kOther, "", ""},
      {std::string(9000, 'a') + "\n", State::kOther, "", ""},
      {"PUT " + std::string(9000, 'a') + "\r\nPING\r\n", State::kOther, "", ""},
      // What some server takes for a request.
      {"GET /" + std::string(9000, 'a'), State::kBroken, "", ""},
      {"GET a" + std::string(9000, 'a') + " HTTP/1.1\r\n", State::kBroken, "", ""},
      {std::string(9000, 'A') + " /a HTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET a" + std::string(9000, 'a') + "\r\nHost: a\r\n", State::kBroken, "", ""},
      {"GET\t/d HTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET\t/d\tHTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET\v/d\vHTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET\xa0/d\xa0HTTP/1.1\r\n", State::kBroken, "", ""},
      {"\tGET /d HTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET /\x01 HTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET /d HTTP/1.1\rHost: b\r\r", State::kBroken, "", ""},
      {"GET /d http/1.1\r\n", State::kBroken, "", ""},
      {"GET /d HTTP/2.0\r\n", State::kBroken, "", ""},
      {"PRI * HTTP/2.0\r\nHost: b\r\n", State::kBroken, "", ""},
      {"PROPFIND /d\x01 HTTP/1.1\r\n", State::kBroken, "", ""},
      {"GET /d\r\n", State::kBroken, "", ""},
      {"GET http://a/d\n", State::kBroken, "", ""},
      {"POST /d\r\n", State::kBroken, "", ""},
      {"GET d\r\nHost: b\r\n", State::kBroken, "", ""},
      {"GET d\r\n folded\r\nHost : b\r\n", State::kBroken, "", ""},
      {"GET d\r\n\r\n", State::kBroken, "", ""},
      {"GET d\r\n" + std::string(9000, 'x'), State::kBroken, "", ""},
      {"GET key\r\n", State::kNeedMore, "", ""},
      {"GET / HTTP/1.1\r\nHost: a:80:b\r\n\r\n", State::kHttp, "a:80:b", "/"},
      {"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n", State::kHttp, "b@a", "/"},
      {std::string("\x16\x03\x01\x00\x05hello", 10), State::kBroken, "", ""},
  };
  for (const Case& wanted : cases) {
    for (const std::size_t piece : {1U, 3U, 100000U}) {
      FirstBytes first;
      CAPTURE(wanted.bytes, piece);
      CHECK(state_after(first, wanted.bytes, piece) == wanted.state);
      CHECK((first.request().host == wanted.host && first.request().path == wanted.path));
    }
  }
  // The end of the connection ends a line, too.
  for (const auto& [text, state] : {std::pair("GET /d", State::kBroken),
                                    {"GET d HTTP/1.1", State::kBroken},
                                    {"GET key\r\n", State::kOther},
                                    {"GET key", State::kOther},
                                    {"ruok", State::kOther}}) {
    FirstBytes ended;
    ended.feed(text);
    CAPTURE(text);
    CHECK(ended.end() == state);
  }
  FirstBytes both;
  both.feed("GET http://a/ HTTP/1.1\r\nHost: b:80\r\n\r\n");
  CHECK((both.request().host == "a" && both.request().other_host == "b"));
  // Nobody waits for more of what does not look like it.
  for (const char* const text : {"GET key\r\n", "hello world", "set a"}) {
    FirstBytes other;
    other.feed(text);
    CAPTURE(text);
    CHECK((other.state() == State::kNeedMore && !other.expects_more()));
  }
  FirstBytes endless;
  CHECK(state_after(endless, "GET / HTTP/1.1\r\n" + std::string(200000, 'x'), 1000) == State::kBroken);
  // A stream without an end of line may be one, as long as some server would read on.
  FirstBytes stream;
  const std::string much(std::size_t{4} << 20U, 'x');
  for (int i = 0; i < 3; ++i) CHECK(stream.feed(much) == State::kNeedMore);
  FirstBytes late = stream;
  CHECK(late.feed("HTT") == State::kNeedMore);
  CHECK(late.feed("p/1.1") == State::kBroken);
  for (int i = 0; i < 2; ++i) stream.feed(much);
  CHECK(stream.state() == State::kOther);
  CHECK(plain_host("EXAMPLE.com.") == "example.com");
}
