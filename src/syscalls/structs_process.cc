// Arguments of clone3, limits, signals, capabilities, groups, scheduling, and how children ended.
#include <algorithm>
#include <array>

#include "syscalls/call.h"
#include "syscalls/names.h"
#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

constexpr std::size_t kSigsetBytes = 8;

void append_limit(std::string& out, std::uint64_t value) {
  constexpr std::uint64_t kKibi = 1024;
  if (value == UINT64_MAX) {
    out += "RLIM64_INFINITY";
  } else if (value > kKibi && value % kKibi == 0) {
    append_format(out, "{}*1024", value / kKibi);
  } else {
    append_format(out, "{}", value);
  }
}

/// KILL, RTMIN, RT_2
void append_short_signal(std::string& out, int number) {
  std::string_view name = signal_name(number);
  if (name.starts_with("SIG")) name.remove_prefix(3);
  if (name.empty()) {
    append_format(out, "{}", number);
  } else {
    out += name;
  }
}

/// [INT RT_2], or by what is missing if that is less: ~[KILL]
void append_signals(std::string& out, std::uint64_t set) {
  constexpr int kSignals = 64;
  const bool inverted = std::popcount(set) >= kSignals * 2 / 3;
  if (inverted) {
    out += '~';
    set = ~set;
  }
  out += '[';
  bool first = true;
  for (int number = 1; number <= kSignals; ++number) {
    if ((set >> (number - 1) & 1U) == 0) continue;
    if (!first) out += ' ';
    first = false;
    append_short_signal(out, number);
  }
  out += ']';
}

void append_capabilities(std::string& out, std::uint64_t set) {
  if (set == 0) {
    out += '0';
    return;
  }
  const std::size_t start = out.size();
  std::uint64_t unknown = 0;
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t one = std::uint64_t{1} << bit;
    if ((set & one) == 0) continue;
    const std::string_view name = choice_name(names::Capability, bit);
    if (name.empty()) {
      unknown |= one;
      continue;
    }
    if (out.size() > start) out += '|';
    out += "1<<";
    out += name;
  }
  if (unknown == 0) return;
  if (out.size() > start) out += '|';
  append_hex(out, unknown);
}

}  // namespace

void append_clone_args(std::string& out, const StructView& from) {
  const std::string_view bytes = from.bytes;
  // Eight-byte fields in the kernel's order: flags, pidfd, child_tid, parent_tid, exit_signal, stack,
  // stack_size, tls, set_tid, set_tid_size, cgroup.
  const auto field = [&](std::size_t i) { return load<std::uint64_t>(bytes, i * 8); };
  const std::size_t count = bytes.size() / 8;
  constexpr std::uint64_t kPidfd = 0x1000;
  constexpr std::uint64_t kChildTid = 0x1200000;
  constexpr std::uint64_t kParentTid = 0x100000;
  constexpr std::uint64_t kTls = 0x80000;
  constexpr std::uint64_t kIntoCgroup = 0x200000000;
  out += "{flags=";
  const std::uint64_t flags = count > 0 ? field(0) : 0;
  append_names(out, names::Clone3Flags, flags);
  const auto pointer = [&](std::size_t i, std::string_view name, bool show) {
    if (count <= i || !show) return;
    out += ", ";
    out += name;
    out += '=';
    append_pointer(out, field(i));
  };
  pointer(1, "pidfd", (flags & kPidfd) != 0);
  pointer(2, "child_tid", (flags & kChildTid) != 0);
  pointer(3, "parent_tid", (flags & kParentTid) != 0);
  if (count > 4) {
    out += ", exit_signal=";
    const std::string_view name =
        field(4) <= 64 ? signal_name(static_cast<int>(field(4))) : std::string_view{};
    if (name.empty()) {
      fmt::format_to(std::back_inserter(out), "{}", field(4));
    } else {
      out += name;
    }
  }
  pointer(5, "stack", true);
  if (count > 6) {
    out += ", stack_size=";
    append_hex(out, field(6));
  }
  pointer(7, "tls", (flags & kTls) != 0);
  if (count > 9 && (field(8) != 0 || field(9) != 0)) {
    pointer(8, "set_tid", true);
    fmt::format_to(std::back_inserter(out), ", set_tid_size={}", field(9));
  }
  if (count > 10 && (flags & kIntoCgroup) != 0) {
    fmt::format_to(std::back_inserter(out), ", cgroup={}", field(10));
  }
  out += '}';
}

