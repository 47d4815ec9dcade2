// Lines as strace 6 prints them, where the kernel of the day or the caller's rights cannot make them.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "syscalls/call.h"

using namespace rehearse::syscalls;

namespace {

template <class... Args>
Call made(std::uint32_t nr, std::int64_t result, Args... args) {
  Call call;
  call.nr = nr;
  call.returned = true;
  call.result = result;
  call.args = {static_cast<std::uint64_t>(args)...};
  return call;
}

Call with_text(Call call, std::size_t index, std::string bytes, bool truncated = false) {
  call.texts[index] = Text{std::move(bytes), truncated};
  return call;
}

Call with_blob(Call call, std::size_t index, std::string bytes) {
  call.blobs[index] = std::move(bytes);
  return call;
}

std::string raw(const void* bytes, std::size_t size) {
  return {static_cast<const char*>(bytes), size};
}

}  // namespace

TEST_CASE("paths, flags and modes") {
  CHECK(format_call(with_text(made(Nr::openat, 3, -100, 1, 02000000), 1, "/etc/passwd")) ==
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3");
  CHECK(format_call(made(Nr::openat, -14, 7, 0x1000, 0100, 0644)) ==
        "openat(7, 0x1000, O_RDONLY|O_CREAT, 0644) = -1 EFAULT (Bad address)");
  CHECK(format_call(made(Nr::open, -14, 0, 2)) == "open(NULL, O_RDWR) = -1 EFAULT (Bad address)");
  CHECK(format_arguments(with_text(made(Nr::open, 0, 1, 0x40000000), 0, "x")) ==
        "\"x\", O_RDONLY|0x40000000");
  CHECK(format_arguments(with_text(made(Nr::mkdir, 0, 1, 01777), 0, "x")) == "\"x\", 01777");
  CHECK(format_arguments(with_text(made(Nr::truncate, 0, 1, -3), 0, "x")) == "\"x\", -3");
  CHECK(format_arguments(with_text(made(Nr::acct, 0, 1), 0, "cut", true)) == "\"cut\"...");
  // Only what strace shows of mknod's device.
  CHECK(format_arguments(with_text(made(Nr::mknod, 0, 1, 0060660, 0x10300812), 0, "b")) ==
        "\"b\", S_IFBLK|0660, makedev(0x8, 0x10312)");
  CHECK(format_arguments(made(Nr::mount, 0, 0, 0, 0, 0xc0ed0002, 0)) ==
        "NULL, NULL, NULL, MS_MGC_VAL|MS_NOSUID, NULL");
}

TEST_CASE("Requests of ioctl(2) by name") {
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x40045566, 1)) == "3, UI_SET_RELBIT, 0x1");
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x2, 0)) == "3, FIGETBSZ, NULL");
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x20000, 0)) == "3, _IOC(_IOC_NONE, 0, 0, 0x2), 0");
}

TEST_CASE("int arguments are their low 32 bits") {
  CHECK(format_arguments(made(Nr::close, 0, 0x1234567800000003)) == "3");
  CHECK(format_arguments(made(Nr::kill, 0, 0xffffffffULL, 0x900000000ULL | 15)) == "-1, SIGTERM");
  CHECK(format_arguments(made(Nr::openat, 0, 0xffffffffffffff9c, 0, 0xff00000000)) ==
        "AT_FDCWD, NULL, O_RDONLY");
  CHECK(format_arguments(made(Nr::socket, 0, 0x100000002, 0x100000001, 0x100000006)) ==
        "AF_INET, SOCK_STREAM, IPPROTO_TCP");
}

TEST_CASE("nothing raw comes out of user memory") {
  const std::string hostile =
      std::string("\x1b[2J\x9b\n\r\t\a\\\"\xe2\x80\xae", 14) + std::string(1, '\0') + "7";
  CHECK(format_arguments(with_text(made(Nr::chdir, 0, 1), 0, hostile)) ==
        "\"\\33[2J\\233\\n\\r\\t\\7\\\\\\\"\\342\\200\\256\\0007\"");
  CHECK(format_arguments(with_text(made(Nr::chdir, 0, 1), 0,
                                   std::string("\1"
                                               "2\1"
                                               "a\v\f\x7f",
                                               7))) == "\"\\0012\\1a\\v\\f\\177\"");
}

