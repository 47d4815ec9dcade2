#include "gate/exchange_file.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>

#include "base/sys.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

KeptExchange example() {
  KeptExchange kept;
  kept.connection = 7;
  kept.time_ns = 1'500'000'000;
  kept.address = "198.18.0.3";
  kept.port = 80;
  kept.name = "api.example.com";
  kept.rule = "mock.toml:3";
  kept.exchange = {ExchangeKind::kHttp, Outcome::kServed, "", {}, {}};
  kept.exchange.request = {
      "POST /x HTTP/1.1", {{"Host", "api.example.com"}, {"X", "\xff"}}, std::string("\0\x1b", 2), 2};
  kept.exchange.reply = {"HTTP/1.1 200 OK", {}, "ok", 2};
  return kept;
}

std::string content(int fd) {
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  return sys::read_all(fd).value();
}

}  // namespace

TEST_CASE("Exchanges are read back as they were written") {
  const UniqueFd file = sys::memfd("exchanges", 0).value();
  auto writer = ExchangeWriter::create(file.get()).value();
  KeptExchange stream = example();
  stream.exchange = {ExchangeKind::kStream, Outcome::kDiverged, "turn 1 is \x1b[2K", {}, {}};
  stream.protocol = Protocol::kUdp;
  stream.exchange.ending = Ending::kCut;
  stream.exchange.after_end = true;
  stream.exchange.tls = true;
  REQUIRE(writer.write(example()));
  REQUIRE(writer.write(stream));
  REQUIRE(writer.finish());
  const std::string text = content(file.get());
  CHECK(text.starts_with("{\"schema\":\"rehearse.exchanges/1\"}\n"));
  CHECK(text.find('\x1b') == std::string::npos);
  const ExchangeFile read = parse_exchanges(text).value();
  REQUIRE(read.exchanges.size() == 2);
  CHECK(read.exchanges[0] == example());
  CHECK(read.exchanges[1] == stream);
  CHECK(read.dropped == 0);
}

TEST_CASE("Bodies and files are cut, and say so") {
  const UniqueFd file = sys::memfd("exchanges", 0).value();
  auto writer = ExchangeWriter::create(file.get(), {.body_bytes = 10, .file_bytes = 1000}).value();
  KeptExchange large = example();
  large.exchange.reply = {"HTTP/1.1 200 OK", {}, std::string(100, 'x'), 100};
  for (int i = 0; i < 10; ++i) REQUIRE(writer.write(large));
  REQUIRE(writer.finish());
  const ExchangeFile read = parse_exchanges(content(file.get())).value();
  CHECK(read.exchanges.size() + read.dropped == 10);
  CHECK((!read.exchanges.empty() && read.dropped > 0));
  CHECK(read.exchanges[0].exchange.reply.body.size() == 10);
  CHECK(read.exchanges[0].exchange.reply.cut());
}