void append_open_how(std::string& out, const StructView& from) {
  const std::string_view bytes = from.bytes;
  // Eight-byte fields: flags, mode, resolve (openat2(2)).
  if (bytes.size() < 24) {
    append_quoted(out, bytes);
    return;
  }
  constexpr std::uint64_t kCreates = 0x40 | 0x400000;  // O_CREAT, __O_TMPFILE
  const auto flags = load<std::uint64_t>(bytes, 0);
  const auto mode = load<std::uint64_t>(bytes, 8);
  out += "{flags=";
  append_names(out, names::OpenFlags, flags);
  if (mode != 0 || (flags & kCreates) != 0) {
    out += ", mode=";
    append_mode(out, mode);
  }
  out += ", resolve=";
  append_names(out, names::ResolveFlags, load<std::uint64_t>(bytes, 16));
  out += '}';
}

void append_rlimit(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  out += "{rlim_cur=";
  append_limit(out, load<std::uint64_t>(from.bytes, 0));
  out += ", rlim_max=";
  append_limit(out, load<std::uint64_t>(from.bytes, 8));
  out += '}';
}

/// The kernel's struct sigaction: handler, flags, restorer, mask.
void append_sigaction(std::string& out, const StructView& from) {
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  constexpr std::uint64_t kRestorer = 0x04000000;
  const auto handler = load<std::uint64_t>(from.bytes, 0);
  const auto flags = load<std::uint64_t>(from.bytes, 8);
  out += "{sa_handler=";
  if (handler == 0) {
    out += "SIG_DFL";
  } else if (handler == 1) {
    out += "SIG_IGN";
  } else {
    append_hex(out, handler);
  }
  out += ", sa_mask=";
  append_signals(out, load<std::uint64_t>(from.bytes, 24));
  out += ", sa_flags=";
  append_names(out, names::SigactionFlags, flags);
  if ((flags & kRestorer) != 0) {
    out += ", sa_restorer=";
    append_pointer(out, load<std::uint64_t>(from.bytes, 16));
  }
  out += '}';
}

void append_sigset(std::string& out, const StructView& from) {
  const Syscall* info = find_syscall(from.call.nr);
  const std::size_t next = from.index + 1;
  const bool sized = info != nullptr && next < info->count && info->args[next] == Arg::kSize;
  if (sized && from.call.args[next] != kSigsetBytes)
    return append_pointer(out, from.call.args[from.index]);  // refused unread
  if (from.bytes.size() < kSigsetBytes) return append_quoted(out, from.bytes);
  append_signals(out, load<std::uint64_t>(from.bytes, 0));
}

/// The mask that pselect6(2) waits with, as it is handed over: where it is, and how long.
void append_masked(std::string& out, const StructView& from) {
  if (from.bytes.size() < 16) return append_quoted(out, from.bytes);
  out += "{sigmask=";
  const auto size = load<std::uint64_t>(from.bytes, 8);
  if (from.bytes.size() >= 24 && size == kSigsetBytes)
    append_signals(out, load<std::uint64_t>(from.bytes, 16));
  else
    append_pointer(out, load<std::uint64_t>(from.bytes, 0));
  append_format(out, ", sigsetsize={}}}", size);
}

/// Numbers of an int each: a pair of descriptors, a priority.
void append_numbers(std::string& out, const StructView& from) {
  append_list(out, from.bytes, 4,
              [&](std::string_view one) { append_format(out, "{}", load<std::int32_t>(one, 0)); });
}

void append_sched_attr(std::string& out, const StructView& from) {
  if (from.bytes.size() < 48) return append_quoted(out, from.bytes);
  append_format(out, "{{size={}, sched_policy=", load<std::uint32_t>(from.bytes, 0));
  append_names(out, names::SchedPolicy, load<std::uint32_t>(from.bytes, 4));
  out += ", sched_flags=";
  append_names(out, names::SchedFlags, load<std::uint64_t>(from.bytes, 8));
  append_format(out,
                ", sched_nice={}, sched_priority={}, sched_runtime={}, sched_deadline={}, sched_period={}}}",
                load<std::int32_t>(from.bytes, 16), load<std::uint32_t>(from.bytes, 20),
                load<std::uint64_t>(from.bytes, 24), load<std::uint64_t>(from.bytes, 32),
                load<std::uint64_t>(from.bytes, 40));
}

void append_groups(std::string& out, const StructView& from) {
  constexpr std::uint64_t kMost = 65536;  // more are refused unread
  const bool told = from.call.nr == Nr::getgroups;
  const std::uint64_t count =
      told ? static_cast<std::uint64_t>(from.call.result) : static_cast<std::uint32_t>(from.call.args[0]);
  if (count > kMost) return append_pointer(out, from.call.args[from.index]);
  append_list(out, from.bytes, 4,
              [&](std::string_view one) { append_format(out, "{}", load<std::uint32_t>(one, 0)); });
  append_more(out, count, from.bytes.size() / 4);
}

void append_cap_header(std::string& out, const StructView& from) {
  if (from.bytes.size() < 8) return append_quoted(out, from.bytes);
  out += "{version=";
  append_names(out, names::CapVersion, load<std::uint32_t>(from.bytes, 0));
  append_format(out, ", pid={}}}", load<std::int32_t>(from.bytes, 4));
}

