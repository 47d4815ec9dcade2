#include <catch2/catch.hpp>

#include "fake_wire.h"
#include "gate/recorder.h"
#include "gate/recording.h"
#include "gate/replay_service.h"

using namespace rehearse::gate;

namespace {

/// What a recorder makes of a conversation: pieces of the client and of the server in turn, the client's
/// first.
std::vector<Exchange> recorded(const std::vector<std::string>& pieces, std::size_t cut = SIZE_MAX) {
  std::vector<Exchange> exchanges;
  Recorder recorder([&](Exchange exchange) { exchanges.push_back(std::move(exchange)); });
  bool client = true;
  for (const std::string& piece : pieces) {
    for (std::string_view rest = piece; !rest.empty(); rest.remove_prefix(std::min(cut, rest.size()))) {
      if (client) {
        recorder.from_client(rest.substr(0, cut));
      } else {
        recorder.from_server(rest.substr(0, cut));
      }
    }
    client = !client;
  }
  recorder.end();
  return exchanges;
}

Recording recording_of(const std::vector<std::vector<Exchange>>& connections) {
  std::vector<KeptExchange> kept;
  std::uint64_t number = 0;
  for (const auto& connection : connections) {
    ++number;
    for (const Exchange& exchange : connection) {
      KeptExchange one;
      one.connection = number;
      one.exchange = exchange;
      redact(one.exchange, {});
      kept.push_back(one);
    }
  }
  return Recording(std::move(kept));
}

const std::string kGet1 = "GET /1?token=abc HTTP/1.1\r\nHost: a\r\nCookie: x=y\r\n\r\n";
const std::string kGet2 = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kHead = "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kPost = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const std::string kChunked =
    "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

TEST_CASE("HTTP is recorded by request, however it is cut") {
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1}, std::size_t{10}}) {
    const auto exchanges =
        recorded({kGet1 + kHead, kChunked + "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", kPost,
                  kContinue + "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", kGet2,
                  "HTTP/1.1 200 OK\r\n\r\nto the end"},
                 cut);
    REQUIRE(exchanges.size() == 4);
    for (const Exchange& exchange : exchanges)
      CHECK((exchange.kind == ExchangeKind::kHttp && exchange.outcome == Outcome::kPassed &&
             exchange.remark.empty()));
    CHECK(exchanges[0].request.head == "GET /1?token=abc HTTP/1.1");
    CHECK(exchanges[0].reply.body == "one");
    CHECK(exchanges[1].request.head == "HEAD /1 HTTP/1.1");
    CHECK(exchanges[1].reply.body.empty());
    CHECK(exchanges[2].request.body == "abc");
    CHECK(exchanges[2].reply.head == "HTTP/1.1 404 Not Found");
    CHECK(exchanges[3].reply.body == "to the end");
  }
}

TEST_CASE("Other protocols are recorded by turn") {
  const auto exchanges = recorded({"", "220 ready\r\n", "HELLO\r\n", "250 ok\r\n", "BYE\r\n"});
  REQUIRE(exchanges.size() == 3);
  CHECK((exchanges[0].request.body.empty() && exchanges[0].reply.body == "220 ready\r\n"));
  CHECK((exchanges[1].request.body == "HELLO\r\n" && exchanges[1].reply.body == "250 ok\r\n"));
  CHECK((exchanges[2].request.body == "BYE\r\n" && exchanges[2].reply.body.empty()));
  const std::string hello("\x16\x03\x01", 3);
  const auto tls = recorded({hello, "server"});
  REQUIRE(tls.size() == 1);
  CHECK((tls[0].request.body == hello && tls[0].reply.body == "server"));
}

