#include "base/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <span>
#include <vector>

#include "base/sys.h"

namespace rehearse {
namespace {

/// Allowed with any arguments.
constexpr long kAllowed[] = {
    // the sockets and files that it has
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,
    SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_accept4, SYS_shutdown, SYS_connect, SYS_getsockname,
    SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_fcntl,
    // waiting, time
    SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl, SYS_clock_gettime, SYS_gettimeofday, SYS_time,
    SYS_restart_syscall,
    // memory (mmap and mprotect are below), locks, random numbers
    SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex, SYS_getrandom, SYS_getpid, SYS_gettid,
    // the end
    SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask};

/// Allowance::kReading. openat2(2) cannot be looked into: such a process could write, but without
/// capabilities and only into the clone, as the action can.
constexpr long kReadingFiles[] = {SYS_openat,     SYS_openat2, SYS_newfstatat, SYS_fstat, SYS_statx,
                                  SYS_readlinkat, SYS_lseek,   SYS_getdents64, SYS_poll,  SYS_ppoll};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/// What the runtime of a sanitizer does besides, to report and to end.
constexpr long kSanitizing[] = {
    SYS_rt_sigaction, SYS_sigaltstack, SYS_sched_yield, SYS_nanosleep, SYS_clock_nanosleep,
    SYS_tgkill,       SYS_prlimit64,   SYS_pipe,        SYS_pipe2};
constexpr bool kSanitized = true;
#else
constexpr std::array<long, 0> kSanitizing = {};
constexpr bool kSanitized = false;
#endif

constexpr struct sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
}
constexpr struct sock_filter give(unsigned verdict) {
  return BPF_STMT(BPF_RET | BPF_K, verdict);
}
constexpr struct sock_filter skip_unless(unsigned value, unsigned char count) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count);
}
constexpr struct sock_filter skip_if(unsigned value, unsigned char count) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
}
constexpr struct sock_filter skip_if_any(unsigned bits, unsigned char count) {
  return BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, count, 0);
}
/// The lower half of an argument: all there is of an int.
constexpr std::size_t argument(std::size_t index) {
  return offsetof(struct seccomp_data, args) + 8 * index;
}

constexpr unsigned kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr unsigned kTypeBits = ~static_cast<unsigned>(SOCK_NONBLOCK | SOCK_CLOEXEC);

/// Memory with PROT_EXEC is refused; `number` is of a call whose third argument is a protection.
void add_protection_rule(std::vector<struct sock_filter>& program, long number) {
  program.push_back(skip_unless(static_cast<unsigned>(number), 4));
  program.push_back(load(argument(2)));
  program.push_back(skip_if_any(PROT_EXEC, 1));
  program.push_back(give(SECCOMP_RET_ALLOW));
  program.push_back(give(kRefuse));
}

/// TCP and UDP over IPv4 and IPv6: no raw sockets, no other families, no other protocols.
void add_socket_rule(std::vector<struct sock_filter>& program) {
  program.push_back(skip_unless(SYS_socket, 13));
  program.push_back(load(argument(0)));
  program.push_back(skip_if(AF_INET, 1));
  program.push_back(skip_unless(AF_INET6, 9));
  program.push_back(load(argument(1)));
  program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kTypeBits));
  program.push_back(skip_if(SOCK_STREAM, 1));
  program.push_back(skip_unless(SOCK_DGRAM, 5));
  program.push_back(load(argument(2)));
  program.push_back(skip_if(0, 2));
  program.push_back(skip_if(IPPROTO_TCP, 1));
  program.push_back(skip_unless(IPPROTO_UDP, 1));
  program.push_back(give(SECCOMP_RET_ALLOW));
  program.push_back(give(kRefuse));
}

void allow(std::vector<struct sock_filter>& program, std::span<const long> numbers) {
  for (const long number : numbers) {
    program.push_back(skip_unless(static_cast<unsigned>(number), 1));
    program.push_back(give(SECCOMP_RET_ALLOW));
  }
}

std::vector<struct sock_filter> filter_program(Allowance allowance) {
  std::vector<struct sock_filter> program = {load(offsetof(struct seccomp_data, arch)),
                                             skip_if(AUDIT_ARCH_X86_64, 1), give(SECCOMP_RET_KILL_PROCESS),
                                             load(offsetof(struct seccomp_data, nr))};
  allow(program, kAllowed);
  allow(program, kSanitizing);
  if (allowance == Allowance::kReading) allow(program, kReadingFiles);
  // Each of these loads an argument only if it is the one, and then ends.
  add_protection_rule(program, SYS_mmap);
  add_protection_rule(program, SYS_mprotect);
  if (allowance == Allowance::kInternet) add_socket_rule(program);
  program.push_back(give(kRefuse));
  return program;
}

