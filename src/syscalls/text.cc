#include "syscalls/text.h"

#include <fmt/format.h>

#include <iterator>

namespace rehearse::syscalls {

void append_quoted(std::string& out, std::string_view bytes) {
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    constexpr std::string_view kSpecial = "\"\\\t\n\v\f\r";
    constexpr std::string_view kLetters = "\"\\tnvfr";
    if (const auto at = kSpecial.find(static_cast<char>(byte)); at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += static_cast<char>(byte);
    } else {
      const bool digit = i + 1 < bytes.size() && bytes[i + 1] >= '0' && bytes[i + 1] <= '9';
      fmt::format_to(std::back_inserter(out), "\\{:0{}o}", static_cast<unsigned>(byte), digit ? 3 : 1);
    }
  }
  out += '"';
}

void append_hex(std::string& out, std::uint64_t value) {
  if (value == 0) {
    out += '0';
  } else {
    fmt::format_to(std::back_inserter(out), "0x{:x}", value);
  }
}

void append_pointer(std::string& out, std::uint64_t value) {
  if (value == 0) {
    out += "NULL";
  } else {
    append_hex(out, value);
  }
}

void append_mode(std::string& out, std::uint64_t mode) {
  // As printf's %#03o: a zero in front unless there is one already.
  fmt::format_to(std::back_inserter(out), "{}{:03o}", mode < 0100 ? "" : "0", mode);
}

void append_device(std::string& out, std::uint64_t dev) {
  const std::uint64_t low = dev & 0xffffffffU;
  out += "makedev(";
  append_hex(out, (low >> 8U) & 0xfffU);
  out += ", ";
  append_hex(out, (low & 0xffU) | ((low >> 12U) & 0xfff00U));
  out += ')';
}

}  // namespace rehearse::syscalls