/// Two of effective, permitted, inheritable: the low and the high halves.
void append_cap_data(std::string& out, const StructView& from) {
  if (from.bytes.size() < 24) return append_quoted(out, from.bytes);
  const auto set = [&](std::size_t at) {
    return load<std::uint32_t>(from.bytes, at) | std::uint64_t{load<std::uint32_t>(from.bytes, at + 12)}
                                                     << 32U;
  };
  out += "{effective=";
  append_capabilities(out, set(0));
  out += ", permitted=";
  append_capabilities(out, set(4));
  out += ", inheritable=";
  append_capabilities(out, set(8));
  out += '}';
}

void append_wait_status(std::string& out, const StructView& from) {
  // Without a child that had something to tell nothing is written.
  if (from.call.result <= 0) return append_pointer(out, from.call.args[from.index]);
  if (from.bytes.size() < 4) return append_quoted(out, from.bytes);
  constexpr std::uint32_t kContinued = 0xffff;
  constexpr std::uint32_t kStopped = 0x7f;
  constexpr std::uint32_t kCore = 0x80;
  const auto status = load<std::uint32_t>(from.bytes, 0);
  const auto named = [](std::uint32_t number) {
    const std::string_view name = signal_name(static_cast<int>(number));
    return name.empty() ? fmt::format("{}", number) : std::string(name);
  };
  if ((status & 0x7fU) == 0) {
    append_format(out, "[{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}]", status >> 8U & 0xffU);
  } else if (status == kContinued) {
    out += "[{WIFCONTINUED(s)}]";
  } else if ((status & 0xffU) == kStopped) {
    append_format(out, "[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", named(status >> 8U & 0xffU));
  } else {
    append_format(out, "[{{WIFSIGNALED(s) && WTERMSIG(s) == {}{}}}]", named(status & 0x7fU),
                  (status & kCore) != 0 ? " && WCOREDUMP(s)" : "");
  }
}

void append_flock(std::string& out, const StructView& from) {
  constexpr std::uint32_t kGetLock = 5, kGetOpenFileLock = 36;
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  out += "{l_type=";
  append_names(out, names::LeaseType, load<std::uint16_t>(from.bytes, 0));
  out += ", l_whence=";
  append_names(out, names::Whence, load<std::uint16_t>(from.bytes, 2));
  append_format(out, ", l_start={}, l_len={}", load<std::int64_t>(from.bytes, 8),
                load<std::int64_t>(from.bytes, 16));
  const auto command = static_cast<std::uint32_t>(from.call.args[1]);
  if (command == kGetLock || command == kGetOpenFileLock)
    append_format(out, ", l_pid={}", load<std::int32_t>(from.bytes, 24));
  out += '}';
}

void append_owner(std::string& out, const StructView& from) {
  constexpr std::string_view kTypes[] = {"F_OWNER_TID", "F_OWNER_PID", "F_OWNER_PGRP"};
  if (from.bytes.size() < 8) return append_quoted(out, from.bytes);
  const auto type = load<std::uint32_t>(from.bytes, 0);
  out += "{type=";
  if (type < std::size(kTypes))
    out += kTypes[type];
  else
    append_format(out, "{:#x} /* F_OWNER_??? */", type);
  append_format(out, ", pid={}}}", load<std::int32_t>(from.bytes, 4));
}

/// The kernel takes 15 bytes of it.
void append_task_name(std::string& out, const StructView& from) {
  const std::string_view name = from.bytes.substr(0, from.bytes.find('\0'));
  append_quoted(out, name.substr(0, 15));
  if (name.size() > 15) out += "...";
}

/// Numbers of processors: [0 1 7]
void append_cpu_mask(std::string& out, const StructView& from) {
  out += '[';
  const char* between = "";
  for (std::size_t cpu = 0; cpu < from.bytes.size() * 8; ++cpu) {
    if ((static_cast<unsigned char>(from.bytes[cpu / 8]) >> cpu % 8 & 1U) == 0) continue;
    append_format(out, "{}{}", between, cpu);
    between = " ";
  }
  out += ']';
}

void append_mq_attr(std::string& out, const StructView& from) {
  if (from.bytes.size() < 32) return append_quoted(out, from.bytes);
  out += "{mq_flags=";
  constexpr std::uint64_t kNonblock = 04000;
  const auto flags = load<std::uint64_t>(from.bytes, 0);
  if (flags == kNonblock)
    out += "O_NONBLOCK";
  else
    append_hex(out, flags);
  append_format(out, ", mq_maxmsg={}, mq_msgsize={}, mq_curmsgs={}}}", load<std::int64_t>(from.bytes, 8),
                load<std::int64_t>(from.bytes, 16), load<std::int64_t>(from.bytes, 24));
}

}  // namespace rehearse::syscalls