Result<void> check(long result, const char* call) {
  if (result != 0) return sys::last_error(call);
  return {};
}

Result<void> set_limit(int what, std::uint64_t value) {
  const struct rlimit limit = {value, value};
  return check(::setrlimit(static_cast<__rlimit_resource>(what), &limit), "setrlimit");
}

/// Bytes of its own memory that count against RLIMIT_DATA.
Result<std::uint64_t> data_bytes() {
  RH_TRY(const std::string text, sys::read_file("/proc/self/statm"));
  unsigned long pages = 0;
  if (std::sscanf(text.c_str(), "%*u %*u %*u %*u %*u %lu", &pages) != 1)
    return fail("/proc/self/statm is not as proc(5) has it");
  return std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<void> block_signals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  RH_CHECK(check(::sigaction(SIGTERM, &action, nullptr), "sigaction"));
  sigset_t blocked;
  sigfillset(&blocked);
  sigdelset(&blocked, SIGTERM);
  return check(::sigprocmask(SIG_SETMASK, &blocked, nullptr), "sigprocmask");
}

/// The calls themselves: the C library's would want to tell threads that stayed with the parent.
Result<void> become(unsigned id) {
  RH_CHECK(check(::syscall(SYS_setgroups, 0, nullptr), "setgroups"));
  RH_CHECK(check(::syscall(SYS_setresgid, id, id, id), "setresgid"));
  RH_CHECK(check(::syscall(SYS_setresuid, id, id, id), "setresuid"));
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {};
  RH_CHECK(check(::syscall(SYS_capset, &head, none), "capset"));
  return check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl");
}

/// Becoming somebody else takes this back: it comes after.
Result<void> die_with(int parent) {
  RH_CHECK(check(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl"));
  if (::getppid() != parent) return fail("the supervisor has gone");
  return {};
}

Result<void> install_filter(Allowance allowance) {
  std::vector<struct sock_filter> program = filter_program(allowance);
  const struct sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  RH_CHECK(check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl"));
  return check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

/// Tries what must not work any more.
Result<void> probe(const Confinement& as) {
  const auto refused = [](long result) { return result < 0 && errno == EPERM; };
  const bool reads = as.allowance == Allowance::kReading;
  const bool confined = (reads || refused(::syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0))) &&
                        (!reads || refused(::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))) &&
                        refused(::syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_RAW)) &&
                        refused(::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)) &&
                        refused(::syscall(SYS_kill, 0, 0)) && refused(::syscall(SYS_setuid, 0));
  if (!confined) return fail("what was given up still works");
  return {};
}

}  // namespace

Result<void> close_others(std::span<int> kept) {
  std::ranges::sort(kept);
  unsigned next = kSanitized ? STDERR_FILENO + 1 : 0;  // where findings are reported
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) RH_CHECK(check(::syscall(SYS_close_range, next, number - 1, 0), "close_range"));
    next = std::max(next, number + 1);
  }
  return check(::syscall(SYS_close_range, next, std::numeric_limits<unsigned>::max(), 0), "close_range");
}

Result<std::uint64_t> limit_descriptors(std::uint64_t wanted) {
  if (set_limit(RLIMIT_NOFILE, wanted)) return wanted;
  // Raising the hard limit takes CAP_SYS_RESOURCE.
  struct rlimit limit = {};
  RH_CHECK(check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit"));
  RH_CHECK(set_limit(RLIMIT_NOFILE, limit.rlim_max));
  return limit.rlim_max;
}

Result<void> limit_memory(std::uint64_t bytes) {
  RH_TRY(const std::uint64_t data, data_bytes());
  RH_CHECK(set_limit(RLIMIT_CORE, 0));
  if (kSanitized) return {};  // shadow memory, and what is freed is kept for a while
  return set_limit(RLIMIT_DATA, data + bytes);
}

Result<void> confine(const Confinement& as) {
  RH_CHECK(block_signals());
  RH_CHECK(become(as.id));
  RH_CHECK(die_with(as.parent));
  RH_CHECK(install_filter(as.allowance));
  return probe(as);
}

}  // namespace rehearse
