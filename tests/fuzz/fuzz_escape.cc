// The functions that stand between a hostile name and a terminal.
#include "base/escape.h"
#include "fuzz.h"
#include "report/file_diff.h"
#include "report/text_width.h"

using namespace rehearse;

namespace {

std::string without(std::string text, std::string_view what) {
  std::erase_if(text, [&](char c) { return what.find(c) != std::string_view::npos; });
  return text;
}

bool is_valid(std::string_view text) {
  std::uint32_t code = 0;
  while (!text.empty()) {
    const std::size_t size = fuzz::sequence(text, code);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

/// What escape_text wrote, read back; every escape it makes starts with a backslash.
std::string unescape(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text[0] != '\\') {
      bytes += text[0];
      text.remove_prefix(1);
    } else if (text.starts_with("\\\\")) {
      bytes += '\\';
      text.remove_prefix(2);
    } else if (text.starts_with("\\x")) {
      bytes += static_cast<char>(std::strtoul(std::string(text.substr(2, 2)).c_str(), nullptr, 16));
      text.remove_prefix(4);
    } else {
      FUZZ_REQUIRE(text.starts_with("\\u{"));
      const std::size_t end = text.find('}');
      FUZZ_REQUIRE(end != std::string_view::npos);
      const auto code = std::strtoul(std::string(text.substr(3, end - 3)).c_str(), nullptr, 16);
      if (code < 0x80) {
        bytes += static_cast<char>(code);
      } else if (code < 0x800) {
        bytes += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
      } else if (code < 0x10000) {
        bytes += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                  static_cast<char>(0x80 | (code & 63))};
      } else {
        bytes += {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
                  static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
      }
      text.remove_prefix(end + 1);
    }
  }
  return bytes;
}

/// The word a shell makes of it: '...', \' between, and $'...' with \xHH, \\ and \'.
std::string shell_word(std::string_view text) {
  std::string word;
  if (text.starts_with("$'")) {
    text.remove_prefix(2);
    while (text != "'") {
      FUZZ_REQUIRE(!text.empty() && text[0] != '\'');
      if (text[0] != '\\') {
        word += text[0];
        text.remove_prefix(1);
      } else if (text[1] == 'x') {
        word += static_cast<char>(std::strtoul(std::string(text.substr(2, 2)).c_str(), nullptr, 16));
        text.remove_prefix(4);
      } else {
        FUZZ_REQUIRE(text[1] == '\\' || text[1] == '\'');
        word += text[1];
        text.remove_prefix(2);
      }
    }
    return word;
  }
  bool quoted = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text[0] == '\'') {
      quoted = !quoted;
    } else if (!quoted && text.starts_with("\\'")) {
      word += '\'';
      text.remove_prefix(1);
    } else {
      FUZZ_REQUIRE(quoted ||
                   std::string_view(" $`\"\\|&;<>()*?[]#~!{}\n\t").find(text[0]) == std::string_view::npos);
      word += text[0];
    }
  }
  FUZZ_REQUIRE(!quoted);
  return word;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  const std::size_t limit = in.byte();
  const std::string_view bytes = in.rest();

  const std::string whole = escape_text(bytes);
  FUZZ_REQUIRE(fuzz::is_harmless(whole));
  FUZZ_REQUIRE(unescape(whole) == bytes);
  const std::string cut = escape_text(bytes, limit);
  FUZZ_REQUIRE(fuzz::is_harmless(cut));
  if (limit > 0) FUZZ_REQUIRE(cut.size() <= limit + 64);
  FUZZ_REQUIRE(limit > 0 || cut == whole);

  FUZZ_REQUIRE(is_utf8(bytes) == is_valid(bytes));
  const std::string lossy = to_utf8_lossy(bytes);
  FUZZ_REQUIRE(is_valid(lossy));
  if (is_utf8(bytes)) FUZZ_REQUIRE(lossy == bytes);

  if (bytes.find('\0') == std::string_view::npos) {
    const std::string word = shell_quote(bytes);
    FUZZ_REQUIRE(fuzz::is_harmless(word));
    FUZZ_REQUIRE(shell_word(word) == bytes);
  }
  FUZZ_REQUIRE(from_base64(base64(bytes)) == bytes);
  const std::string raw = from_base64(bytes);
  FUZZ_REQUIRE(raw.empty() || base64(raw) == bytes);
  FUZZ_REQUIRE(hex(bytes).size() == 2 * bytes.size());
  FUZZ_REQUIRE(unescape_mountinfo(bytes).size() <= bytes.size());
  FUZZ_REQUIRE(fuzz::is_harmless(report::escape_line(bytes), "\t"));

  const std::string fitted = report::fit_middle(whole, limit);
  FUZZ_REQUIRE(fuzz::is_harmless(fitted));
  FUZZ_REQUIRE(report::text_width(fitted) <= std::max<std::size_t>(limit, 8));
  const std::string wrapped = report::wrap(whole, limit % 8, limit);
  FUZZ_REQUIRE(fuzz::is_harmless(wrapped, "\n"));
  FUZZ_REQUIRE(without(wrapped, " \n") == without(whole, " \n"));
  return 0;
}
