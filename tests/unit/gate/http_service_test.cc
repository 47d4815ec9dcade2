#include "gate/http_service.h"

#include <catch2/catch.hpp>

#include "fake_wire.h"

using namespace rehearse::gate;

namespace {

HttpMock hooks() {
  HttpMock mock;
  HttpRoute hook;
  hook.method = "POST";
  hook.path = "/hooks/*";
  hook.status = 202;
  hook.reply_headers = {{"Content-Type", "text/plain"}};
  hook.body = "ok";
  mock.routes.push_back(hook);
  return mock;
}

/// A mock whose only answer to anything is this.
HttpMock always(const HttpRoute& route) {
  return {{route}};
}
HttpRoute body_route(std::string body) {
  HttpRoute route;
  route.body = std::move(body);
  return route;
}

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

}  // namespace

TEST_CASE("A route answers, and the exchange is noted") {
  const HttpMock mock = hooks();
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send(
      "POST /hooks/1?x HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: "
      "*/*\r\nContent-Length: "
      "7\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=1&b=2");
  CHECK(client.received() ==
        "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");
  REQUIRE(client.wire.notes.size() == 1);
  const Exchange& exchange = client.wire.notes[0];
  CHECK(exchange.outcome == Outcome::kServed);
  CHECK(exchange.request.head == "POST /hooks/1?x HTTP/1.1");
  CHECK(exchange.request.body == "a=1&b=2");
  CHECK(exchange.reply.head == "HTTP/1.1 202 Accepted");
  CHECK(exchange.reply.body == "ok");
  CHECK(client.wire.finishes == 0);
  client.end();
  CHECK(client.wire.finishes == 1);
}

TEST_CASE("What no route matches is a finding, and the connection goes on") {
  const HttpMock mock = hooks();
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send(
      "GET /hooks/1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /hooks/2 HTTP/1.1\r\nHost: a\r\nContent-Length: "
      "0\r\n\r\n");
  const std::string answers = client.received();
  CHECK(answers.starts_with("HTTP/1.1 501 Not Implemented\r\n"));
  CHECK(answers.find("no route of the mock matches GET /hooks/1") != std::string::npos);
  CHECK(answers.find("HTTP/1.1 202 Accepted\r\n") != std::string::npos);
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[0].outcome == Outcome::kUnmatched);
  CHECK(client.wire.notes[1].outcome == Outcome::kServed);
}

TEST_CASE("Pipelined requests are answered in order, however they are cut") {
  HttpMock mock;
  for (const char* path : {"/1", "/2", "/3"}) {
    HttpRoute route = body_route(std::string("body of ") + path);
    route.path = path;
    mock.routes.push_back(route);
  }
  std::string requests;
  for (const char* path : {"/1", "/2", "/3"})
    requests += std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
  FakeClient at_once(std::make_unique<HttpMockService>(mock));
  at_once.send(requests);
  const std::string answers = at_once.received();
  CHECK(answers.find("/1") < answers.find("/2"));
  CHECK(answers.find("/2") < answers.find("/3"));
  CHECK(answers.find("/3") != std::string::npos);
  for (const std::size_t piece : {1U, 2U, 7U, 40U}) {
    FakeClient slowly(std::make_unique<HttpMockService>(mock));
    slowly.send_slowly(requests, piece);
    CHECK(slowly.received() == answers);
  }
}

TEST_CASE("A client that does not read stops the service from reading") {
  const HttpMock mock = always(body_route(std::string(100000, 'b')));
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.wire.room = 1000;
  client.send(std::string(kGet) + std::string(kGet) + std::string(kGet));
  CHECK(client.unread() == 2 * kGet.size());
  CHECK(client.wire.sent.size() == 1000);
  std::string all = client.received();
  for (int i = 0; i < 400; ++i) {
    client.read(1000);
    all += client.received();
  }
  CHECK(client.unread() == 0);
  CHECK(client.wire.notes.size() == 3);
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  CHECK(all ==
        head + std::string(100000, 'b') + head + std::string(100000, 'b') + head + std::string(100000, 'b'));
}

