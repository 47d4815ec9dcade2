#include "sandbox/seccomp_table.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>

#include "syscalls/table.h"

namespace rehearse::sandbox {
namespace {

using syscalls::Nr;

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
constexpr const char* kUdpLite = "no hook of the gate hears of what it sends once it is connected";
constexpr const char* kLayout = "weakens the memory layout of setuid programs";
constexpr const char* kTyping = "types into a terminal";

constexpr SeccompRule kRules[] = {
    {Nr::io_uring_setup, ENOSYS, "", kUring},
    {Nr::io_uring_enter, ENOSYS, "", kUring},
    {Nr::io_uring_register, ENOSYS, "", kUring},
    {Nr::open_tree, ENOSYS, "", kNewMountApi},
    {Nr::move_mount, ENOSYS, "", kNewMountApi},
    {Nr::fsopen, ENOSYS, "", kNewMountApi},
    {Nr::fsconfig, ENOSYS, "", kNewMountApi},
    {Nr::fsmount, ENOSYS, "", kNewMountApi},
    {Nr::fspick, ENOSYS, "", kNewMountApi},
    {Nr::mount_setattr, ENOSYS, "", kNewMountApi},
    {Nr::open_tree_attr, ENOSYS, "", kNewMountApi},
    {Nr::clone3, ENOSYS, "", "its flags lie behind a pointer; libraries fall back to clone"},
    {Nr::clone, EPERM, "flags & CLONE_NEWUSER", kNested, SeccompCondition{0, CLONE_NEWUSER, CLONE_NEWUSER}},
    {Nr::unshare, EPERM, "flags & CLONE_NEWUSER", kNested, SeccompCondition{0, CLONE_NEWUSER, CLONE_NEWUSER}},
    {Nr::setns, EPERM, "", "no namespace but the run's own may be entered"},
    {Nr::init_module, EPERM, "", kModule},
    {Nr::finit_module, EPERM, "", kModule},
    {Nr::delete_module, EPERM, "", kModule},
    {Nr::kexec_load, EPERM, "", "replaces the host's kernel"},
    {Nr::kexec_file_load, EPERM, "", "replaces the host's kernel"},
    {Nr::reboot, EPERM, "", "restarts the host"},
    {Nr::settimeofday, EPERM, "", kClock},
    {Nr::clock_settime, EPERM, "", kClock},
    {Nr::clock_adjtime, EPERM, "", kClock},
    {Nr::adjtimex, EPERM, "", kClock},
    {Nr::swapon, EPERM, "", kSwap},
    {Nr::swapoff, EPERM, "", kSwap},
    {Nr::acct, EPERM, "", kSwap},
    {Nr::quotactl, EPERM, "", kQuota},
    {Nr::quotactl_fd, EPERM, "", kQuota},
    {Nr::syslog, EPERM, "", "the kernel log is the host's"},
    {Nr::iopl, EPERM, "", kPorts},
    {Nr::ioperm, EPERM, "", kPorts},
    {Nr::bpf, EPERM, "", "BPF programs are the host's kernel"},
    {Nr::perf_event_open, EPERM, "", "performance events see the host"},
    {Nr::userfaultfd, EPERM, "", "stretches races in the kernel"},
    {Nr::fanotify_init, EPERM, "", "watches host inodes below the layer"},
    {Nr::open_by_handle_at, EPERM, "", "opens files past the layer"},
    {Nr::pidfd_getfd, EPERM, "", "takes descriptors of other processes"},
    {Nr::lookup_dcookie, EPERM, "", "reads kernel paths"},
    {Nr::add_key, EPERM, "", kKeys},
    {Nr::request_key, EPERM, "", kKeys},
    {Nr::keyctl, EPERM, "", kKeys},
    // Bit 31 tells a query (all ones) from a setting.
    {Nr::personality, EPERM, "ADDR_NO_RANDOMIZE", kLayout, SeccompCondition{0, 0x80040000, 0x00040000}},
    {Nr::personality, EPERM, "MMAP_PAGE_ZERO", kLayout, SeccompCondition{0, 0x80100000, 0x00100000}},
    {Nr::personality, EPERM, "ADDR_COMPAT_LAYOUT", kLayout, SeccompCondition{0, 0x80200000, 0x00200000}},
    {Nr::personality, EPERM, "READ_IMPLIES_EXEC", kLayout, SeccompCondition{0, 0x80400000, 0x00400000}},
    {Nr::modify_ldt, EPERM, "", "16-bit segments widen the kernel's surface"},
    {Nr::setrlimit, 0, "RLIMIT_CORE", kCore, SeccompCondition{0, kInt, RLIMIT_CORE}},
    {Nr::prlimit64, 0, "RLIMIT_CORE is to be set", kCore, SeccompCondition{1, kInt, RLIMIT_CORE},
     SeccompCondition{2, ~std::uint64_t{0}, 0, true}},
    {Nr::seccomp, EBUSY, "SECCOMP_FILTER_FLAG_NEW_LISTENER", "an inner listener could hide calls",
     SeccompCondition{1, SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_NEW_LISTENER}},
    {Nr::ioctl, EPERM, "TIOCSTI", kTyping, SeccompCondition{1, kInt, TIOCSTI}},
    {Nr::ioctl, EPERM, "TIOCLINUX", kTyping, SeccompCondition{1, kInt, TIOCLINUX}},
    {Nr::ioctl, EPERM, "TIOCSETD", "loads line disciplines", SeccompCondition{1, kInt, TIOCSETD}},
    {Nr::socket, EAFNOSUPPORT, "NETLINK_AUDIT", "audit is the host's", SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 9}},
    {Nr::socket, EPROTONOSUPPORT, "NETLINK_SOCK_DIAG",
     "the kernel would load modules for it, and it can destroy sockets; ss falls back to /proc",
     SeccompCondition{0, kInt, AF_NETLINK}, SeccompCondition{2, kInt, 4}},
    {Nr::socket, EPROTONOSUPPORT, "NETLINK_CRYPTO", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 21}},
    {Nr::socket, EPROTONOSUPPORT, "NETLINK_RDMA", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 20}},
    {Nr::socket, EPROTONOSUPPORT, "NETLINK_SCSITRANSPORT", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 18}},
    {Nr::socket, EPROTONOSUPPORT, "NETLINK_ISCSI", kAutoload, SeccompCondition{0, kInt, AF_NETLINK},
     SeccompCondition{2, kInt, 8}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_SCTP", kAutoload, SeccompCondition{0, kInt, AF_INET},
     SeccompCondition{2, kInt, 132}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_SCTP", kAutoload, SeccompCondition{0, kInt, AF_INET6},
     SeccompCondition{2, kInt, 132}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_DCCP", kAutoload, SeccompCondition{0, kInt, AF_INET},
     SeccompCondition{2, kInt, 33}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_DCCP", kAutoload, SeccompCondition{0, kInt, AF_INET6},
     SeccompCondition{2, kInt, 33}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_UDPLITE", kUdpLite, SeccompCondition{0, kInt, AF_INET},
     SeccompCondition{2, kInt, 136}},
    {Nr::socket, EPROTONOSUPPORT, "IPPROTO_UDPLITE", kUdpLite, SeccompCondition{0, kInt, AF_INET6},
     SeccompCondition{2, kInt, 136}},
};

constexpr int kFamilies[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

}  // namespace

static_assert(kLastKnownSyscall == Nr::file_setattr);

std::string_view SeccompRule::name() const {
  const syscalls::Syscall* call = syscalls::find_syscall(number);
  return call != nullptr ? call->name : std::string_view{"?"};
}

std::span<const SeccompRule> seccomp_rules() {
  return kRules;
}
std::span<const int> allowed_socket_families() {
  return kFamilies;
}

}  // namespace rehearse::sandbox