TEST_CASE("HTTP that ends, breaks off or becomes something else") {
  auto exchanges = recorded({kGet1 + kGet2});
  REQUIRE(exchanges.size() == 2);
  CHECK(exchanges[1].remark == "the connection ended before the exchange did");
  exchanges = recorded(
      {kGet1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01x", "\x81\x01y"});
  REQUIRE(exchanges.size() == 3);
  CHECK(exchanges[0].reply.head == "HTTP/1.1 101 Switching Protocols");
  CHECK(exchanges[1].kind == ExchangeKind::kStream);
  CHECK(exchanges[1].reply.body == "\x81\x01x");
  exchanges = recorded({kGet1, "garbage\r\n"});
  REQUIRE(!exchanges.empty());
  CHECK(exchanges[0].request.head == "GET /1?token=abc HTTP/1.1");
  CHECK(exchanges[0].remark == "the server no longer speaks HTTP");
  exchanges = recorded({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
                        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", "defghij"});
  REQUIRE(exchanges.size() == 2);
  CHECK(exchanges[0].remark == "answered before the request was whole");
}

TEST_CASE("Recorded HTTP is answered again, secrets or not, in any order") {
  Recording recording =
      recording_of({recorded({kGet1, kChunked, kPost, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"}),
                    recorded({kHead, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"})});
  FakeClient client(make_replay_service(recording));
  client.send(kPost);
  CHECK(client.received() == "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
  CHECK(recording.unused() == 2);
  FakeClient other(make_replay_service(recording));
  other.send(kGet1 + kHead);
  CHECK(other.received() ==
        "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: "
        "99\r\n\r\n");
  CHECK(other.wire.notes.at(0).outcome == Outcome::kReplayed);
  CHECK(recording.unused() == 0);
}

TEST_CASE("HTTP that was not recorded like this diverges") {
  Recording recording =
      recording_of({recorded({kPost, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"})});
  FakeClient client(make_replay_service(recording));
  client.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz");
  CHECK(client.received().ends_with("ok"));
  client.send(kPost);
  CHECK(client.received().ends_with("ok"));
  client.send(kGet2);
  CHECK(client.received().starts_with("HTTP/1.1 501"));
  REQUIRE(client.wire.notes.size() == 3);
  for (const Exchange& exchange : client.wire.notes) CHECK(exchange.outcome == Outcome::kDiverged);
  CHECK(client.wire.notes[0].remark == "recorded with another body");
  CHECK(client.wire.notes[1].remark == "asked more often than recorded");
  CHECK(client.wire.notes[2].remark == "GET /2 was not recorded");
}

TEST_CASE("A large body is told from another by what is not kept of it") {
  const std::size_t size = kMostKept + 1000;
  const auto post = [size](char last) {
    return "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size - 1, 'q') + last;
  };
  const std::string reply = "HTTP/1.1 204 No Content\r\n\r\n";
  for (const std::size_t cut : {SIZE_MAX, std::size_t{1000}}) {
    Recording recording = recording_of({recorded({post('X'), reply, post('Y'), reply}, cut)});
    FakeClient client(make_replay_service(recording));
    for (const char last : {'Y', 'X', 'Z'}) client.send(post(last));
    REQUIRE(client.wire.notes.size() == 3);
    CHECK(client.wire.notes[0].outcome == Outcome::kReplayed);
    CHECK(client.wire.notes[1].outcome == Outcome::kReplayed);
    CHECK(client.wire.notes[2].remark == "recorded with another body");
  }
  // Recorded before digests were kept.
  auto exchanges = recorded({post('X'), reply});
  CHECK(exchanges.at(0).request.digest.size() == 64);
  exchanges.at(0).request.digest.clear();
  Recording old = recording_of({exchanges});
  FakeClient client(make_replay_service(old));
  client.send(post('Z'));
  CHECK(client.wire.notes.at(0).outcome == Outcome::kReplayed);
}

TEST_CASE("A recording that was edited cannot break the framing") {
  std::vector<Exchange> edited = recorded({kGet2, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok"});
  edited[0].reply.headers[0].value = "b\r\nInjected: yes";
  Recording recording = recording_of({edited});
  FakeClient client(make_replay_service(recording));
  client.send(kGet2);
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST_CASE("Streams are replayed turn by turn") {
  const auto conversation = recorded({"", "220 ready\r\n", "HELLO\r\n", "250 ok\r\n", "BYE\r\n"});
  Recording recording = recording_of({conversation, conversation, conversation});
  FakeClient same(make_replay_service(recording));
  CHECK(same.received() == "220 ready\r\n");
  same.send_slowly("HELLO\r\nBYE\r\n", 1);
  same.end();
  CHECK(same.received() == "250 ok\r\n");
  CHECK((same.wire.finishes == 1 && same.wire.resets == 0));
  for (const Exchange& exchange : same.wire.notes) CHECK(exchange.outcome == Outcome::kReplayed);

  FakeClient other(make_replay_service(recording));
  other.send("HELP\r\n");
  CHECK(other.wire.resets == 1);
  CHECK(other.wire.notes.back().remark == "turn 2 is not as recorded");
  CHECK(recording.unused() == 3);

  FakeClient early(make_replay_service(recording));
  early.end();
  CHECK(early.wire.notes.back().remark == "the client ended within turn 2");

  FakeClient fourth(make_replay_service(recording));
  CHECK(fourth.wire.resets == 1);
  CHECK(fourth.wire.notes.back().remark == "there are more connections than recorded");
}

TEST_CASE("Recorded mails are compared by their envelope and text") {
  const std::string mail = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntext\r\n.\r\n";
  const MockService mock = SmtpMock();
  FakeClient first(make_service(mock));
  first.send(mail);
  Recording recording = recording_of({first.wire.notes});
  FakeClient client(make_replay_service(recording));
  client.send(mail + "MAIL FROM:<a@b>\r\nRCPT TO:<e@f>\r\nDATA\r\ntext\r\n.\r\n");
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[0].outcome == Outcome::kReplayed);
  CHECK(client.wire.notes[1].outcome == Outcome::kDiverged);
  CHECK(client.wire.notes[1].remark == "not recorded");
}

TEST_CASE("What a mock did to a reply is done to it again") {
  HttpMock mock;
  const auto add = [&mock](const char* path, Fault fault) {
    HttpRoute route;
    route.method = "GET";
    route.path = path;
    route.body = "twelve bytes";
    route.fault = fault;
    mock.routes.push_back(route);
  };
  add("/cut", Fault::kTruncate);
  add("/never", Fault::kTimeout);
  add("/reset", Fault::kReset);
  add("/whole", Fault::kNone);
  const MockService service = mock;
  for (const std::string line :
       {"GET /cut HTTP/1.1", "GET /never HTTP/1.1", "GET /reset HTTP/1.1", "HEAD /whole HTTP/1.1"}) {
    INFO(line);
    const std::string request = line + "\r\nHost: a\r\n\r\n";
    FakeClient first(make_service(service));
    first.send(request);
    Recording recording = recording_of({first.wire.notes});
    FakeClient again(make_replay_service(recording));
    again.send(request);
    CHECK(again.wire.sent == first.wire.sent);
    CHECK((again.wire.resets == first.wire.resets && again.wire.finishes == first.wire.finishes));
    REQUIRE(again.wire.notes.size() == 1);
    CHECK(again.wire.notes[0].outcome == Outcome::kReplayed);
    CHECK(again.wire.notes[0].ending == first.wire.notes[0].ending);
  }
}

TEST_CASE("What cannot be replayed as it was diverges") {
  const auto replayed = [](const std::vector<std::string>& pieces) {
    Recording recording = recording_of({recorded(pieces)});
    FakeClient client(make_replay_service(recording));
    client.send(pieces.at(0));
    REQUIRE(client.wire.notes.size() == 1);
    CHECK(client.wire.notes[0].outcome == Outcome::kDiverged);
    return client.wire.notes[0].remark;
  };
  CHECK(replayed({kGet2, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "\x81\x01y"}) ==
        "what followed 101 in answer to GET /2 is not replayed");
  CHECK(replayed({kGet2}) == "it was recorded without a reply: the connection is reset");
  CHECK(replayed({kGet2, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\non"}) ==
        "its reply was recorded without its end");
  // Its length says that it was cut.
  Recording recording = recording_of({recorded({kGet2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\non"})});
  FakeClient client(make_replay_service(recording));
  client.send(kGet2);
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\non");
  CHECK(client.wire.finishes == 1);
}

TEST_CASE("What a server said behind the client's end waits for it") {
  std::vector<Exchange> exchanges;
  Recorder recorder([&](Exchange exchange) { exchanges.push_back(std::move(exchange)); });
  recorder.from_client("one\n");
  recorder.from_server("two");
  recorder.client_ended();
  recorder.from_server("BYE");
  recorder.end();
  REQUIRE(exchanges.size() == 2);
  CHECK((!exchanges[0].after_end && exchanges[1].after_end));
  Recording recording = recording_of({exchanges, exchanges});
  FakeClient client(make_replay_service(recording));
  client.send("one\n");
  CHECK(client.received() == "two");
  CHECK(client.wire.finishes == 0);
  client.end();
  CHECK(client.received() == "BYE");
  CHECK((client.wire.finishes == 1 && client.wire.resets == 0));
  FakeClient other(make_replay_service(recording));
  other.send("one\nmore");
  CHECK(other.wire.resets == 1);
  CHECK(other.wire.notes.back().remark == "turn 2 is not as recorded");
}

TEST_CASE("A mail that was refused when it was recorded is no exact replay") {
  SmtpMock mock;
  mock.max_bytes = 3;
  const MockService service = mock;
  const std::string mail =
      "EHLO x\r\nMAIL FROM:<a@b> X=1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntext\r\n.\r\n";
  FakeClient first(make_service(service));
  first.send(mail);
  Recording recording = recording_of({first.wire.notes});
  FakeClient client(make_replay_service(recording));
  client.send(mail);
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[0].outcome == Outcome::kUnmatched);
  CHECK(client.wire.notes[1].outcome == Outcome::kDiverged);
  CHECK(client.wire.notes[1].remark == "it was answered 552 5.3.4 The mail is too large");
  CHECK(recording.unused() == 0);
}
