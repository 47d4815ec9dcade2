#include "gate/script_service.h"

#include <catch2/catch.hpp>

#include "fake_wire.h"

using namespace rehearse::gate;

TEST_CASE("A canned reply, whoever speaks first") {
  const ScriptMock mock{{{std::nullopt, "hello\r\n"}}};
  FakeClient client(std::make_unique<ScriptService>(mock));
  CHECK(client.received() == "hello\r\n");
  CHECK(client.wire.finishes == 1);
  client.send("some");
  client.send("thing");
  client.end();
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[0].reply.body == "hello\r\n");
  CHECK(client.wire.notes[1].request.body == "something");
}

TEST_CASE("A script goes line by line") {
  const ScriptMock mock{{{std::nullopt, "220 ready\r\n"},
                         {"USER *", "331 password\r\n"},
                         {"PASS *", "230 in\r\n"},
                         {std::nullopt, "bye\r\n"}}};
  for (const std::size_t piece : {1U, 100U}) {
    FakeClient client(std::make_unique<ScriptService>(mock));
    client.send_slowly("USER me\r\nPASS x/y\nrest", piece);
    CHECK(client.received() == "220 ready\r\n331 password\r\n230 in\r\nbye\r\n");
    CHECK(client.wire.finishes == 1);
    REQUIRE(client.wire.notes.size() == 4);
    CHECK(client.wire.notes[1].request.body == "USER me\r\n");
    CHECK(client.wire.notes[1].reply.body == "331 password\r\n");
    CHECK(client.wire.notes[1].outcome == Outcome::kServed);
  }
}

TEST_CASE("Another line than expected is a finding and ends the script") {
  const ScriptMock mock{{{"PING", "PONG\n"}, {"QUIT", ""}}};
  FakeClient client(std::make_unique<ScriptService>(mock));
  client.send("PING\nPONG\nQUIT\n");
  CHECK(client.received() == "PONG\n");
  CHECK(client.wire.finishes == 1);
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[1].outcome == Outcome::kUnmatched);
  CHECK(client.wire.notes[1].remark == R"(step 2 of the script expects "QUIT", not "PONG")");
}

TEST_CASE("The end of the client within a script") {
  const ScriptMock mock{{{"PING", "PONG\n"}, {"QUIT", "BYE\n"}}};
  FakeClient client(std::make_unique<ScriptService>(mock));
  client.send("PING\nQUIT");
  client.end();
  CHECK(client.received() == "PONG\nBYE\n");
  CHECK(client.wire.finishes == 1);
  CHECK(client.wire.notes.back().outcome == Outcome::kServed);

  FakeClient early(std::make_unique<ScriptService>(mock));
  early.send("PING\n");
  early.end();
  CHECK(early.wire.finishes == 1);
  CHECK(early.wire.notes.back().remark == "the client ended before step 2 of the script");
}

TEST_CASE("A script is bounded by its client") {
  const ScriptMock mock{{{std::nullopt, std::string(10000, 'a')}, {"GO", std::string(10000, 'b')}}};
  FakeClient client(std::make_unique<ScriptService>(mock));
  client.read(0);
  client.received();
  FakeClient deaf(std::make_unique<ScriptService>(mock));
  deaf.received();
  deaf.wire.room = 10;
  deaf.send("GO\nmore");
  CHECK(deaf.wire.finishes == 0);
  deaf.read(SIZE_MAX);
  CHECK(deaf.wire.sent.size() == 10000);
  CHECK(deaf.wire.finishes == 1);

  FakeClient endless(std::make_unique<ScriptService>(mock));
  for (int i = 0; i < 10; ++i) endless.send(std::string(10000, 'x'));
  CHECK(endless.wire.notes.back().remark == "a line is longer than 64 KiB");
}
