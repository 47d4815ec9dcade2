#include "gate/address.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::gate;

namespace {

std::string_view class_of(std::string_view text) {
  const auto address = parse_ip(text);
  INFO(text);
  REQUIRE(address.has_value());
  return to_string(classify(*address));
}

}  // namespace

TEST_CASE("an address is of the class that decides where it may lead") {
  CHECK(class_of("93.184.216.34") == "public");
  CHECK(class_of("2606:4700::1111") == "public");
  CHECK(class_of("0.0.0.0") == "unspecified");
  CHECK(class_of("::") == "unspecified");
  CHECK(class_of("127.8.9.1") == "loopback");
  CHECK(class_of("::1") == "loopback");
  CHECK(class_of("10.1.2.3") == "private");
  CHECK(class_of("172.31.255.255") == "private");
  CHECK(class_of("172.32.0.0") == "public");
  CHECK(class_of("192.168.0.1") == "private");
  CHECK(class_of("100.64.0.1") == "private");
  CHECK(class_of("100.128.0.0") == "public");
  CHECK(class_of("fd12::1") == "private");
  CHECK(class_of("fec0::1") == "private");
  CHECK(class_of("169.254.1.1") == "link-local");
  CHECK(class_of("fe80::1") == "link-local");
  CHECK(class_of("febf::1") == "link-local");
  CHECK(class_of("224.0.0.251") == "multicast");
  CHECK(class_of("ff02::fb") == "multicast");
  CHECK(class_of("198.18.0.1") == "synthetic");
  CHECK(class_of("198.19.255.254") == "synthetic");
  CHECK(class_of("198.20.0.0") == "public");
  CHECK(class_of("2001:2::1") == "synthetic");
  CHECK(class_of("2001:2:1::1") == "reserved");
  CHECK(class_of("255.255.255.255") == "reserved");
  CHECK(class_of("2001:db8::1") == "reserved");
}

TEST_CASE("metadata services are told from the link they are on") {
  for (const char* text : {"169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200",
                           "fd00:ec2::254", "fd20:ce::254"})
    CHECK(class_of(text) == "metadata");
}

TEST_CASE("no spelling of an IPv4 address hides what it is") {
  CHECK(class_of("::ffff:127.0.0.1") == "loopback");
  CHECK(class_of("::ffff:169.254.169.254") == "metadata");
  CHECK(class_of("::127.0.0.1") == "loopback");
  CHECK(class_of("64:ff9b::a9fe:a9fe") == "metadata");
  CHECK(class_of("2002:7f00:1::") == "loopback");
  CHECK(class_of("::ffff:0:127.0.0.1") == "loopback");
  CHECK(class_of("::ffff:0:a9fe:a9fe") == "metadata");
  CHECK(class_of("::ffff:0:93.184.216.34") == "public");
  CHECK(class_of("2002:5db8:d822::1") == "public");
}

TEST_CASE("addresses are read and written in their usual form") {
  for (const char* text : {"1.2.3.4", "2001:db8::5", "::1", "::"}) CHECK(format_ip(*parse_ip(text)) == text);
  CHECK(format_ip(*parse_ip("::ffff:1.2.3.4")) == "1.2.3.4");
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
                          ":::", "g::", "1::2::3", "fe80::1%eth0"}) {
    INFO(bad);
    CHECK(!parse_ip(bad).has_value());
  }
  CHECK(parse_ip("1.2.3.4")->low32() == 0x01020304);
}

TEST_CASE("a block holds what its prefix says and nothing of the other family") {
  const auto block = IpBlock::parse("10.128.0.0/9");
  REQUIRE(block.has_value());
  CHECK(block->contains(*parse_ip("10.255.0.1")));
  CHECK(!block->contains(*parse_ip("10.127.255.255")));
  CHECK(IpBlock::parse("1.2.3.4")->contains(*parse_ip("::ffff:1.2.3.4")));
  CHECK(!IpBlock::parse("::/0")->contains(*parse_ip("1.2.3.4")));
  CHECK(IpBlock::parse("0.0.0.0/0")->contains(*parse_ip("1.2.3.4")));
  for (const char* bad : {"1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "::/129", "/8", "1.2.3.4/8x"}) {
    INFO(bad);
    CHECK(!IpBlock::parse(bad).has_value());
  }
}
