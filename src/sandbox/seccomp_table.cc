#include "sandbox/seccomp_table.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kInt = 0xffffffff;

constexpr const char* kNewMountApi =
    "new mount API: nothing in an action needs it, libmount falls back to mount(2)";
constexpr const char* kUring = "io_uring does work that no syscall event shows";
constexpr const char* kModule = "kernel modules are the host's";
constexpr const char* kClock = "the clock is the host's";
constexpr const char* kKeys = "keyrings reach other sessions of the host";
constexpr const char* kSwap = "swap and accounting are host-wide";
constexpr const char* kQuota = "quotas are the host's";
constexpr const char* kPorts = "I/O ports are the host's";
constexpr const char* kNested = "nested user namespaces widen what the kernel exposes";
constexpr const char* kCore =
    "the filter keeps the limit that stops core dump programs from running on the host";
constexpr const char* kAutoload = "the kernel would load a module for it";
constexpr const char* kLayout = "weakens the memory layout of setuid programs";
constexpr const char* kTyping = "types into a terminal";

constexpr SeccompRule kRules[] = {
    {425, "io_uring_setup", ENOSYS, "", kUring},
    {426, "io_uring_enter", ENOSYS, "", kUring},
    {427, "io_uring_register", ENOSYS, "", kUring},
    {428, "open_tree", ENOSYS, "", kNewMountApi},
    {429, "move_mount", ENOSYS, "", kNewMountApi},
    {430, "fsopen", ENOSYS, "", kNewMountApi},
    {431, "fsconfig", ENOSYS, "", kNewMountApi},
    {432, "fsmount", ENOSYS, "", kNewMountApi},
    {433, "fspick", ENOSYS, "", kNewMountApi},
    {442, "mount_setattr", ENOSYS, "", kNewMountApi},
    {467, "open_tree_attr", ENOSYS, "", kNewMountApi},
    {435, "clone3", ENOSYS, "", "its flags lie behind a pointer; libraries fall back to clone"},
    {SYS_clone, "clone", EPERM, "flags & CLONE_NEWUSER", kNested,
     SeccompCondition{0, CLONE_NEWUSER, CLONE_NEWUSER}},
    {SYS_unshare, "unshare", EPERM, "flags & CLONE_NEWUSER", kNested,
     SeccompCondition{0, CLONE_NEWUSER, CLONE_NEWUSER}},
    {SYS_setns, "setns", EPERM, "", "no namespace but the run's own may be entered"},
    {SYS_init_module, "init_module", EPERM, "", kModule},
    {SYS_finit_module, "finit_module", EPERM, "", kModule},
    {SYS_delete_module, "delete_module", EPERM, "", kModule},
    {SYS_kexec_load, "kexec_load", EPERM, "", "replaces the host's kernel"},
    {SYS_kexec_file_load, "kexec_file_load", EPERM, "", "replaces the host's kernel"},
    {SYS_reboot, "reboot", EPERM, "", "restarts the host"},
    {SYS_settimeofday, "settimeofday", EPERM, "", kClock},
    {SYS_clock_settime, "clock_settime", EPERM, "", kClock},
    {SYS_clock_adjtime, "clock_adjtime", EPERM, "", kClock},
    {SYS_adjtimex, "adjtimex", EPERM, "", kClock},
    {SYS_swapon, "swapon", EPERM, "", kSwap},
    {SYS_swapoff, "swapoff", EPERM, "", kSwap},
    {SYS_acct, "acct", EPERM, "", kSwap},
    {SYS_quotactl, "quotactl", EPERM, "", kQuota},
    {443, "quotactl_fd", EPERM, "", kQuota},
    {SYS_syslog, "syslog", EPERM, "", "the kernel log is the host's"},
    {SYS_iopl, "iopl", EPERM, "", kPorts},
    {SYS_ioperm, "ioperm", EPERM, "", kPorts},
    {SYS_bpf, "bpf", EPERM, "", "BPF programs are the host's kernel"},
    {SYS_perf_event_open, "perf_event_open", EPERM, "", "performance events see the host"},
    {SYS_userfaultfd, "userfaultfd", EPERM, "", "stretches races in the kernel"},
    {SYS_fanotify_init, "fanotify_init", EPERM, "", "watches host inodes below the layer"},
    {SYS_open_by_handle_at, "open_by_handle_at", EPERM, "", "opens files past the layer"},
    {SYS_pidfd_getfd, "pidfd_getfd", EPERM, "", "takes descriptors of other processes"},
    {SYS_lookup_dcookie, "lookup_dcookie", EPERM, "", "reads kernel paths"},
    {SYS_add_key, "add_key", EPERM, "", kKeys},
    {SYS_request_key, "request_key", EPERM, "", kKeys},
    {SYS_keyctl, "keyctl", EPERM, "", kKeys},
    // Bit 31 tells a query (all ones) from a setting.
    {SYS_personality, "personality", EPERM, "ADDR_NO_RANDOMIZE", kLayout,
     SeccompCondition{0, 0x80040000, 0x00040000}},
    {SYS_personality, "personality", EPERM, "MMAP_PAGE_ZERO", kLayout,
     SeccompCondition{0, 0x80100000, 0x00100000}},
    {SYS_personality, "personality", EPERM, "ADDR_COMPAT_LAYOUT", kLayout,
     SeccompCondition{0, 0x80200000, 0x00200000}},
    {SYS_personality, "personality", EPERM, "READ_IMPLIES_EXEC", kLayout,
     SeccompCondition{0, 0x80400000, 0x00400000}},
    {SYS_modify_ldt, "modify_ldt", EPERM, "", "16-bit segments widen the kernel's surface"},
    {SYS_setrlimit, "setrlimit", 0, "RLIMIT_CORE", kCore, SeccompCondition{0, kInt, RLIMIT_CORE}},
    {SYS_prlimit64, "prlimit64", 0, "RLIMIT_CORE is to be set", kCore, SeccompCondition{1, kInt, RLIMIT_CORE},
     SeccompCondition{2, ~std::uint64_t{0}, 0, true}},
    {SYS_seccomp, "seccomp", EBUSY, "SECCOMP_FILTER_FLAG_NEW_LISTENER", "an inner listener could hide calls",
     SeccompCondition{1, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_NEW_LISTENER}},
    {SYS_ioctl, "ioctl", EPERM, "TIOCSTI", kTyping, SeccompCondition{1, kInt, TIOCSTI}},
    {SYS_ioctl, "ioctl", EPERM, "TIOCLINUX", kTyping, SeccompCondition{1, kInt, TIOCLINUX}},
    {SYS_ioctl, "ioctl", EPERM, "TIOCSETD", "loads line disciplines", SeccompCondition{1, kInt, TIOCSETD}},
    {SYS_socket, "socket", EAFNOSUPPORT, "NETLINK_AUDIT", "audit is the host's",
     SeccompCondition{0, kInt, AF_NETLINK}, SeccompCondition{2, kInt, 9}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "NETLINK_SOCK_DIAG",
     "the kernel would load modules for it, and it can destroy sockets; ss falls back to /proc",
     SeccompCondition{0, kInt, AF_NETLINK}, SeccompCondition{2, kInt, 4}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "NETLINK_CRYPTO", kAutoload,
     SeccompCondition{0, kInt, AF_NETLINK}, SeccompCondition{2, kInt, 21}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "NETLINK_RDMA", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 20}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "NETLINK_SCSITRANSPORT", kAutoload,
     SeccompCondition{0, kInt, AF_NETLINK}, SeccompCondition{2, kInt, 18}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "NETLINK_ISCSI", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 8}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "IPPROTO_SCTP", kAutoload, SeccompCondition{0, kInt, AF_INET},
     SeccompCondition{2, kInt, 132}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "IPPROTO_SCTP", kAutoload, SeccompCondition{0, kInt, AF_INET6},
     SeccompCondition{2, kInt, 132}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "IPPROTO_DCCP", kAutoload, SeccompCondition{0, kInt, AF_INET},
     SeccompCondition{2, kInt, 33}},
    {SYS_socket, "socket", EPROTONOSUPPORT, "IPPROTO_DCCP", kAutoload, SeccompCondition{0, kInt, AF_INET6},
     SeccompCondition{2, kInt, 33}},
};

constexpr int kFamilies[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

}  // namespace

std::span<const SeccompRule> seccomp_rules() {
  return kRules;
}
std::span<const int> allowed_socket_families() {
  return kFamilies;
}

}  // namespace rehearse::sandbox
