#include <catch2/catch.hpp>

#include "units/dbus_auth.h"
#include "units/dbus_message.h"
#include "units/dbus_signature.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

/// A call as sd-bus of systemd 252 sends it: StartUnit("a.service", "replace").
Message start_unit() {
  Message call;
  call.serial = 7;
  call.path = "/org/freedesktop/systemd1";
  call.interface = "org.freedesktop.systemd1.Manager";
  call.member = "StartUnit";
  call.destination = "org.freedesktop.systemd1";
  call.signature = "ss";
  call.body = DbusWriter().string("a.service").string("replace").take();
  return call;
}

/// "u" and "(yt)" in either byte order.
std::string numbers(bool big) {
  using namespace std::string_literals;
  return big ? "\0\0\0\x2a\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"s
             : "\x2a\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"s;
}

bool fits(std::string_view body, std::string_view signature) {
  DbusReader reader(body, signature);
  while (!reader.next_type().empty()) reader.skip();
  return reader.done();
}

}  // namespace

TEST_CASE("signatures") {
  for (const char* good : {"", "s", "a{sv}", "a(ssssssouso)", "aaay", "(i(ss)v)", "a{s(ias)}"}) {
    CHECK(is_signature(good));
  }
  for (const char* bad : {"a", "(", "()", "{sv}", "a{vs}", "a{s}", "a{sss}", "h", "(s", "s)", "z"}) {
    CHECK_FALSE(is_signature(bad));
  }
  CHECK(is_signature(std::string(kMaxNesting - 1, 'a') + "y"));
  CHECK_FALSE(is_signature(std::string(kMaxNesting + 1, 'a') + "y"));
  CHECK_FALSE(is_signature(std::string(256, 'y')));
}

TEST_CASE("names of D-Bus") {
  CHECK(is_object_path("/"));
  CHECK(is_object_path("/org/a_1"));
  for (const char* bad : {"", "a", "/a/", "//a", "/a-b"}) CHECK_FALSE(is_object_path(bad));
  CHECK(is_interface_name("org.a.B1"));
  for (const char* bad : {"org", "org.", ".a", "org.1a", "org.a-b"}) CHECK_FALSE(is_interface_name(bad));
  CHECK(is_bus_name(":1.5"));
  CHECK(is_bus_name("org.a-b.c"));
  CHECK_FALSE(is_member_name("1a"));
}

TEST_CASE("values are aligned as the specification says") {
  DbusWriter out;
  out.byte(1).uint32(2).byte(3).open_struct().uint64(4);
  CHECK(out.data().size() == 24);
  const DbusWriter::Array array = out.open_array('(');
  out.open_struct().byte(9);
  out.close_array(array);
  using namespace std::string_literals;
  // The padding before the first element is not part of the length.
  CHECK(out.data().substr(24) == "\x01\0\0\0\0\0\0\0\x09"s);
}

TEST_CASE("both byte orders") {
  for (const bool big : {false, true}) {
    const std::string body = numbers(big);
    DbusReader reader(body, "u(yt)", big ? ByteOrder::kBig : ByteOrder::kLittle);
    CHECK(reader.uint32() == 42);
    reader.enter_struct();
    CHECK(reader.byte() == 1);
    CHECK(reader.uint64() == 2);
    reader.leave();
    CHECK(reader.done());
    DbusReader again(body, "u(yt)", big ? ByteOrder::kBig : ByteOrder::kLittle);
    DbusWriter copy;
    again.copy(copy);
    again.copy(copy);
    CHECK(copy.data() == numbers(false));
  }
}

TEST_CASE("a container is read to its end and no further") {
  DbusWriter out;
  const DbusWriter::Array array = out.open_array('{');
  out.open_struct().string("a").open_variant("u").uint32(1);
  out.open_struct().string("b").open_variant("as").strings(std::vector<std::string>{"x", "y"});
  out.close_array(array);
  DbusReader reader(out.data(), "a{sv}");
  reader.enter_array("{sv}");
  std::string seen;
  while (reader.more()) {
    reader.enter_struct();
    seen += reader.string();
    reader.skip();
    reader.leave();
  }
  CHECK(reader.done());
  CHECK(seen == "ab");
  // An element that is left half read is an error of the reader's user, not a crash.
  DbusReader half(out.data(), "a{sv}");
  half.enter_array("{sv}");
  REQUIRE(half.more());
  half.enter_struct();
  CHECK_FALSE(half.more());
  CHECK_FALSE(half.ok());
}