TEST_CASE("results") {
  CHECK(format_result(made(Nr::read, -4)) == "-1 EINTR (Interrupted system call)");
  CHECK(format_result(made(Nr::read, -512)) == "? ERESTARTSYS (To be restarted if SA_RESTART is set)");
  CHECK(format_result(made(Nr::read, -513)) == "? ERESTARTNOINTR (To be restarted)");
  CHECK(format_result(made(Nr::pause, -514)) == "? ERESTARTNOHAND (To be restarted if no handler)");
  CHECK(format_result(made(Nr::nanosleep, -516)) == "? ERESTART_RESTARTBLOCK (Interrupted by signal)");
  CHECK(format_result(made(Nr::read, -524)) == "-1 ENOTSUPP (Unknown error 524)");
  CHECK(format_result(made(Nr::read, -3000)) == "-1 (errno 3000)");
  CHECK(format_result(made(Nr::read, -133)) == "-1 EHWPOISON (Memory page has hardware error)");
  CHECK(format_result(made(Nr::mmap, 0x7f0000001000)) == "0x7f0000001000");
  CHECK(format_result(made(Nr::mmap, -4096)) == "0xfffffffffffff000");
  CHECK(format_result(made(Nr::brk, 0x55500000)) == "0x55500000");
  CHECK(format_result(made(Nr::umask, 022)) == "022");
  CHECK(format_result(made(Nr::poll, 0)) == "0 (Timeout)");
  CHECK(format_result(made(Nr::poll, 2)) == "2");
  CHECK(format_result(made(Nr::fcntl, 1, 3, 1)) == "0x1 (flags FD_CLOEXEC)");
  CHECK(format_result(made(Nr::fcntl, 0x8002, 3, 3)) == "0x8002 (flags O_RDWR|O_LARGEFILE)");
  CHECK(format_result(made(Nr::membarrier, 3, 0)) ==
        "0x3 (MEMBARRIER_CMD_GLOBAL|MEMBARRIER_CMD_GLOBAL_EXPEDITED)");
  CHECK(format_call(made(Nr::exit_group, 0, 3)) == "exit_group(3) = ?");
  Call open = made(Nr::pause, 0);
  open.returned = false;
  CHECK(format_call(open) == "pause() = ?");
}

TEST_CASE("programs") {
  Call call = with_text(made(Nr::execve, 0, 1, 0x7ffd10, 0x7ffd20), 0, "/bin/ls");
  call.argv = {"ls", "-l", "a\nb"};
  call.envp_names = {"PATH", "HOME"};
  CHECK(format_call(call) == "execve(\"/bin/ls\", [\"ls\", \"-l\", \"a\\nb\"], 0x7ffd20 /* 2 vars */) = 0");
  call.envp_names = {"PATH"};
  CHECK(format_arguments(call) == "\"/bin/ls\", [\"ls\", \"-l\", \"a\\nb\"], 0x7ffd20 /* 1 var */");
  call.argv.clear();
  call.envp_names.clear();
  CHECK(format_arguments(call) == "\"/bin/ls\", 0x7ffd10, 0x7ffd20");
}

TEST_CASE("clone and its kin") {
  CHECK(format_call(made(Nr::clone, 42, 0x1200011, 0, 0, 0x7f10)) ==
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f10) "
        "= 42");
  CHECK(format_arguments(made(Nr::clone, 0, 0x4111, 0x7f00)) ==
        "child_stack=0x7f00, flags=CLONE_VM|CLONE_VFORK|SIGCHLD");
  CHECK(format_arguments(made(Nr::clone, 0, 17)) == "child_stack=NULL, flags=SIGCHLD");
  CHECK(format_arguments(made(Nr::clone, 0, 0)) == "child_stack=NULL, flags=0");
  CHECK(format_arguments(made(Nr::unshare, 0, 0x10020000)) == "CLONE_NEWNS|CLONE_NEWUSER");
  const std::uint64_t args[] = {0x4100, 0, 0, 0, 17, 0x7f0000, 0x9000, 0, 0, 0, 0};
  CHECK(
      format_call(with_blob(made(Nr::clone3, 9, 0x7ff0, 88), 0, raw(args, 88))) ==
      "clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x7f0000, stack_size=0x9000}, 88) = 9");
  CHECK(format_arguments(with_blob(made(Nr::clone3, 9, 0x7ff0, 3), 0, "abc")) == "{flags=0}, 3");
}

