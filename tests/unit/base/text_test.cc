#include <catch2/catch.hpp>

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
  for (const char* bad : {"Z", "Zm8", "Zm=8", "====", "Zm9v====", "Zm9*"}) CHECK(from_base64(bad).empty());
}

TEST_CASE("sizes and durations") {
  CHECK(*parse_bytes("512") == 512);
  CHECK(*parse_bytes("1.5GiB") == 1610612736);
  CHECK(*parse_bytes("64k") == 65536);
  CHECK(*parse_duration("250ms") == 250'000'000);
  CHECK(*parse_duration("5m") == 300'000'000'000);
  CHECK(*parse_duration("90") == 90'000'000'000);
  for (const char* bad : {"", "x", "-1", "1e99G", "5 parsecs", "nan", "inf"}) {
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