TEST_CASE("bodies that are not of their signature") {
  using namespace std::string_literals;
  CHECK(fits("\x02\0\0\0hi\0"s, "s"));
  CHECK_FALSE(fits("\x02\0\0\0hix"s, "s"));         // no NUL
  CHECK_FALSE(fits("\xff\xff\xff\xffhi\0"s, "s"));  // longer than the body
  CHECK_FALSE(fits("\x02\0\0\0h\0\0"s, "s"));       // a NUL within
  CHECK_FALSE(fits("\x02\0\0\0\xc3\x28\0"s, "s"));  // not UTF-8
  CHECK_FALSE(fits("\x02\0\0\0"s, "b"));            // a boolean of 2
  CHECK_FALSE(fits("\x01\1\0\0\0\0\0\0"s, "yu"));   // padding that is not zero
  CHECK_FALSE(fits("\x03\0\0\0\0\0\0\0"s, "au"));   // an element that reaches out of its array
  CHECK_FALSE(fits("\x01\0\0\0y"s, "v"s));          // no signature
  CHECK_FALSE(fits("\x02yy\0\0\0"s, "v"));          // a variant of two
  CHECK_FALSE(fits(""s, "y"));
  std::string deep;
  for (std::size_t i = 0; i < kMaxNesting + 1; ++i) deep += "\x01v\0"s;
  CHECK_FALSE(fits(deep + "\x01y\0\x07"s, "v"));
  CHECK(fits("\x01v\0\x01y\0\x07"s, "v"));
}

TEST_CASE("a message and back") {
  const Message call = start_unit();
  const std::string bytes = marshal(call);
  const auto size = message_size(bytes, 1024);
  REQUIRE(size);
  CHECK(*size == bytes.size());
  const auto read = unmarshal(bytes);
  REQUIRE(read);
  CHECK(read->member == "StartUnit");
  CHECK(read->path == call.path);
  CHECK(read->interface == call.interface);
  CHECK(read->destination == call.destination);
  CHECK(read->serial == 7);
  CHECK(read->wants_reply());
  DbusReader arguments = read->reader();
  CHECK(arguments.string() == "a.service");
  CHECK(arguments.string() == "replace");
  CHECK(arguments.done());
}

TEST_CASE("messages that are refused") {
  const std::string good = marshal(start_unit());
  for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK_FALSE(unmarshal(good.substr(0, cut)));
  const auto with = [&](std::size_t at, char value) {
    std::string bytes = good;
    bytes[at] = value;
    return unmarshal(bytes).has_value();
  };
  CHECK_FALSE(with(0, 'x'));
  CHECK_FALSE(with(1, 9));  // type
  CHECK_FALSE(with(3, 2));  // protocol
  CHECK_FALSE(with(8, 0));  // serial
  CHECK_FALSE(with(1, 2));  // a return that answers nothing
  CHECK_FALSE(message_size(good, good.size() - 1));
  // Descriptors.
  DbusWriter out;
  out.byte('l').byte(1).byte(0).byte(1).uint32(0).uint32(1);
  const DbusWriter::Array fields = out.open_array('(');
  out.open_struct().byte(1).open_variant("o").string("/");
  out.open_struct().byte(3).open_variant("s").string("A");
  out.open_struct().byte(9).open_variant("u").uint32(1);
  out.close_array(fields);
  out.align(8);
  const auto refused = unmarshal(out.data());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("descriptors") != std::string::npos);
}

TEST_CASE("the handshake that systemctl sends") {
  using namespace std::string_literals;
  AuthServer server(1000, std::string(32, 'a'));
  std::string output;
  std::string input = "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nl\1"s;
  REQUIRE(server.receive(input, output));
  CHECK(server.done());
  CHECK(output == "DATA\r\nOK " + std::string(32, 'a') + "\r\nERROR\r\n");
  CHECK(input == "l\1");
}

TEST_CASE("a handshake in pieces, and of others") {
  using namespace std::string_literals;
  const auto says = [](std::string_view text) {
    AuthServer server(1000, std::string(32, 'a'));
    std::string input;
    std::string output;
    for (const char c : text) {
      input += c;
      if (!server.receive(input, output)) return "closed"s;
    }
    return server.done() ? "done" : output.substr(0, output.find('\r'));
  };
  CHECK(says("\0AUTH ANONYMOUS 616e6f6e\r\nBEGIN\r\n"s) == "done");
  CHECK(says("\0AUTH EXTERNAL 31303030\r\nBEGIN\r\n"s) == "done");
  CHECK(says("\0AUTH EXTERNAL 30\r\nBEGIN\r\n"s) == "REJECTED EXTERNAL ANONYMOUS");
  CHECK(says("\0AUTH\r\n"s) == "REJECTED EXTERNAL ANONYMOUS");
  CHECK(says("\0BEGIN\r\n"s) == "ERROR");
  CHECK(says("\0DATA\r\n"s) == "ERROR");
  CHECK(says("AUTH EXTERNAL\r\n"s) == "closed");
  CHECK(says("\0"s + std::string(kMaxHandshake, 'x')) == "closed");
  std::string many = "\0"s;
  for (int i = 0; i < 100; ++i) many += "AUTH\r\n";
  CHECK(says(many) == "closed");
}

TEST_CASE("the client's side of the handshake") {
  std::string input = "DATA\r\nOK 0123\r\nl";
  CHECK(*accept_handshake(input));
  CHECK(input == "l");
  input = "DATA\r\nOK";
  CHECK_FALSE(*accept_handshake(input));
  input = "DATA\r\nREJECTED\r\n";
  CHECK_FALSE(accept_handshake(input));
  input = std::string(kMaxHandshake, 'x');
  CHECK_FALSE(accept_handshake(input));
}
