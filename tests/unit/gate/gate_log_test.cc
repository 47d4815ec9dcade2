#include "gate/gate_log.h"

#include <catch2/catch.hpp>

#include "address.h"
#include "base/sys.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

ConnectionRecord connection() {
  ConnectionRecord record;
  record.id = 7;
  record.refused_in = 5;
  record.address = ip("198.18.0.9");
  record.port = 443;
  record.client_address = ip("127.0.0.1");
  record.client_port = 40000;
  record.name = "a.example.com";
  record.sni = std::string("\x1b[2K\xff", 5);
  record.http_path = std::string(5000, 'p');
  record.verdict = GateVerdict::kPassed;
  record.rule = "tcp:*:443";
  record.bytes_out = ~std::uint64_t{0};
  record.begun_ns = 5;
  record.ended_ns = 9;
  record.error = "why";
  return record;
}

QuestionRecord question(const std::string& name, std::int64_t time) {
  return {{name, DnsType::kAaaa, DnsAnswer::kSynthetic, {ip("2001:2::c612:9")}},
          {Protocol::kTcp, ip("192.0.2.53"), 40001},
          time,
          1};
}

GateLog written(const std::function<void(GateLogWriter&)>& write, std::uint64_t most = kMostLog) {
  auto file = sys::memfd("log", 0);
  REQUIRE(file);
  GateLogWriter log(file->get(), most);
  write(log);
  REQUIRE(log.finish({.connections = 3, .unused_recordings = 2}));
  auto read = read_gate_log(file->get());
  INFO((read ? "" : read.error().what));
  REQUIRE(read);
  return *read;
}

std::string log_error(std::string_view text) {
  const auto log = parse_gate_log(text);
  return log ? "it parses" : log.error().what;
}

}  // namespace

TEST_CASE("The gate's log comes back as it was written") {
  const GateLog log = written([](GateLogWriter& writer) {
    writer.write(question("a.example.com", 3));
    writer.write(connection());
    writer.write(question("a.example.com", 4));
    writer.write(question("a.example.com", 5));
    writer.write(question("b.example.com", 6));
  });
  REQUIRE(log.questions.size() == 2);
  CHECK((log.questions[0].question.name == "a.example.com" && log.questions[0].count == 3));
  CHECK((log.questions[0].time_ns == 3 && log.questions[0].question.type == DnsType::kAaaa));
  CHECK(log.questions[0].question.addresses == std::vector<IpAddress>{ip("2001:2::c612:9")});
  CHECK(log.questions[0].ends == QuestionEnds{Protocol::kTcp, ip("192.0.2.53"), 40001});
  CHECK((log.questions[1].question.name == "b.example.com" && log.questions[1].count == 1));
  REQUIRE(log.connections.size() == 1);
  const ConnectionRecord wanted = connection();
  const ConnectionRecord& got = log.connections[0];
  CHECK((got.id == wanted.id && got.refused_in == 5 && got.address == wanted.address &&
         got.port == wanted.port));
  CHECK((got.client_address == wanted.client_address && got.client_port == wanted.client_port));
  CHECK((got.name == wanted.name && got.sni == wanted.sni && got.rule == wanted.rule));
  CHECK(got.http_path == std::string(kMostTextKept, 'p'));
  CHECK((got.verdict == wanted.verdict && got.bytes_out == wanted.bytes_out && got.error == wanted.error));
  CHECK((got.begun_ns == 5 && got.ended_ns == 9));
  REQUIRE(log.totals);
  CHECK((log.totals->questions == 4 && log.totals->connections == 3 && log.totals->unused_recordings == 2));
  CHECK(log.totals->lines_not_kept == 0);
}

TEST_CASE("A question from many ports has a line for each, until there are very many") {
  const GateLog log = written([](GateLogWriter& writer) {
    for (std::uint16_t port = 1; port <= 1000; ++port) {
      QuestionRecord asked = question("a.example.com", port);
      asked.ends.client_port = port;
      writer.write(asked);
      writer.write(asked);
    }
  });
  REQUIRE(log.questions.size() == 65);
  CHECK((log.questions[63].ends.client_port == 64 && log.questions[63].count == 2));
  CHECK((log.questions[64].ends.client_port == 0 && log.questions[64].count == 2 * 936));
  CHECK(log.questions[64].ends.server == ip("192.0.2.53"));
  CHECK(log.totals->questions == 2000);
}

TEST_CASE("A log that is full says what it lacks") {
  const GateLog log = written(
      [](GateLogWriter& writer) {
        for (int i = 0; i < 1000; ++i) writer.write(connection());
      },
      100'000);
  REQUIRE(log.totals);
  CHECK(log.connections.size() > 10);
  CHECK(log.connections.size() + log.totals->lines_not_kept == 1000);
}

TEST_CASE("A log of a worker that was killed has no totals") {
  auto file = sys::memfd("log", 0);
  GateLogWriter log(file->get());
  log.write(question("a.b", 1));
  log.flush();
  REQUIRE(sys::write_all(file->get(), "{\"type\":\"conn"));
  const auto read = read_gate_log(file->get());
  REQUIRE(read);
  CHECK(read->questions.size() == 1);
  CHECK_FALSE(read->totals);
}

TEST_CASE("What the writer does not write is refused with its line") {
  const std::string head = "{\"schema\":\"rehearse.gate/1\"}\n";
  CHECK(log_error("{}\n").find("line 1") != std::string::npos);
  CHECK(log_error("{\"schema\":\"rehearse.gate/2\"}\n").find("schema") != std::string::npos);
  CHECK(log_error(head + "nonsense\n").find("line 2") != std::string::npos);
  CHECK(log_error(head + "{\"type\":\"x\"}\n").find("type") != std::string::npos);
  CHECK(log_error(head + "{\"type\":\"dns\",\"qtype\":\"WHAT\"}\n").find("qtype") != std::string::npos);
  CHECK(log_error(head + "{\"type\":\"connection\",\"protocol\":\"tcp\",\"address\":\"x\"}\n")
            .find("address") != std::string::npos);
  CHECK(log_error(head + "{\"type\":\"totals\"}\n{\"type\":\"totals\"}\n").find("behind the totals") !=
        std::string::npos);
  CHECK(log_error(head + std::string(70000, ' ') + "\n").find("longer") != std::string::npos);
}