TEST_CASE("socket addresses") {
  const auto connect = [](const std::string& bytes) {
    return format_arguments(with_blob(made(Nr::connect, 0, 3, 0x7000, bytes.size()), 1, bytes));
  };
  CHECK(connect(std::string("\2\0\1\xbb\x0a\0\0\1\0\0\0\0\0\0\0\0", 16)) ==
        "3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr(\"10.0.0.1\")}, 16");
  CHECK(connect(std::string("\x0a\0\0\x35\0\0\0\7\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\2\0\0\0", 28)) ==
        "3, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(7), inet_pton(AF_INET6, "
        "\"2001:db8::1\", &sin6_addr), sin6_scope_id=2}, 28");
  CHECK(connect(std::string("\1\0/run/x\0junk", 13)) == "3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 13");
  CHECK(connect(std::string("\1\0\0ab\0\x1b", 7)) == "3, {sa_family=AF_UNIX, sun_path=@\"ab\\0\\33\"}, 7");
  CHECK(connect(std::string("\1\0", 2)) == "3, {sa_family=AF_UNIX}, 2");
  CHECK(connect(std::string("\x10\0\0\0\5\0\0\0\1\0\0\0", 12)) ==
        "3, {sa_family=AF_NETLINK, nl_pid=5, nl_groups=0x000001}, 12");
  CHECK(connect(std::string("\x11\0\0\3\2\0\0\0\1\0\0\2\x66\x55", 14)) ==
        "3, {sa_family=AF_PACKET, sll_protocol=htons(ETH_P_ALL), sll_ifindex=2, sll_hatype=ARPHRD_ETHER, "
        "sll_pkttype=PACKET_HOST, sll_halen=2, sll_addr=[0x66, 0x55]}, 14");
  CHECK(connect(std::string("\2\0\1", 3)) == "3, {sa_family=AF_INET, sa_data=\"\\1\"}, 3");
  CHECK(connect("x") == "3, \"x\", 1");
  CHECK(format_arguments(made(Nr::connect, 0, 3, 0x7000, 16)) == "3, 0x7000, 16");
  const Call accepted =
      with_blob(made(Nr::accept4, 5, 3, 0x7000, 0x7100, 02000000), 1, std::string("\2\0\0\x50\x7f\0\0\1", 8));
  CHECK(format_call(accepted) ==
        "accept4(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, [8], "
        "SOCK_CLOEXEC) = 5");
}

