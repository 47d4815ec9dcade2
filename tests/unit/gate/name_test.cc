#include <catch2/catch.hpp>
#include <string>

#include "dns_wire.h"
#include "gate/address.h"
#include "gate/dns_name.h"
#include "gate/name_table.h"

using namespace rehearse;
using namespace rehearse::gate;
using namespace rehearse::gate::testing;

namespace {

DnsName name(std::string_view text) {
  const auto parsed = DnsName::parse(text);
  INFO(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

std::optional<DnsName> read(std::string_view wire) {
  ByteReader reader(wire);
  auto name = DnsName::read(reader);
  if (name) CHECK(reader.finished());
  return name;
}

}  // namespace

TEST_CASE("names keep their letters and compare without case") {
  CHECK(name("WwW.Example.com").text() == "WwW.Example.com");
  CHECK(name("WwW.Example.com").key() == "www.example.com");
  CHECK(name("WwW.Example.com.") == name("www.eXample.Com"));
  CHECK(!(name("www.example.com") == name("www.example.org")));
  CHECK(!(name("ab.c") == name("a.bc")));
  CHECK(name(".").text() == ".");
  CHECK(name(".").is_root());
}

TEST_CASE("bytes of a name that are no text can be written and read back") {
  CHECK(name("a\\.b.c").wire() == std::string("\3a.b\1c\0", 7));
  CHECK(name("\\000\\255\\\\x.c").wire() == std::string("\4\0\xff\\x\1c\0", 8));
  CHECK(name("\\000\\255\\\\x.c").text() == "\\000\\255\\\\x.c");
  CHECK(name("a\\032b").text() == "a\\032b");
}

TEST_CASE("what is no name is refused with the reason") {
  const std::string label(63, 'a');
  CHECK(DnsName::parse(label + ".com").has_value());
  CHECK(DnsName::parse(label + "." + label + "." + label + "." + std::string(61, 'a')).has_value());
  for (const std::string& bad : {std::string(), std::string(".com"), std::string("a..b"), std::string("a b"),
                                 label + "a", label + "." + label + "." + label + "." + std::string(62, 'a'),
                                 std::string("bücher.example"), std::string("a\\"), std::string("a\\25"),
                                 std::string("a\\256"), std::string("a\\0x1"), std::string("..")}) {
    INFO(bad);
    const auto parsed = DnsName::parse(bad);
    REQUIRE(!parsed.has_value());
    CHECK(parsed.error().exit == ExitCode::kConfig);
    CHECK(!parsed.error().fix.empty());
  }
}

TEST_CASE("names in messages: whole, without pointers, at most 255 octets") {
  CHECK(read(wire_name("www.example.com"))->text() == "www.example.com");
  CHECK(read(std::string(1, '\0'))->is_root());
  CHECK(!read(""));
  CHECK(!read("\3ww"));
  CHECK(!read("\3www"));
  CHECK(!read("\xc0\x0c"));
  CHECK(!read(std::string("\x40\0", 2)));
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "\1a";
  CHECK(read(longest + '\0')->labels() == 127);
  CHECK(!read(longest + "\1a" + '\0'));
  std::string wide;
  for (int i = 0; i < 4; ++i) wide += '\x3f' + std::string(63, 'b');
  CHECK(!read(wide + '\0'));
}

TEST_CASE("a name lies below its suffixes, by labels") {
  CHECK(name("a.b.Example.com").is_below(name("example.COM")));
  CHECK(name("a.com").is_below(name(".")));
  CHECK(!name("example.com").is_below(name("example.com")));
  CHECK(!name("badexample.com").is_below(name("example.com")));
  CHECK(!name("com").is_below(name("a.com")));
  CHECK(name("a.b.c").parent() == name("b.c"));
  CHECK(name("a").parent().is_root());
  CHECK(name(".").parent().is_root());
  CHECK(name("a.b.c").labels() == 3);
}

TEST_CASE("reverse names are addresses") {
  CHECK(reversed_address(name("34.216.184.93.in-addr.ARPA")) == *parse_ip("93.184.216.34"));
  CHECK(reversed_address(name("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.d.0.1.0.0.2.ip6.arpa")) ==
        *parse_ip("2001:db8::1"));
  for (const char* bad :
       {"216.184.93.in-addr.arpa", "256.216.184.93.in-addr.arpa", "x.216.184.93.in-addr.arpa",
        "1.2.34.216.184.93.in-addr.arpa", "34.216.184.93.example.arpa", "in-addr.arpa", ".",
        "10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.ip6.arpa"}) {
    INFO(bad);
    CHECK(!reversed_address(name(bad)));
  }
}

TEST_CASE("a name has the same synthetic addresses for the whole run, and nobody else has them") {
  NameTable table;
  const auto first = table.assign(name("api.example.com"));
  REQUIRE(first.has_value());
  CHECK(classify(first->v4) == AddressClass::kSynthetic);
  CHECK(classify(first->v6) == AddressClass::kSynthetic);
  CHECK(first->v4.is_v4());
  CHECK(!first->v6.is_v4());
  const auto other = table.assign(name("db.example.com"));
  CHECK(!(other->v4 == first->v4));
  const auto again = table.assign(name("API.example.com."));
  CHECK(again->v4 == first->v4);
  CHECK(again->v6 == first->v6);
  CHECK(table.name_of(first->v4) == "api.example.com");
  CHECK(table.name_of(first->v6) == "api.example.com");
  CHECK(table.size() == 2);
  NameTable next_run;
  next_run.assign(name("unrelated.example"));
  CHECK(next_run.assign(name("api.example.com"))->v4 == first->v4);
}

TEST_CASE("addresses that were given to nobody have no name") {
  NameTable table;
  const auto given = table.assign(name("a.example"));
  IpAddress near = given->v6;
  near.bytes[8] = 1;
  CHECK(!table.name_of(near));
  for (const char* text :
       {"198.18.0.0", "198.18.0.255", "198.17.255.254", "198.20.0.1", "2001:2::1", "8.8.8.8", "::"}) {
    INFO(text);
    CHECK(!table.name_of(*parse_ip(text)));
  }
}

TEST_CASE("a full table gives new names nothing and keeps the old ones") {
  NameTable table;
  std::optional<SyntheticAddresses> first;
  for (std::size_t i = 0; i < NameTable::kMostNames; ++i) {
    const auto given = table.assign(name("n" + std::to_string(i) + ".example"));
    if (!given) FAIL("full at " << i);
    if (i == 0) first = given;
    const std::uint32_t last = given->v4.low32() & 0xffU;
    if (last == 0 || last == 255 || table.name_of(given->v4) != "n" + std::to_string(i) + ".example")
      FAIL("wrong at " << i);
  }
  CHECK(!table.assign(name("one-more.example")));
  CHECK(table.assign(name("n0.example"))->v4 == first->v4);
  CHECK(table.name_of(first->v4) == "n0.example");
}

TEST_CASE("long names fill the table by their bytes") {
  NameTable table;
  std::string wire;
  for (int i = 0; i < 3; ++i) wire += '\x3f' + std::string(63, '\xff');
  std::size_t given = 0;
  for (; given < NameTable::kMostNames; ++given) {
    if (!table.assign(*read(wire + wire_name("x" + std::to_string(given))))) break;
  }
  CHECK(given > 1000);
  CHECK(given < NameTable::kMostBytes / 750);
}
