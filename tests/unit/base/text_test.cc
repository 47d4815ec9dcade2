#include <catch2/catch.hpp>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"

using namespace rehearse;

TEST_CASE("nothing that a terminal obeys or an eye misreads comes through") {
  CHECK(escape_text("plain ä ü 漢") == "plain ä ü 漢");
  CHECK(escape_text("a\nb\x1b[2J\r\x7f") == "a\\u{000A}b\\u{001B}[2J\\u{000D}\\u{007F}");
  CHECK(escape_text("\xff\xfe") == "\\xff\\xfe");
  CHECK(escape_text("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(escape_text("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
  CHECK(escape_text("\u202egnp") == "\\u{202E}gnp");
  CHECK(escape_text("a\u200bb\ufeff") == "a\\u{200B}b\\u{FEFF}");
  CHECK(escape_text("\U000e0041") == "\\u{E0041}");
  CHECK(escape_text("\u009b31m") == "\\u{009B}31m");
  CHECK(escape_text("a\\b") == "a\\\\b");
  CHECK(escape_text("äääää", 4) == "ää…(+6 bytes)");
}

TEST_CASE("shell words can be pasted") {
  CHECK(shell_quote("plain-1.2/x") == "plain-1.2/x");
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("it's $x") == "'it'\\''s $x'");
  CHECK(shell_quote("a\nb") == "$'a\\x0ab'");
}

TEST_CASE("base64 vectors of RFC 4648") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(from_base64("Zm8=") == "fo");
  CHECK(from_base64("Zm9vYmFy") == "foobar");
  for (const char* bad : {"Z", "Zm8", "Zm=8", "====", "Zm9v====", "Zm9*", "Zm9=", "Zh=="})
    CHECK(from_base64(bad).empty());
}

TEST_CASE("sizes and durations") {
  CHECK(*parse_bytes("512") == 512);
  CHECK(*parse_bytes("1.5GiB") == 1610612736);
  CHECK(*parse_bytes("64k") == 65536);
  CHECK(*parse_duration("250ms") == 250'000'000);
  CHECK(*parse_duration("5m") == 300'000'000'000);
  CHECK(*parse_duration("90") == 90'000'000'000);
  for (const char* bad : {"", "x", "-1", "-0", "1e99G", "5 parsecs", "nan", "inf"}) {
    CHECK(!parse_bytes(bad));
    CHECK(!parse_duration(bad));
  }
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(14 * 1024) == "14 KiB");
  CHECK(format_duration(1'800'000'000) == "1.8 s");
}

TEST_CASE("mountinfo escapes give every byte back") {
  CHECK(unescape_mountinfo("a\\040b\\012c\\134d\\011") == "a b\nc\\d\t");
  CHECK(unescape_mountinfo("end\\04") == "end\\04");
}

TEST_CASE("what JSON and text escape is one list, with all format and private-use characters") {
  for (const std::uint32_t code : {0x1bU, 0x85U, 0xadU, 0x600U, 0x8e2U, 0x202eU, 0xe000U, 0xfeffU, 0x110bdU,
                                   0x13430U, 0x1bca0U, 0xe0041U, 0xf0000U, 0x10fffdU}) {
    INFO(code);
    CHECK(is_deceptive(code));
  }
  for (const std::uint32_t code : {0x20U, 0x7eU, 0xa0U, 0xe4U, 0x627U, 0x6f22U, 0x1f600U}) {
    INFO(code);
    CHECK(!is_deceptive(code));
  }
  CHECK(escape_text("\U000f0000") == "\\u{F0000}");
}

TEST_CASE("sizes that are printed can be read back, and durations never say 1000 ms") {
  CHECK(*parse_bytes(format_bytes(3ULL << 50U)) == 3ULL << 50U);
  CHECK(*parse_bytes(format_bytes(2ULL << 60U)) == 2ULL << 60U);
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1048575) == "1.0 MiB");
  CHECK(format_duration(999'400) == "999 us");
  CHECK(format_duration(999'700) == "1.0 ms");
  CHECK(format_duration(999'960'000) == "1.0 s");
  CHECK(format_duration(59'960'000'000) == "1 m 00 s");
  CHECK(format_duration(3'725'000'000'000) == "1 h 02 m");
}

TEST_CASE("times before the epoch are times") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(-1'500'000) == "1969-12-31T23:59:59.998Z");
  CHECK(rfc3339(1'795'500'315'123'456'789) == "2026-11-24T06:05:15.123Z");
  CHECK(compact_time(-1) == "19691231-235959");
}