TEST_CASE("commands and what follows them") {
  CHECK(format_arguments(made(Nr::reboot, 0, 0xfee1dead, 672274793, 0x4321fedc)) ==
        "LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF");
  CHECK(format_arguments(made(Nr::ptrace, 0, 0, 5, 6, 7)) == "PTRACE_TRACEME");
  CHECK(format_arguments(made(Nr::ptrace, 0, 0x4206, 5, 0, 0x100001)) ==
        "PTRACE_SEIZE, 5, NULL, PTRACE_O_TRACESYSGOOD|PTRACE_O_EXITKILL");
  CHECK(format_arguments(made(Nr::prctl, 0, 22, 2, 0x10)) == "PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0x10");
  CHECK(format_arguments(made(Nr::prctl, 0, 47, 2, 21, 0, 0)) ==
        "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0");
  CHECK(format_arguments(made(Nr::prctl, 0, 47, 4, 0, 0, 0)) ==
        "PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0");
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x5412, 0x10)) == "3, TIOCSTI, 0x10");
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x40049409, 0x4)) == "3, FICLONE, 0x4");
  CHECK(format_arguments(made(Nr::ioctl, 0, 3, 0x8913, 0x10)) == "3, SIOCGIFFLAGS, 0x10");
  CHECK(format_arguments(made(Nr::bpf, 0, 5, 0x10, 144)) == "BPF_PROG_LOAD, 0x10, 144");
  CHECK(format_arguments(made(Nr::keyctl, 0, 0, -3, 0)) ==
        "KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0");
  CHECK(format_arguments(made(Nr::personality, 0, 0x0040000)) == "PER_LINUX|ADDR_NO_RANDOMIZE");
  CHECK(format_arguments(made(Nr::futex, 0, 0x10, 0x80 | 6, 99, 0x20)) ==
        "0x10, FUTEX_LOCK_PI_PRIVATE, 0x20");
  CHECK(format_arguments(made(Nr::syslog, 0, 10, 0, 0)) == "10 /* SYSLOG_ACTION_SIZE_BUFFER */");
  CHECK(format_arguments(made(Nr::syslog, 0, 3, 0x10, 64)) == "3 /* SYSLOG_ACTION_READ_ALL */, 0x10, 64");
  CHECK(format_arguments(made(Nr::mmap, 0, 0, 4096, 3, 0x8001, 5, 0)) ==
        "NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_POPULATE, 5, 0");
  // As strace shows them.
  CHECK(
      format_arguments(made(Nr::mmap, 0, 0, 2097152, 3, 0x22 | 0x40000 | 21U << 26U, -1, 0)) ==
      "NULL, 2097152, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT, -1, 0");
  CHECK(format_arguments(made(Nr::mmap, 0, 0, 1, 0, 0x20c0000 | 0x3 | 35U << 26U, -1, 0)) ==
        "NULL, 1, PROT_NONE, MAP_SHARED_VALIDATE|MAP_HUGETLB|MAP_SYNC|0x2000000|35<<MAP_HUGE_SHIFT, -1, 0");
  CHECK(format_arguments(made(Nr::mmap, 0, 0, 1, 0, 0xc | 21U << 26U, -1, 0)) ==
        "NULL, 1, PROT_NONE, 0xc /* MAP_??? */|21<<MAP_HUGE_SHIFT, -1, 0");
  CHECK(format_arguments(made(Nr::memfd_create, 0, 0x10, 5 | 21U << 26U)) ==
        "0x10, MFD_CLOEXEC|MFD_HUGETLB|21<<MFD_HUGE_SHIFT");
  CHECK(format_arguments(made(Nr::memfd_create, 0, 0x10, 21U << 26U)) == "0x10, 21<<MFD_HUGE_SHIFT");
  CHECK(format_arguments(made(Nr::memfd_create, 0, 0x10, 0x100004 | 21U << 26U)) ==
        "0x10, MFD_HUGETLB|0x100000|21<<MFD_HUGE_SHIFT");
  CHECK(format_arguments(made(Nr::shmget, 0, 0, 4096, 0x800 | 21U << 26U | 0600)) ==
        "IPC_PRIVATE, 4096, SHM_HUGETLB|21<<SHM_HUGE_SHIFT|0600");
  CHECK(format_arguments(made(Nr::shmget, 0, 0, 4096, 21U << 26U)) ==
        "IPC_PRIVATE, 4096, 21<<SHM_HUGE_SHIFT|000");
  CHECK(format_arguments(made(Nr::epoll_ctl, 0, 5, 77, 6, 0x10)) == "5, 0x4d /* EPOLL_CTL_??? */, 6, 0x10");
}

TEST_CASE("numbers that are not in the table") {
  CHECK(format_call(made(0x1f4, -38, 1, 0, 3)) ==
        "syscall_0x1f4(0x1, 0, 0x3, 0, 0, 0) = -1 ENOSYS (Function not implemented)");
  Call call = made(11, 0, 1, 2, 3);
  call.abi = static_cast<std::uint32_t>(Abi::kI386);  // execve there, munmap here
  CHECK(format_call(call) == "i386 execve(0x1, 0x2, 0x3, 0, 0, 0) = 0");
  call.nr = 223;
  CHECK(format_name(call) == "syscall_0xdf");
  call.nr = Nr::openat2;  // from 424 on the numbers are all architectures'
  CHECK(format_name(call) == "openat2");
  call = made(0x40000003, 0, 5);
  call.abi = static_cast<std::uint32_t>(Abi::kX32);
  CHECK(format_call(call) == "x32 close(5) = 0");
  call.abi = 77;
  CHECK(format_name(call) == "syscall_0x40000003");
}

TEST_CASE("names of errors and signals") {
  CHECK(errno_name(1) == "EPERM");
  CHECK(errno_name(133) == "EHWPOISON");
  CHECK(errno_name(516) == "ERESTART_RESTARTBLOCK");
  CHECK(errno_name(530) == "ERECALLCONFLICT");
  for (const int none : {-1, 0, 41, 58, 134, 511, 520, 532, 4095}) CHECK(errno_name(none).empty());
  for (int error = 1; error < 134; ++error) {
    INFO(error);
    const char* name = ::strerrorname_np(error);
    CHECK(errno_name(error) == (name == nullptr ? "" : name));
  }
  CHECK(signal_name(9) == "SIGKILL");
  CHECK(signal_name(31) == "SIGSYS");
  CHECK(signal_name(34) == "SIGRT_2");
  CHECK(signal_name(64) == "SIGRT_32");
  for (const int none : {-1, 0, 65}) CHECK(signal_name(none).empty());
}

