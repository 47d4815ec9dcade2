#include "gate/client_hello.h"

#include <catch2/catch.hpp>

#include "dns_wire.h"
#include "tls_client.h"

using namespace rehearse::gate;
using namespace rehearse::gate::testing;
using HelloState = ClientHelloParser::State;

namespace {

std::string extension(unsigned type, const std::string& data) {
  return be16(type) + be16(static_cast<unsigned>(data.size())) + data;
}
std::string with_length(const std::string& data) {
  return be16(static_cast<unsigned>(data.size())) + data;
}
std::string sni(const std::string& name) {
  return extension(0, with_length('\0' + with_length(name)));
}
/// The message, without records.
std::string hello(const std::string& extensions) {
  const std::string body = be16(0x0303) + std::string(32, 'r') + '\0' + with_length(be16(0x1301)) + "\1" +
                           '\0' + with_length(extensions);
  return std::string("\1\0", 2) + be16(static_cast<unsigned>(body.size())) + body;
}
std::string record(const std::string& fragment, char type = 22) {
  return type + be16(0x0301) + with_length(fragment);
}

HelloState parse_hello(const std::string& bytes) {
  return ClientHelloParser().feed(bytes);
}

}  // namespace

TEST_CASE("a real client's hello says its server, its protocols and its versions") {
  ClientHelloParser parser;
  CHECK(parser.feed(first_bytes({.server_name = "Api.example.com", .alpn = "\2h2\10http/1.1"})) ==
        HelloState::kHello);
  CHECK(parser.hello().server_name == "Api.example.com");
  CHECK(parser.hello().protocols == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(parser.hello().versions == std::vector<std::uint16_t>{0x0304, 0x0303});
  CHECK(!parser.hello().encrypted);
  CHECK(parser.feed("more of the connection") == HelloState::kHello);
  ClientHelloParser old;
  CHECK(old.feed(first_bytes({.version = TLS1_2_VERSION})) == HelloState::kHello);
  CHECK(old.hello().server_name.empty());
  CHECK(old.hello().protocols.empty());
  CHECK(old.hello().versions == std::vector<std::uint16_t>{0x0303});
}

TEST_CASE("in pieces and in many records it is the same hello") {
  const std::string message = hello(sni("a.example") + extension(0xfe0d, "x"));
  for (std::size_t fragment = 1; fragment <= message.size(); ++fragment) {
    std::string bytes;
    for (std::size_t at = 0; at < message.size(); at += fragment)
      bytes += record(message.substr(at, fragment));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
      ClientHelloParser parser;
      for (std::size_t at = 0; at < bytes.size(); at += piece) {
        if (parser.state() != HelloState::kNeedMore) FAIL("too early");
        parser.feed(std::string_view(bytes).substr(at, piece));
      }
      if (parser.state() != HelloState::kHello || parser.hello().server_name != "a.example" ||
          !parser.hello().encrypted)
        FAIL("fragments of " << fragment << " in pieces of " << piece);
    }
  }
}

TEST_CASE("other protocols are known by their first byte or two") {
  for (const char* text :
       {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x16\x02\x01", "\x80\x2e\x01\x03\x01", "\x15\x03\x01", "E"}) {
    INFO(text);
    CHECK(parse_hello(text) == HelloState::kNotTls);
  }
  CHECK(parse_hello("") == HelloState::kNeedMore);
  CHECK(parse_hello("\x16") == HelloState::kNeedMore);
  CHECK(parse_hello("\x16\x03") == HelloState::kNeedMore);
}

TEST_CASE("TLS that is no hello a server would take is malformed") {
  const std::string good = hello(sni("a.example"));
  CHECK(parse_hello(record(good)) == HelloState::kHello);
  CHECK(parse_hello(record("\2" + good.substr(1))) == HelloState::kMalformed);  // a server's
  CHECK(parse_hello(record("")) == HelloState::kMalformed);
  CHECK(parse_hello("\x16\x03\x01" + be16(16385)) == HelloState::kMalformed);
  CHECK(parse_hello(record(good + "x")) == HelloState::kMalformed);
  CHECK(parse_hello(record(good.substr(0, 9)) + record("x", 21)) == HelloState::kMalformed);
  CHECK(parse_hello(record(good.substr(0, 9)) + record("GET")) == HelloState::kNeedMore);
  CHECK(parse_hello(record(std::string("\1\0\x80\1", 4))) == HelloState::kMalformed);  // 32769 bytes to come
  CHECK(parse_hello(record(hello(sni("a.example") + sni("b.example")))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello(sni("")))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello(extension(0, with_length("\1" + with_length("a")))))) ==
        HelloState::kMalformed);
  const std::string two_names = '\0' + with_length("a") + '\0' + with_length("b");
  CHECK(parse_hello(record(hello(extension(0, with_length(two_names))))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello(extension(16, with_length(std::string(1, '\0')))))) ==
        HelloState::kMalformed);
  CHECK(parse_hello(record(hello(extension(16, with_length("\5ab"))))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello(extension(43, "\3\3\4\3")))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello(extension(43, "\4\3\4\3")))) == HelloState::kMalformed);
  CHECK(parse_hello(record(hello("\1"))) == HelloState::kMalformed);
  for (std::size_t cut = 5; cut + 4 < good.size(); ++cut) {
    std::string shorter = good.substr(0, cut);
    shorter[3] = static_cast<char>(cut - 4);
    shorter[2] = 0;
    // 43 bytes are a whole hello: extensions may be missing altogether.
    if (parse_hello(record(shorter)) != (cut == 4 + 41 ? HelloState::kHello : HelloState::kMalformed))
      FAIL("cut at " << cut);
  }
}

TEST_CASE("values that mean nothing are not offered versions") {
  ClientHelloParser parser;
  CHECK(parser.feed(record(hello(extension(0x0a0a, "") + extension(43, "\6\x3a\x3a\3\4\3\3")))) ==
        HelloState::kHello);
  CHECK(parser.hello().versions == std::vector<std::uint16_t>{0x0304, 0x0303});
}

TEST_CASE("endless small records end") {
  ClientHelloParser parser;
  parser.feed(record(std::string("\1\0\x80\0", 4)));
  std::size_t fed = 0;
  while (parser.state() == HelloState::kNeedMore && fed < 100'000) {
    parser.feed(record("x"));
    ++fed;
  }
  CHECK(parser.state() == HelloState::kMalformed);
  CHECK(fed == ClientHelloParser::kMostHello);
}
