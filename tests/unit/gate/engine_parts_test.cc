// The small parts that the engine is made of.
#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <random>

#include "gate/datagram.h"
#include "gate/first_bytes.h"
#include "gate/hosts_file.h"
#include "gate/pass_budget.h"
#include "gate/timer_queue.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

IpAddress ip(std::string_view text) {
  return parse_ip(text).value();
}

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
      {std::string("\x16\x03\x01\x00\x05hello", 10), State::kBroken, "", ""},
  };
  for (const Case& wanted : cases) {
    for (const std::size_t piece : {1U, 3U, 100000U}) {
      FirstBytes first;
      CAPTURE(wanted.bytes, piece);
      CHECK(state_after(first, wanted.bytes, piece) == wanted.state);
      CHECK((first.host() == wanted.host && first.path() == wanted.path));
    }
  }
  FirstBytes endless;
  CHECK(state_after(endless, "GET / HTTP/1.1\r\n" + std::string(200000, 'x'), 1000) == State::kBroken);
  CHECK(plain_host("EXAMPLE.com.") == "example.com");
}