TEST_CASE("what fcntl and prctl give back has a name") {
  CHECK(format_result(made(Nr::fcntl, 10, 3, 11)) == "10 (SIGUSR1)");
  CHECK(format_result(made(Nr::fcntl, 0, 3, 11)) == "0");
  CHECK(format_result(made(Nr::fcntl, 2, 3, 1025)) == "0x2 (F_UNLCK)");
  CHECK(format_result(made(Nr::fcntl, 0, 3, 1025)) == "0 (F_RDLCK)");
  CHECK(format_result(made(Nr::prctl, 1, 27)) == "0x1 (SECBIT_NOROOT)");
  CHECK(format_result(made(Nr::prctl, 0, 27)) == "0");
}

TEST_CASE("prctl shows no more than its option takes") {
  const auto shown = [](std::uint64_t option) {
    return format_arguments(made(Nr::prctl, 0, option, 1, 2, 3, 4));
  };
  CHECK(shown(26) == "PR_SET_TSC, 1");
  CHECK(shown(46) == "PR_GET_FP_MODE");
  CHECK(shown(52) == "PR_GET_SPECULATION_CTRL, 1");
  CHECK(shown(53) == "PR_SET_SPECULATION_CTRL, 1, 2");
  CHECK(shown(0x59616d61) == "PR_SET_PTRACER, 1");
  CHECK(shown(35) == "PR_SET_MM, 0x1, 0x2, 0x3, 0x4");
}

TEST_CASE("who is at the other end of a socket") {
  const std::int32_t who[] = {17, 0, 4};
  CHECK(format_arguments(
            with_blob(made(Nr::getsockopt, 0, 4, 1, 17, 0x1000, 0x2000), 3, raw(who, sizeof who))) ==
        "4, SOL_SOCKET, SO_PEERCRED, {pid=17, uid=0, gid=4}, [12]");
}

TEST_CASE("locks, owners, names, processors") {
  const auto numbers = [](std::initializer_list<std::uint64_t> all) {
    return raw(std::data(all), all.size() * sizeof(std::uint64_t));
  };
  CHECK(format_arguments(with_blob(made(Nr::fcntl, 0, 3, 6, 0x1000), 2, numbers({1, 10, 20, 0}))) ==
        "3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=10, l_len=20}");
  CHECK(format_arguments(with_blob(made(Nr::fcntl, 0, 3, 5, 0x1000), 2, numbers({2, 10, 20, 7}))) ==
        "3, F_GETLK, {l_type=F_UNLCK, l_whence=SEEK_SET, l_start=10, l_len=20, l_pid=7}");
  CHECK(format_arguments(with_blob(made(Nr::fcntl, 0, 3, 15, 0x1000), 2, numbers({0x700000001}))) ==
        "3, F_SETOWN_EX, {type=F_OWNER_PID, pid=7}");
  CHECK(format_arguments(with_blob(made(Nr::fcntl, 0, 3, 0, 5), 2, numbers({1, 2, 3, 4}))) ==
        "3, F_DUPFD, 5");
  CHECK(format_arguments(made(Nr::fcntl, 0, 3, 6, 0x1000)) == "3, F_SETLK, 0x1000");
  CHECK(format_arguments(with_blob(made(Nr::prctl, 0, 15, 0x1000), 1,
                                   std::string("evil\0rest of the", 16))) == "PR_SET_NAME, \"evil\"");
  CHECK(format_arguments(with_blob(made(Nr::sched_setaffinity, 0, 0, 8, 0x1000), 2, numbers({0x83}))) ==
        "0, 8, [0 1 7]");
  CHECK(format_arguments(with_blob(with_text(made(Nr::mq_open, 3, 0x1000, 0100, 0600, 0x2000), 0, "q"), 3,
                                   numbers({0, 10, 8192, 0}))) ==
        "\"q\", O_RDONLY|O_CREAT, 0600, {mq_flags=0, mq_maxmsg=10, mq_msgsize=8192, mq_curmsgs=0}");
  CHECK(format_arguments(with_text(made(Nr::mq_open, 3, 0x1000, 0, 0600, 0x2000), 0, "q")) ==
        "\"q\", O_RDONLY");
}

