// Structures behind pointers: what is read of the caller's memory (structs.def), and how strace shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "syscalls/call.h"
#include "syscalls/table.h"

namespace rehearse::syscalls {

/// Bytes of user memory that a recorder reads for one argument.
struct Capture {
  enum class Length : std::uint8_t { kFixed, kNext, kBefore, kFirst, kResult, kPointer, kNested };

  std::uint8_t arg = 0;
  bool out = false;   ///< filled in by the call when it succeeds; else read by it
  bool both = false;  ///< read by it, and then filled in
  Length length = Length::kFixed;
  std::uint8_t unit = 1;  ///< bytes that one of the length stands for
  std::uint16_t most = 0;
};

/// What is read for argument `arg` of that kind, nothing if it points to no structure.
std::optional<Capture> capture_of(Arg kind, std::uint8_t arg);

/// Bytes that were captured, and the call they belong to. A short or strange one shows what is there.
struct StructView {
  std::string_view bytes;
  const Call& call;
  std::size_t index;  ///< of the argument
};

/// The structure of argument `index`, or its pointer if it was not captured; false if it is none.
bool append_struct(std::string& out, const Call& call, std::size_t index, Arg kind);

/// What came of waiting for descriptors: " ([{fd=3, revents=POLLIN}], left {tv_sec=1, tv_nsec=0})",
/// " (in [3], out [6])", nothing if not known.
void append_ready(std::string& out, const Syscall& info, const Call& call);

// One printer each, by its name in structs.def. Those of sockets also serve within others.
void append_sockaddr(std::string& out, const StructView& from);
void append_clone_args(std::string& out, const StructView& from);
void append_open_how(std::string& out, const StructView& from);
void append_mount_attr(std::string& out, const StructView& from);
void append_bytes(std::string& out, const StructView& from);
void append_text(std::string& out, const StructView& from);
void append_message(std::string& out, const StructView& from);
void append_messages(std::string& out, const StructView& from);
void append_option(std::string& out, const StructView& from);
void append_timespec(std::string& out, const StructView& from);
void append_file_times(std::string& out, const StructView& from);
void append_timeval(std::string& out, const StructView& from);
void append_file_timevals(std::string& out, const StructView& from);
void append_utimbuf(std::string& out, const StructView& from);
void append_itimerspec(std::string& out, const StructView& from);
void append_itimerval(std::string& out, const StructView& from);
void append_rlimit(std::string& out, const StructView& from);
void append_sigaction(std::string& out, const StructView& from);
void append_sigset(std::string& out, const StructView& from);
void append_numbers(std::string& out, const StructView& from);
void append_sched_attr(std::string& out, const StructView& from);
void append_groups(std::string& out, const StructView& from);
void append_cap_header(std::string& out, const StructView& from);
void append_cap_data(std::string& out, const StructView& from);
void append_wait_status(std::string& out, const StructView& from);
void append_epoll_event(std::string& out, const StructView& from);
void append_epoll_events(std::string& out, const StructView& from);
void append_pollfds(std::string& out, const StructView& from);
void append_fd_set(std::string& out, const StructView& from);
void append_masked(std::string& out, const StructView& from);
void append_child_info(std::string& out, const StructView& from);
void append_rusage(std::string& out, const StructView& from);
void append_tms(std::string& out, const StructView& from);
void append_utsname(std::string& out, const StructView& from);
void append_sysinfo(std::string& out, const StructView& from);
void append_statfs(std::string& out, const StructView& from);
void append_futex_waiters(std::string& out, const StructView& from);
void append_winsize(std::string& out, const StructView& from);
void append_termios(std::string& out, const StructView& from);
void append_stat(std::string& out, const StructView& from);
void append_flock(std::string& out, const StructView& from);
void append_owner(std::string& out, const StructView& from);
void append_task_name(std::string& out, const StructView& from);
void append_cpu_mask(std::string& out, const StructView& from);
void append_mq_attr(std::string& out, const StructView& from);
void append_statx(std::string& out, const StructView& from);

}  // namespace rehearse::syscalls