TEST_CASE("A reply's body is written once, however often it was sent") {
  const UniqueFd file = sys::memfd("exchanges", 0).value();
  auto writer =
      ExchangeWriter::create(file.get(), {.body_bytes = kMostKept, .file_bytes = 1U << 20U}).value();
  KeptExchange large = example();
  large.exchange.reply = {"HTTP/1.1 200 OK", {}, std::string(kMostKept, 'x'), 300'000};
  for (int i = 0; i < 250; ++i) REQUIRE(writer.write(large));
  REQUIRE(writer.finish());
  CHECK(writer.dropped() == 0);
  const ExchangeFile read = parse_exchanges(content(file.get())).value();
  REQUIRE(read.exchanges.size() == 250);
  CHECK(read.exchanges.front() == large);
  CHECK(read.exchanges.back() == large);
  CHECK(read.exchanges.back().exchange.reply.cut());
  CHECK(read.exchanges.back().exchange.reply.shared == read.exchanges.front().exchange.reply.shared);
}

TEST_CASE("Findings are kept though the file is full, without their bodies") {
  const UniqueFd file = sys::memfd("exchanges", 0).value();
  auto writer = ExchangeWriter::create(file.get(), {.body_bytes = 1000, .file_bytes = 2000}).value();
  KeptExchange one = example();
  one.exchange.request.body = std::string(1000, 'x');
  one.exchange.request.body_bytes = 1000;
  for (int i = 0; i < 3; ++i) REQUIRE(writer.write(one));
  one.exchange.outcome = Outcome::kUnmatched;
  REQUIRE(writer.write(one));
  REQUIRE(writer.finish());
  const ExchangeFile read = parse_exchanges(content(file.get())).value();
  CHECK(read.dropped == 2);
  REQUIRE(read.exchanges.size() == 2);
  CHECK(read.exchanges.back().exchange.outcome == Outcome::kUnmatched);
  CHECK(read.exchanges.back().exchange.request.cut());
}

TEST_CASE("Damaged recordings name the line") {
  const auto wrong = [](std::string_view lines) {
    const auto file = parse_exchanges("{\"schema\":\"rehearse.exchanges/1\"}\n" + std::string(lines));
    return file ? "it parses" : file.error().what;
  };
  CHECK(parse_exchanges("").error().what == "line 1 of the recorded exchanges: there is none");
  CHECK(parse_exchanges("{}\n").error().what ==
        "line 1 of the recorded exchanges: schema is not \"rehearse.exchanges/1\"");
  CHECK(wrong("{") == "line 2 of the recorded exchanges: not well-formed JSON");
  CHECK(wrong("[]") == "line 2 of the recorded exchanges:  is not an object");
  CHECK(wrong("{\"port\":70000}") == "line 2 of the recorded exchanges: proto is not a word known here");
  CHECK(wrong(R"({"proto":"tcp","port":70000})") ==
        "line 2 of the recorded exchanges: port is not an integer in range");
  CHECK(
      wrong(R"({"proto":"tcp","kind":"http","outcome":"served","request":{"body":"QQ==","body_bytes":0}})") ==
      "line 2 of the recorded exchanges: request.body_bytes is not the length of the body or more");
}

TEST_CASE("Secrets are hidden before anything is written") {
  Exchange exchange;
  exchange.kind = ExchangeKind::kHttp;
  exchange.request = {"GET http://me:geheim@h.example/x?token=geheim&page=2&api_key=geheim HTTP/1.1",
                      {{"AUTHORIZATION", "Basic geheim"},
                       {"Proxy-Authorization", "geheim"},
                       {"Cookie", "id=geheim"},
                       {"X-Api-Key", "geheim"},
                       {"Referer", "https://a:geheim@h/?password=geheim#frag"},
                       {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                      "user=me&password=geheim&next=1",
                      30};
  exchange.reply = {
      "HTTP/1.1 302 Found",
      {{"Set-Cookie", "id=geheim"}, {"Location", "http://a:geheim@b http://c:geheim@d/?secret=geheim"}},
      "plain",
      5};
  exchange.remark = "no route of the mock matches GET /x?token=geheim";
  const std::uint64_t hidden = redact(exchange, {});
  CHECK(hidden == 15);
  CHECK(exchange.request.head == "GET http://me:***@h.example/x?token=***&page=2&api_key=*** HTTP/1.1");
  CHECK(exchange.request.headers[0].value == "***");
  CHECK(exchange.request.headers[4].value == "https://a:***@h/?password=***#frag");
  CHECK(exchange.request.body == "user=me&password=***&next=1");
  CHECK_FALSE(exchange.request.cut());
  CHECK(exchange.reply.headers[1].value == "http://a:***@b http://c:***@d/?secret=***");
  KeptExchange kept;
  kept.exchange = exchange;
  const UniqueFd file = sys::memfd("exchanges", 0).value();
  auto writer = ExchangeWriter::create(file.get()).value();
  REQUIRE(writer.write(kept));
  REQUIRE(writer.finish());
  const std::string written = content(file.get());
  CHECK(written.find("no route of the mock matches") != std::string::npos);
  CHECK(written.find("geheim") == std::string::npos);
  CHECK(redact(exchange, {}) == 0);
}

TEST_CASE("A file that breaks is said at the end, and not written any more") {
  ::signal(SIGPIPE, SIG_IGN);
  auto file = sys::pipe(O_CLOEXEC).value();
  auto writer = ExchangeWriter::create(file.write.get()).value();
  file.read.reset();
  REQUIRE(writer.write(example()));
  CHECK_FALSE(writer.flush());
  CHECK(writer.write(example()));
  CHECK(writer.flush());
  const auto finished = writer.finish();
  REQUIRE_FALSE(finished);
  CHECK(finished.error().err == EPIPE);
}

TEST_CASE("What is no secret stays") {
  Exchange exchange;
  exchange.request = {
      "GET /token/x?page=2&tokens-file=a HTTP/1.1", {{"Host", "a"}, {"ETag", "token=x"}}, "password=x", 10};
  const Exchange before = exchange;
  CHECK(redact(exchange, {}) == 0);
  CHECK(exchange == before);
}

TEST_CASE("Passwords of commands are not quoted") {
  CHECK(shown_command("AUTH PLAIN AGEAYg==") == "AUTH PLAIN ***");
  CHECK(shown_command("pass x y") == "pass ***");
  CHECK(shown_command("LOGIN root hunter2") == "LOGIN root ***");
  CHECK(shown_command("a1 LOGIN root hunter2") == "a1 LOGIN root ***");
  CHECK(shown_command("set password=hunter2") == "set password=***");
  CHECK(shown_command("QUIT") == "QUIT");
  CHECK(shown_command("USER root") == "USER root");
}
