#include "gate/datagram_mock.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::gate;
using namespace std::string_literals;

namespace {

DatagramRoute bytes(std::string_view expect, std::string_view reply) {
  DatagramRoute route;
  route.expect = parse_hex_pattern(expect).value();
  route.reply = parse_hex_reply(reply).value();
  route.replies = true;
  return route;
}

}  // namespace

TEST_CASE("Datagrams by their bytes") {
  const DatagramMock mock{{bytes("1b", "01"), bytes("1B ?? 00 *", "02"), bytes("", "03"), bytes("*", "04")}};
  const auto answer = [&](std::string_view datagram) {
    return make_reply(*find_route(mock, datagram), datagram);
  };
  CHECK(answer("\x1b"s) == "\x01");
  CHECK(answer("\x1b\xff\0"s) == "\x02");
  CHECK(answer("\x1b\xff\0 and more"s) == "\x02");
  CHECK(answer("") == "\x03");
  CHECK(answer("\x1b\xff\x01"s) == "\x04");
}

TEST_CASE("Datagrams by their line, in the order of the routes") {
  DatagramRoute line;
  line.expect = "<*>sshd: *";
  const DatagramMock mock{{line}};
  CHECK(find_route(mock, "<34>sshd: accepted") == mock.routes.data());
  CHECK(find_route(mock, "<34>sshd: accepted\r\n") == mock.routes.data());
  CHECK(find_route(mock, "<34>su: accepted") == nullptr);
}

TEST_CASE("A reply repeats bytes of the request") {
  const DatagramRoute route = bytes("*", "24 {1:3} ff {4:4}");
  CHECK(make_reply(route, "abcdefgh") ==
        "\x24"
        "bcd"
        "\xff"
        "efgh");
  // What is not there is 0.
  CHECK(make_reply(route, "abc") ==
        "\x24"
        "bc\0"
        "\xff"
        "\0\0\0\0"s);
  CHECK(make_reply(bytes("*", "{60000:65507}"), "a").size() == kLargestDatagram);
}

TEST_CASE("What is no bytes") {
  CHECK(parse_hex_pattern("1b 0").error().what == "\"0\" cannot be read");
  CHECK(parse_hex_pattern("* 00").error().fix == "the star stands at the end");
  CHECK(parse_hex_pattern("{1:2}").error().exit == ExitCode::kConfig);
  CHECK(parse_hex_reply("??").error().fix == "write pairs of hexadecimal digits: 1b 00 ff");
  for (const char* copy : {"{", "{1", "{1}", "{:1}", "{1:}", "{1:0}", "{-1:2}", "{1:2:3}", "{1:65508}"})
    CHECK(parse_hex_reply(copy).error().fix == "write {40:8} for 8 bytes of the request from its byte 40 on");
  CHECK(parse_hex_reply("{0:65507} 00").error().what == "the reply is longer than a datagram can be");
}
