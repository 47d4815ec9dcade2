#include <catch2/catch.hpp>
#include <string>

#include "base/escape.h"
#include "export/protobuf.h"

using rehearse::hex;
using rehearse::exporting::ProtobufWriter;

TEST_CASE("the examples of the encoding's own page") {
  CHECK(hex(ProtobufWriter().number(1, 150).data()) == "089601");
  CHECK(hex(ProtobufWriter().text(2, "testing").data()) == "120774657374696e67");
  CHECK(hex(ProtobufWriter().message(3, ProtobufWriter().number(1, 150)).data()) == "1a03089601");
  CHECK(hex(ProtobufWriter().signed_number(1, -2).data()) == "08feffffffffffffffff01");
}

TEST_CASE("numbers at the borders of a byte more") {
  CHECK(hex(ProtobufWriter().number(1, 0).data()) == "0800");
  CHECK(hex(ProtobufWriter().number(1, 127).data()) == "087f");
  CHECK(hex(ProtobufWriter().number(1, 128).data()) == "088001");
  CHECK(hex(ProtobufWriter().number(1, 16383).data()) == "08ff7f");
  CHECK(hex(ProtobufWriter().number(1, 16384).data()) == "08808001");
  CHECK(hex(ProtobufWriter().number(1, UINT64_MAX).data()) == "08ffffffffffffffffff01");
  CHECK(hex(ProtobufWriter().boolean(2, true).data()) == "1001");
}

TEST_CASE("field numbers beyond one byte") {
  CHECK(hex(ProtobufWriter().number(15, 1).data()) == "7801");
  CHECK(hex(ProtobufWriter().number(16, 1).data()) == "800101");
  CHECK(hex(ProtobufWriter().number(58, 3).data()) == "d00303");
  CHECK(hex(ProtobufWriter().number(536870911, 1).data()) == "f8ffffff0f01");
}

TEST_CASE("strings are UTF-8, bytes are what they are, lengths are not trusted to fit one byte") {
  CHECK(hex(ProtobufWriter().text(1, "a\xff").data()) == "0a0461efbfbd");
  CHECK(hex(ProtobufWriter().bytes(1, "a\xff").data()) == "0a0261ff");
  CHECK(hex(ProtobufWriter().bytes(1, {}).data()) == "0a00");
  const std::string longer(300, 'x');
  const std::string written = ProtobufWriter().text(1, longer).data();
  CHECK(hex(written.substr(0, 3)) == "0aac02");
  CHECK(written.substr(3) == longer);
  CHECK(hex(ProtobufWriter().text(1, std::string_view("\0\n", 2)).data()) == "0a02000a");
}

TEST_CASE("a cleared message is empty") {
  ProtobufWriter writer;
  writer.number(1, 1).clear();
  CHECK(writer.data().empty());
}
