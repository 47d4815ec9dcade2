// What the system tells of itself and of processes: names, memory, processor time, children; and futexes.
#include "syscalls/names.h"
#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

/// Ticks of a hundredth of a second (USER_HZ): 123 /* 1.23 s */
void append_ticks(std::string& out, std::uint64_t ticks) {
  constexpr std::uint64_t kSecond = 100;
  append_format(out, "{}", ticks);
  if (ticks != 0) append_format(out, " /* {}.{:02} s */", ticks / kSecond, ticks % kSecond);
}

/// A field that ends with NUL.
void append_field(std::string& out, std::string_view field) {
  const std::size_t end = field.find('\0');
  append_quoted(out, field.substr(0, end));
  if (end == std::string_view::npos) out += "...";
}

}  // namespace

void append_rusage(std::string& out, const StructView& from) {
  // Without a child that had something to tell nothing is written.
  if (from.call.nr == Nr::wait4 && from.call.result <= 0)
    return append_pointer(out, from.call.args[from.index]);
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t i) { return load<std::int64_t>(from.bytes, i * 8); };
  const auto micro = [&](std::size_t i) { return load<std::uint64_t>(from.bytes, i * 8); };
  append_format(out, "{{ru_utime={{tv_sec={}, tv_usec={}}}, ru_stime={{tv_sec={}, tv_usec={}}}, ...}}",
                field(0), micro(1), field(2), micro(3));
}

void append_tms(std::string& out, const StructView& from) {
  constexpr std::string_view kNames[] = {"tms_utime", "tms_stime", "tms_cutime", "tms_cstime"};
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    append_format(out, "{}{}=", i == 0 ? "{" : ", ", kNames[i]);
    append_ticks(out, load<std::uint64_t>(from.bytes, i * 8));
  }
  out += '}';
}

void append_utsname(std::string& out, const StructView& from) {
  constexpr std::size_t kField = 65;
  if (from.bytes.size() < 2 * kField) return append_quoted(out, from.bytes);
  out += "{sysname=";
  append_field(out, from.bytes.substr(0, kField));
  out += ", nodename=";
  append_field(out, from.bytes.substr(kField, kField));
  out += ", ...}";
}

void append_sysinfo(std::string& out, const StructView& from) {
  if (from.bytes.size() < 112) return append_quoted(out, from.bytes);
  const auto field = [&](std::size_t at) { return load<std::uint64_t>(from.bytes, at); };
  append_format(out, "{{uptime={}, loads=[{}, {}, {}]", field(0), field(8), field(16), field(24));
  append_format(out, ", totalram={}, freeram={}, sharedram={}, bufferram={}, totalswap={}, freeswap={}",
                field(32), field(40), field(48), field(56), field(64), field(72));
  append_format(out, ", procs={}, totalhigh={}, freehigh={}, mem_unit={}}}",
                load<std::uint16_t>(from.bytes, 80), field(88), field(96),
                load<std::uint32_t>(from.bytes, 104));
}

/// What waitid(2) writes of a siginfo_t: zeros if no child had anything to tell.
void append_child_info(std::string& out, const StructView& from) {
  constexpr std::int32_t kExited = 1;
  if (from.bytes.size() < 48) return append_quoted(out, from.bytes);
  const auto number = [&](std::size_t at) { return load<std::int32_t>(from.bytes, at); };
  const auto signal = [&](std::int32_t value) {
    const std::string_view name = signal_name(value);
    if (name.empty())
      append_format(out, "{}", value);
    else
      out += name;
  };
  if (number(0) == 0) {
    out += "{}";
    return;
  }
  out += "{si_signo=";
  signal(number(0));
  out += ", si_code=";
  append_names(out, names::ChildCode, load<std::uint32_t>(from.bytes, 8));
  append_format(out, ", si_pid={}, si_uid={}, si_status=", number(16), load<std::uint32_t>(from.bytes, 20));
  if (number(8) == kExited)
    append_format(out, "{}", number(24));
  else
    signal(number(24));
  out += ", si_utime=";
  append_ticks(out, load<std::uint64_t>(from.bytes, 32));
  out += ", si_stime=";
  append_ticks(out, load<std::uint64_t>(from.bytes, 40));
  out += '}';
}

void append_futex_waiters(std::string& out, const StructView& from) {
  constexpr std::size_t kSize = 24;
  append_list(out, from.bytes, kSize, [&](std::string_view one) {
    out += "{val=";
    append_hex(out, load<std::uint64_t>(one, 0));
    out += ", uaddr=";
    append_pointer(out, load<std::uint64_t>(one, 8));
    out += ", flags=";
    append_names(out, names::FutexWaiterFlags, load<std::uint32_t>(one, 16));
    if (const auto reserved = load<std::uint32_t>(one, 20); reserved != 0) {
      out += ", __reserved=";
      append_hex(out, reserved);
    }
    out += '}';
  });
  append_more(out, static_cast<std::uint32_t>(from.call.args[from.index + 1]), from.bytes.size() / kSize);
}

}  // namespace rehearse::syscalls