TEST_CASE("what an argument points to, if it points to something in this call") {
  const std::string span = raw("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16);
  const auto futex = [&](int command) {
    return format_arguments(with_blob(made(Nr::futex, 0, 0x1000, command, 7, 0x2000, 0x3000, 4), 3, span));
  };
  CHECK(futex(0) == "0x1000, FUTEX_WAIT, 7, {tv_sec=1, tv_nsec=2}");
  CHECK(futex(1) == "0x1000, FUTEX_WAKE, 7");
  CHECK(futex(3) == "0x1000, FUTEX_REQUEUE, 7, 8192, 0x3000");
  CHECK(futex(13) == "0x1000, FUTEX_LOCK_PI2, {tv_sec=1, tv_nsec=2}");
  CHECK(format_arguments(with_blob(made(Nr::futex_wait, 0, 0x1000, 7, -1, 2, 0x2000, 1), 4, span)) ==
        "0x1000, 0x7, 0xffffffffffffffff, FUTEX2_SIZE_U32, {tv_sec=1, tv_nsec=2}, CLOCK_MONOTONIC");
  const auto ioctl = [&](std::uint32_t request, int result) {
    return format_arguments(with_blob(made(Nr::ioctl, result, 3, request, 0x2000), 2, span));
  };
  CHECK(ioctl(0x541b, 0) == "3, FIONREAD, [1]");
  CHECK(ioctl(0x541b, -25) == "3, FIONREAD, 0x2000");
  CHECK(ioctl(0x5421, -25) == "3, FIONBIO, [1]");
  CHECK(ioctl(0x5413, 0) == "3, TIOCGWINSZ, {ws_row=1, ws_col=0, ws_xpixel=0, ws_ypixel=0}");
  CHECK(ioctl(0x40049409, 0) == "3, FICLONE, 0x2000");
  CHECK(ioctl(0x20000, 0) == "3, _IOC(_IOC_NONE, 0, 0, 0x2), 0x2000");
}

TEST_CASE("What of a list was not recorded is not shown as if there were none") {
  const auto polled = [](int count, int result, const std::string& after) {
    Call call = with_blob(made(Nr::poll, result, 0x1000, count, -1), 0, after);
    call.blobs_after[0] = after;
    return format_result(call);
  };
  const std::string quiet("\3\0\0\0\1\0\0\0", 8);
  const std::string ready("\5\0\0\0\1\0\x11\0", 8);
  CHECK(polled(2, 1, quiet + ready) == "1 ([{fd=5, revents=POLLIN|POLLHUP}])");
  CHECK(polled(2, 0, quiet + quiet) == "0 (Timeout)");
  CHECK(polled(2, 1, quiet + quiet) == "1");
  CHECK(polled(20, 1, quiet + ready) == "1 ([{fd=5, revents=POLLIN|POLLHUP}])");
  CHECK(polled(20, 2, quiet + ready) == "2 ([{fd=5, revents=POLLIN|POLLHUP}, ...])");
  CHECK(polled(20, 2, quiet + quiet) == "2 ([...])");
  CHECK(polled(2, -4, quiet + ready) == "-1 EINTR (Interrupted system call)");
  // As a trace of earlier says it.
  CHECK(format_result(with_blob(made(Nr::poll, 1, 0x1000, 1, -1), 0, ready)) == "1");
  const auto selected = [](int number, const std::string& set) {
    return format_arguments(with_blob(made(Nr::select, 1, number, 0x1000, 0, 0, 0), 1, set));
  };
  CHECK(selected(11, std::string("\x28\6\0\0", 4)) == "11, [3 5 9 10], NULL, NULL, NULL");
  CHECK(selected(10, std::string("\x28\6\0\0", 4)) == "10, [3 5 9], NULL, NULL, NULL");
  CHECK(selected(40, std::string("\x28\6", 2)) == "40, [3 5 9 10 ...], NULL, NULL, NULL");
  CHECK(selected(40, std::string(2, '\0')) == "40, [...], NULL, NULL, NULL");
  CHECK(selected(-1, std::string("\x28", 1)) == "-1, 0x1000, NULL, NULL, NULL");
  const auto came = [](int result, int number, const std::string& in, const std::string& out,
                       const std::string& left) {
    Call call = made(Nr::pselect6, result, number, 0x1000, 0x2000, 0, 0x3000, 0);
    if (!in.empty()) call.blobs_after[1] = in;
    if (!out.empty()) call.blobs_after[2] = out;
    if (!left.empty()) call.blobs_after[4] = left;
    return format_result(call);
  };
  const std::string left("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16);
  CHECK(came(2, 7, "\x08", "\x40", left) == "2 (in [3], out [6], left {tv_sec=1, tv_nsec=2})");
  CHECK(came(1, 7, std::string(1, '\0'), "\x40", "") == "1 (out [6])");
  CHECK(came(2, 40, "\x08", std::string(1, '\0'), "") == "2 (in [3 ...], out [...])");
  CHECK(came(1, 40, "\x08", std::string(1, '\0'), "") == "1 (in [3])");
  CHECK(came(0, 7, "\x08", "\x40", left) == "0 (Timeout)");
  CHECK(came(-4, 7, "\x08", "\x40", left) == "-1 EINTR (Interrupted system call)");
  CHECK(came(1, 7, "", "", "") == "1");
  Call waited = made(Nr::ppoll, 1, 0x1000, 1, 0x2000, 0x3000, 8);
  waited.blobs_after[0] = ready;
  waited.blobs_after[2] = left;
  CHECK(format_result(waited) == "1 ([{fd=5, revents=POLLIN|POLLHUP}], left {tv_sec=1, tv_nsec=2})");
  const auto masked = [](const std::string& bytes) {
    return format_arguments(with_blob(made(Nr::pselect6, 0, 0, 0, 0, 0, 0, 0x1000), 5, bytes));
  };
  const std::string head("\0\x20\0\0\0\0\0\0\x08\0\0\0\0\0\0\0", 16);
  CHECK(masked(head + std::string("\0\2\0\0\0\0\0\0", 8)) ==
        "0, NULL, NULL, NULL, NULL, {sigmask=[USR1], sigsetsize=8}");
  CHECK(masked(head) == "0, NULL, NULL, NULL, NULL, {sigmask=0x2000, sigsetsize=8}");
  CHECK(masked(std::string(16, '\0')) == "0, NULL, NULL, NULL, NULL, {sigmask=NULL, sigsetsize=0}");
  std::string waiters;
  for (char i = 0; i < 10; ++i)
    waiters += std::string(1, i) + std::string(15, '\0') + "\2" + std::string(7, '\0');
  CHECK(format_arguments(with_blob(made(Nr::futex_waitv, 0, 0x1000, 1, 0, 0, 0), 0, waiters.substr(0, 24))) ==
        "[{val=0, uaddr=NULL, flags=FUTEX_32}], 1, 0, NULL, CLOCK_REALTIME");
  CHECK(format_arguments(with_blob(made(Nr::futex_waitv, 0, 0x1000, 11, 0, 0, 0), 0, waiters))
            .ends_with("{val=0x9, uaddr=NULL, flags=FUTEX_32}, ...], 11, 0, NULL, CLOCK_REALTIME"));
}

TEST_CASE("A child that was waited for is shown where there was one") {
  const std::string usage(32, '\1');
  CHECK(format_arguments(with_blob(made(Nr::wait4, 0, -1, 0, 1, 0x1000), 3, usage)) ==
        "-1, NULL, WNOHANG, 0x1000");
  CHECK(format_arguments(with_blob(made(Nr::waitid, 0, 0, 0, 0x1000, 5, 0), 2, std::string(48, '\0'))) ==
        "P_ALL, 0, {}, WNOHANG|WEXITED, NULL");
  CHECK(format_arguments(
            with_blob(made(Nr::times, 5, 0x1000), 0, raw("\x7b\0\0\0\0\0\0\0", 8) + std::string(24, '\0'))) ==
        "{tms_utime=123 /* 1.23 s */, tms_stime=0, tms_cutime=0, tms_cstime=0}");
  CHECK(format_arguments(with_blob(made(Nr::uname, 0, 0x1000), 0,
                                   std::string("Linux") + std::string(60, '\0') + std::string(65, 'x'))) ==
        "{sysname=\"Linux\", nodename=\"" + std::string(65, 'x') + "\"..., ...}");
  CHECK(format_arguments(with_blob(made(Nr::uname, 0, 0x1000), 0, "short")) == "\"short\"");
}