TEST_CASE("100 Continue is sent to who waits for it, once") {
  const HttpMock mock = always(body_route("done"));
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send(
      "PUT /up HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: "
      "*/*\r\nTransfer-Encoding: "
      "chunked\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.received() == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send_slowly("5\r\nhello\r\n0\r\n\r\n", 1);
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  CHECK(client.wire.notes.at(0).request.body == "hello");
}

TEST_CASE("HEAD, 204 and HTTP/1.0") {
  HttpMock mock = always(body_route("1234"));
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send("HEAD /p HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n");
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  client.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n1234");
  CHECK(client.wire.finishes == 0);
  client.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n1234");
  CHECK(client.wire.finishes == 1);
  client.send(kGet);  // swallowed
  CHECK(client.received().empty());

  mock = always({});
  mock.routes[0].status = 204;
  FakeClient empty(std::make_unique<HttpMockService>(mock));
  empty.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(empty.received() == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

TEST_CASE("Latency holds the answer and what comes behind it") {
  HttpRoute slow = body_route("late");
  slow.latency_ns = 200'000'000;
  const HttpMock mock = always(slow);
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send(std::string(kGet) + std::string(kGet));
  client.end();
  CHECK(client.received().empty());
  CHECK(client.unread() == kGet.size());
  CHECK(client.wire.wake_ns == 200'000'000);
  client.pass_time();
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
  CHECK(client.wire.finishes == 0);
  client.pass_time();
  CHECK(client.received() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
  CHECK(client.wire.finishes == 1);
}

TEST_CASE("Faults") {
  const auto faulty = [](Fault fault) {
    HttpRoute route = body_route("0123456789");
    route.fault = fault;
    return always(route);
  };
  const HttpMock reset = faulty(Fault::kReset);
  FakeClient first(std::make_unique<HttpMockService>(reset));
  first.send(kGet);
  CHECK((first.wire.resets == 1 && first.received().empty() && first.wire.notes.size() == 1));

  const HttpMock timeout = faulty(Fault::kTimeout);
  FakeClient second(std::make_unique<HttpMockService>(timeout));
  second.send(kGet);
  second.send(kGet);
  CHECK((second.received().empty() && second.wire.finishes == 0 && second.unread() == 0));
  second.end();
  CHECK(second.wire.finishes == 1);

  const HttpMock truncate = faulty(Fault::kTruncate);
  FakeClient third(std::make_unique<HttpMockService>(truncate));
  third.send(kGet);
  CHECK(third.received() == "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n01234");
  CHECK(third.wire.finishes == 1);

  const HttpMock error = faulty(Fault::kServerError);
  FakeClient fourth(std::make_unique<HttpMockService>(error));
  fourth.send(kGet);
  CHECK(fourth.received().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_CASE("What is no HTTP is answered, noted, and ends the connection") {
  const HttpMock mock = hooks();
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send("GET / HTTP/1.1\r\nHost: a\r\nbroken line\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = client.received();
  CHECK(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(client.wire.finishes == 1);
  REQUIRE(client.wire.notes.size() == 1);
  CHECK(client.wire.notes[0].outcome == Outcome::kMalformed);
  CHECK(client.wire.notes[0].remark == "not HTTP: a header field has no colon");

  FakeClient ended(std::make_unique<HttpMockService>(mock));
  ended.send("POST /hooks/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  ended.end();
  CHECK(ended.wire.notes.at(0).outcome == Outcome::kMalformed);
  CHECK(ended.wire.finishes == 1);

  FakeClient nothing(std::make_unique<HttpMockService>(mock));
  nothing.send("\r\n");
  nothing.end();
  CHECK(nothing.wire.notes.empty());
}

TEST_CASE("Routes match method, path, query and headers") {
  HttpMessage request;
  request.method = "GET";
  request.target = "http://a.example/v1/items?page=2";
  request.headers = {{"Accept", "application/json"}, {"X-Tag", "a"}, {"x-tag", "b"}};
  HttpRoute route;
  CHECK(route_matches(route, request));
  route.path = "/v1/*";
  CHECK(route_matches(route, request));
  route.path = "/v1/items?page=*";
  CHECK(route_matches(route, request));
  route.path = "/v1/items?page=3";
  CHECK_FALSE(route_matches(route, request));
  route.path = "/**";
  route.headers = {{"accept", "*json"}, {"X-TAG", "b"}};
  CHECK(route_matches(route, request));
  route.headers.push_back({"Missing", "*"});
  CHECK_FALSE(route_matches(route, request));
  route.headers.clear();
  route.method = "POST";
  CHECK_FALSE(route_matches(route, request));
  request.method = "HEAD";
  CHECK_FALSE(route_matches(route, request));
  route.method = "GET";
  CHECK(route_matches(route, request));
  route.method = "HEAD";
  CHECK(route_matches(route, request));
  request.method = "GET";
  CHECK_FALSE(route_matches(route, request));
}

TEST_CASE("A request whose answer never came to be sent is noted") {
  HttpRoute late = body_route("late");
  late.latency_ns = 2'000'000'000;
  const HttpMock mock = always(late);
  FakeClient waiting(std::make_unique<HttpMockService>(mock));
  waiting.send(kGet);
  CHECK(waiting.wire.notes.empty());
  waiting.vanish();
  REQUIRE(waiting.wire.notes.size() == 1);
  CHECK(waiting.wire.notes[0].outcome == Outcome::kUnanswered);
  CHECK(waiting.wire.notes[0].request.head == "GET /x HTTP/1.1");
  CHECK(waiting.wire.notes[0].ending == Ending::kNone);
  FakeClient half(std::make_unique<HttpMockService>(mock));
  half.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour");
  half.vanish();
  REQUIRE(half.wire.notes.size() == 1);
  CHECK(half.wire.notes[0].request.body == "four");
  FakeClient answered(std::make_unique<HttpMockService>(mock));
  answered.send(kGet);
  answered.pass_time();
  answered.vanish();
  REQUIRE(answered.wire.notes.size() == 1);
  CHECK(answered.wire.notes[0].outcome == Outcome::kServed);
}

TEST_CASE("A host's name is the same in any case") {
  HttpRoute route = body_route("here");
  route.headers = {{"host", "a.Example.com"}, {"X-Case", "Yes"}};
  const HttpMock mock = always(route);
  FakeClient client(std::make_unique<HttpMockService>(mock));
  client.send("GET / HTTP/1.1\r\nHost: A.example.COM\r\nX-Case: Yes\r\n\r\n");
  CHECK(client.received().ends_with("here"));
  client.send("GET / HTTP/1.1\r\nHost: A.example.COM\r\nX-Case: yes\r\n\r\n");
  CHECK(client.received().starts_with("HTTP/1.1 501"));
}
