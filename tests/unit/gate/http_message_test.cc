#include "gate/http_message.h"

#include <catch2/catch.hpp>

using namespace rehearse::gate;
using HttpState = HttpParser::State;

namespace {

HttpParser request(std::string_view bytes) {
  HttpParser parser(HttpParser::Kind::kRequest);
  parser.feed(bytes);
  return parser;
}
HttpParser reply(std::string_view bytes) {
  HttpParser parser(HttpParser::Kind::kReply);
  parser.feed(bytes);
  return parser;
}

/// The status that the request is refused with; 0 if it is not.
int refused(std::string_view head, std::string_view body = {}) {
  const HttpParser parser = request(std::string(head) + "\r\n\r\n" + std::string(body));
  return parser.state() == HttpState::kBroken ? parser.error().status : 0;
}

constexpr std::string_view kCurlUpload =
    "PUT /up HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: "
    "*/*\r\nTransfer-Encoding: "
    "chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

}  // namespace

TEST_CASE("Requests as curl and wget send them") {
  HttpParser parser = request(
      "GET /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n");
  REQUIRE(parser.state() == HttpState::kComplete);
  CHECK(parser.message().method == "GET");
  CHECK(parser.message().target == "/p?q=1");
  CHECK(*parser.message().header("user-agent") == "curl/7.88.1");
  CHECK(parser.message().keeps_alive());

  parser = request(
      "POST /hooks/1 HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: "
      "*/*\r\nContent-Length: "
      "7\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=1&b=2");
  REQUIRE(parser.state() == HttpState::kComplete);
  CHECK(parser.message().body == "a=1&b=2");

  parser = request(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nConnection: "
      "Upgrade, "
      "HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n");
  CHECK(parser.state() == HttpState::kComplete);
  CHECK(parser.message().lists("connection", "upgrade"));

  parser = request(
      "POST /f HTTP/1.1\r\nHost: 127.0.0.1:8099\r\nUser-Agent: Wget/1.21.3\r\nAccept: "
      "*/*\r\nAccept-Encoding: "
      "identity\r\nConnection: Keep-Alive\r\nContent-Type: "
      "application/x-www-form-urlencoded\r\nContent-Length: "
      "3\r\n\r\nx=y");
  CHECK(parser.state() == HttpState::kComplete);
  CHECK(parser.message().body == "x=y");
}

TEST_CASE("Chunks, however they are cut") {
  for (std::size_t piece = 1; piece <= kCurlUpload.size(); ++piece) {
    HttpParser parser(HttpParser::Kind::kRequest);
    for (std::size_t at = 0; at < kCurlUpload.size(); at += piece)
      CHECK(parser.feed(kCurlUpload.substr(at, piece)) == std::min(piece, kCurlUpload.size() - at));
    REQUIRE(parser.state() == HttpState::kComplete);
    CHECK(parser.message().body == "hello");
  }
  const HttpParser trailers = request(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;name=\"v\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\nX: "
      "y\r\n\r\n");
  REQUIRE(trailers.state() == HttpState::kComplete);
  CHECK(trailers.message().body == "abc0123456789");
}

TEST_CASE("A message ends where it ends") {
  const std::string two = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\nHost: x\n\n";
  HttpParser parser(HttpParser::Kind::kRequest);
  const std::size_t first = parser.feed(two);
  CHECK(first == two.find("GET /2"));
  parser.restart();
  CHECK(first + parser.feed(std::string_view(two).substr(first)) == two.size());
  CHECK(parser.message().target == "/2");
}

TEST_CASE("What is no request, and with which status it is refused") {
  CHECK(refused("GET / HTTP/1.1\r\nHost: x") == 0);
  CHECK(refused("GET / HTTP/1.1") == 400);
  CHECK(refused("GET / HTTP/1.0") == 0);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nHost: y") == 400);
  CHECK(refused("GET /") == 400);
  CHECK(refused("GET / HTTP/2.0") == 505);
  CHECK(refused("PRI * HTTP/2.0") == 505);
  CHECK(refused("GET / http/1.1") == 400);
  CHECK(refused("GET /a b HTTP/1.1") == 400);
  CHECK(refused("G\tT / HTTP/1.1") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nA : b") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\n b") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nb") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nA: b\x01") == 400);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1", "a") == 0);
  for (const char* length : {"-1", "+1", "1x", "", "0x1", "1, 1", "99999999999999999999"})
    CHECK(refused(std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ") + length) == 400);
  CHECK(refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999") == 413);
  CHECK(refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2") == 400);
  CHECK(refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked") == 400);
  CHECK(refused("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked") == 501);
  CHECK(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked") == 400);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked";
  CHECK(refused(chunked, "x\r\n") == 400);
  CHECK(refused(chunked, "\r\n") == 400);
  CHECK(refused(chunked, "1\r\nab\r\n") == 400);
  CHECK(refused(chunked, "fffffffffffffffff\r\n") == 400);
  CHECK(refused(chunked, "ffffffffffffffff\r\n") == 413);
  CHECK(refused(chunked, "1;" + std::string(2000, 'x')) == 400);
  CHECK(refused(chunked, "0\r\n" + std::string(70000, 'x')) == 431);
  CHECK(refused("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x") == 414);
  std::string many = "GET / HTTP/1.1\r\nHost: x";
  for (int i = 0; i < 256; ++i) many += "\r\nA: b";
  CHECK(refused(many) == 431);
  CHECK(refused("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(70000, 'a')) == 431);
}

TEST_CASE("Bytes of another protocol are refused at the first of them") {
  const HttpParser parser = request(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  CHECK(parser.state() == HttpState::kBroken);
  CHECK(parser.error().status == 400);
}

TEST_CASE("Of a large body the beginning is kept") {
  HttpParser parser = request("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  CHECK(parser.feed(std::string(1000001, 'b')) == 1000000);
  CHECK(parser.state() == HttpState::kComplete);
  CHECK(parser.message().body.size() == kMostKept);
  CHECK(parser.message().body_bytes == 1000000);
}

TEST_CASE("Replies, by each way to frame them") {
  CHECK(reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").message().body == "ok");
  CHECK(reply("HTTP/1.1 204\r\n\r\n").state() == HttpState::kComplete);
  CHECK(reply("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").state() == HttpState::kComplete);
  HttpParser open = reply("HTTP/1.0 200 OK\r\n\r\nall there is");
  CHECK(open.state() == HttpState::kBody);
  open.end();
  CHECK(open.state() == HttpState::kComplete);
  CHECK(open.message().body == "all there is");
  HttpParser head(HttpParser::Kind::kReply);
  head.expect_no_body();
  head.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  CHECK(head.state() == HttpState::kComplete);
  for (const char* bad :
       {"HTTP/1.1 20", "HTTP/1.1 abc", "HTTP/1.1 099 x", "HTTP/1.1 2000", "ICY 200 OK", "HTTP/1.1-200 OK"})
    CHECK(reply(std::string(bad) + "\r\n\r\n").state() == HttpState::kBroken);
}

TEST_CASE("The path of a target") {
  CHECK(target_path("/a?b=http://x/y") == "/a?b=http://x/y");
  CHECK(target_path("http://example.com/x?y") == "/x?y");
  CHECK(target_path("http://example.com") == "/");
  CHECK(target_path("http://example.com?y") == "?y");
  CHECK(target_path("*") == "*");
}
