// What ioctl(2) asks of terminals.
#include "syscalls/names.h"
#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

/// strace writes nothing for none of them.
void append_flags(std::string& out, const NameSet& set, std::uint32_t flags) {
  if (flags != 0) append_names(out, set, flags);
}

void append_output_flags(std::string& out, std::uint32_t flags) {
  constexpr std::uint32_t kDelays = 0xff00;
  constexpr std::string_view kTabs[] = {"TAB0", "TAB1", "TAB2", "XTABS"};
  append_format(out, "NL{}|CR{}|{}|BS{}|VT{}|FF{}|", flags >> 8U & 1U, flags >> 9U & 3U,
                kTabs[flags >> 11U & 3U], flags >> 13U & 1U, flags >> 14U & 1U, flags >> 15U & 1U);
  append_flags(out, names::TermOutput, flags & ~kDelays);
}

void append_control_flags(std::string& out, std::uint32_t flags) {
  constexpr std::uint32_t kSpeed = 0x100f;
  constexpr std::uint32_t kSizeShift = 4, kSize = 3, kInputShift = 16;
  append_names(out, names::TermSpeed, flags & kSpeed);
  if (const std::uint32_t input = flags >> kInputShift & kSpeed; input != 0) {
    out += '|';
    append_names(out, names::TermSpeed, input);
    out += "<<IBSHIFT";
  }
  append_format(out, "|CS{}|", 5 + (flags >> kSizeShift & kSize));
  append_flags(out, names::TermControl, flags & ~(kSpeed | kSpeed << kInputShift | kSize << kSizeShift));
}

}  // namespace

void append_winsize(std::string& out, const StructView& from) {
  if (from.bytes.size() < 8) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t i) { return load<std::uint16_t>(from.bytes, i * 2); };
  append_format(out, "{{ws_row={}, ws_col={}, ws_xpixel={}, ws_ypixel={}}}", field(0), field(1), field(2),
                field(3));
}

void append_termios(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t i) { return load<std::uint32_t>(from.bytes, i * 4); };
  out += "{c_iflag=";
  append_flags(out, names::TermInput, field(0));
  out += ", c_oflag=";
  append_output_flags(out, field(1));
  out += ", c_cflag=";
  append_control_flags(out, field(2));
  out += ", c_lflag=";
  append_flags(out, names::TermLocal, field(3));
  out += ", ...}";
}

}  // namespace rehearse::syscalls
