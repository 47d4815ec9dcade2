// Names of processes, signals' masks, scheduling and limits, as the kernel's uapi headers give them; in the
// order in which strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kCloneFlags[] = {
    {0x100, "CLONE_VM"},
    {0x200, "CLONE_FS"},
    {0x400, "CLONE_FILES"},
    {0x800, "CLONE_SIGHAND"},
    {0x1000, "CLONE_PIDFD"},
    {0x2000, "CLONE_PTRACE"},
    {0x4000, "CLONE_VFORK"},
    {0x8000, "CLONE_PARENT"},
    {0x10000, "CLONE_THREAD"},
    {0x20000, "CLONE_NEWNS"},
    {0x40000, "CLONE_SYSVSEM"},
    {0x80000, "CLONE_SETTLS"},
    {0x100000, "CLONE_PARENT_SETTID"},
    {0x200000, "CLONE_CHILD_CLEARTID"},
    {0x800000, "CLONE_UNTRACED"},
    {0x1000000, "CLONE_CHILD_SETTID"},
    {0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"},
    {0x8000000, "CLONE_NEWIPC"},
    {0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"},
    {0x40000000, "CLONE_NEWNET"},
    {0x80000000, "CLONE_IO"},
};
constexpr Name kClone3Flags[] = {
    {0x80, "CLONE_NEWTIME"},
    {0x100, "CLONE_VM"},
    {0x200, "CLONE_FS"},
    {0x400, "CLONE_FILES"},
    {0x800, "CLONE_SIGHAND"},
    {0x1000, "CLONE_PIDFD"},
    {0x2000, "CLONE_PTRACE"},
    {0x4000, "CLONE_VFORK"},
    {0x8000, "CLONE_PARENT"},
    {0x10000, "CLONE_THREAD"},
    {0x20000, "CLONE_NEWNS"},
    {0x40000, "CLONE_SYSVSEM"},
    {0x80000, "CLONE_SETTLS"},
    {0x100000, "CLONE_PARENT_SETTID"},
    {0x200000, "CLONE_CHILD_CLEARTID"},
    {0x800000, "CLONE_UNTRACED"},
    {0x1000000, "CLONE_CHILD_SETTID"},
    {0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"},
    {0x8000000, "CLONE_NEWIPC"},
    {0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"},
    {0x40000000, "CLONE_NEWNET"},
    {0x80000000, "CLONE_IO"},
    {0x100000000, "CLONE_CLEAR_SIGHAND"},
    {0x200000000, "CLONE_INTO_CGROUP"},
};
constexpr Name kNamespaceFlags[] = {
    {0x80, "CLONE_NEWTIME"},      {0x100, "CLONE_VM"},          {0x200, "CLONE_FS"},
    {0x400, "CLONE_FILES"},       {0x800, "CLONE_SIGHAND"},     {0x10000, "CLONE_THREAD"},
    {0x20000, "CLONE_NEWNS"},     {0x40000, "CLONE_SYSVSEM"},   {0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"},  {0x8000000, "CLONE_NEWIPC"},  {0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"}, {0x40000000, "CLONE_NEWNET"},
};
constexpr Name kWaitOptions[] = {
    {0x1, "WNOHANG"},       {0x2, "WSTOPPED"},        {0x4, "WEXITED"},       {0x8, "WCONTINUED"},
    {0x1000000, "WNOWAIT"}, {0x80000000, "__WCLONE"}, {0x40000000, "__WALL"}, {0x20000000, "__WNOTHREAD"},
};
constexpr Name kWaitidWhichChoice[] = {
    {0x0, "P_ALL"},
    {0x1, "P_PID"},
    {0x2, "P_PGID"},
    {0x3, "P_PIDFD"},
};
constexpr Name kSigprocmaskHowChoice[] = {
    {0x0, "SIG_BLOCK"},
    {0x1, "SIG_UNBLOCK"},
    {0x2, "SIG_SETMASK"},
};
constexpr Name kResourceChoice[] = {
    {0x0, "RLIMIT_CPU"},      {0x1, "RLIMIT_FSIZE"}, {0x2, "RLIMIT_DATA"},   {0x3, "RLIMIT_STACK"},
    {0x4, "RLIMIT_CORE"},     {0x5, "RLIMIT_RSS"},   {0x6, "RLIMIT_NPROC"},  {0x7, "RLIMIT_NOFILE"},
    {0x8, "RLIMIT_MEMLOCK"},  {0x9, "RLIMIT_AS"},    {0xa, "RLIMIT_LOCKS"},  {0xb, "RLIMIT_SIGPENDING"},
    {0xc, "RLIMIT_MSGQUEUE"}, {0xd, "RLIMIT_NICE"},  {0xe, "RLIMIT_RTPRIO"}, {0xf, "RLIMIT_RTTIME"},
};
constexpr Name kRusageWhoChoice[] = {
    {0x0, "RUSAGE_SELF"},
    {0xffffffff, "RUSAGE_CHILDREN"},
    {0xfffffffe, "RUSAGE_BOTH"},
    {0x1, "RUSAGE_THREAD"},
};
constexpr Name kPriorityWhichChoice[] = {
    {0x0, "PRIO_PROCESS"},
    {0x1, "PRIO_PGRP"},
    {0x2, "PRIO_USER"},
};
constexpr Name kSchedPolicyChoice[] = {
    {0x0, "SCHED_OTHER"}, {0x1, "SCHED_FIFO"}, {0x2, "SCHED_RR"},       {0x3, "SCHED_BATCH"},
    {0x4, "SCHED_ISO"},   {0x5, "SCHED_IDLE"}, {0x6, "SCHED_DEADLINE"}, {0x7, "SCHED_EXT"},
};
constexpr Name kSchedPolicy[] = {
    {0x40000000, "SCHED_RESET_ON_FORK"},
};
constexpr Name kIoprioWhoChoice[] = {
    {0x1, "IOPRIO_WHO_PROCESS"},
    {0x2, "IOPRIO_WHO_PGRP"},
    {0x3, "IOPRIO_WHO_USER"},
};
constexpr Name kIoprioClassChoice[] = {
    {0x0, "IOPRIO_CLASS_NONE"},
    {0x1, "IOPRIO_CLASS_RT"},
    {0x2, "IOPRIO_CLASS_BE"},
    {0x3, "IOPRIO_CLASS_IDLE"},
};
constexpr Name kPidfdFlags[] = {
    {0x800, "PIDFD_NONBLOCK"},
    {0x80, "PIDFD_THREAD"},
};
constexpr Name kPidfdSignalFlags[] = {
    {0x1, "PIDFD_SIGNAL_THREAD"},
    {0x2, "PIDFD_SIGNAL_THREAD_GROUP"},
    {0x4, "PIDFD_SIGNAL_PROCESS_GROUP"},
};
constexpr Name kKcmpTypeChoice[] = {
    {0x0, "KCMP_FILE"},    {0x1, "KCMP_VM"}, {0x2, "KCMP_FILES"},   {0x3, "KCMP_FS"},
    {0x4, "KCMP_SIGHAND"}, {0x5, "KCMP_IO"}, {0x6, "KCMP_SYSVSEM"}, {0x7, "KCMP_EPOLL_TFD"},
};
constexpr Name kPersonalityChoice[] = {
    {0x0, "PER_LINUX"},    {0x1, "PER_SVR4"},    {0x2, "PER_SVR3"},    {0x3, "PER_SCOSVR3"},
    {0x4, "PER_WYSEV386"}, {0x5, "PER_ISCR4"},   {0x6, "PER_BSD"},     {0x7, "PER_XENIX"},
    {0x8, "PER_LINUX32"},  {0x9, "PER_IRIX32"},  {0xa, "PER_IRIXN32"}, {0xb, "PER_IRIX64"},
    {0xc, "PER_RISCOS"},   {0xd, "PER_SOLARIS"}, {0xe, "PER_UW7"},     {0xf, "PER_OSF4"},
    {0x10, "PER_HPUX"},
};
constexpr Name kPersonality[] = {
    {0x20000, "UNAME26"},           {0x40000, "ADDR_NO_RANDOMIZE"},   {0x80000, "FDPIC_FUNCPTRS"},
    {0x100000, "MMAP_PAGE_ZERO"},   {0x200000, "ADDR_COMPAT_LAYOUT"}, {0x400000, "READ_IMPLIES_EXEC"},
    {0x800000, "ADDR_LIMIT_32BIT"}, {0x1000000, "SHORT_INODE"},       {0x2000000, "WHOLE_SECONDS"},
    {0x4000000, "STICKY_TIMEOUTS"}, {0x8000000, "ADDR_LIMIT_3GB"},
};

}  // namespace

const NameSet CloneFlags = {{}, 0, kCloneFlags, "CLONE_???"};
const NameSet Clone3Flags = {{}, 0, kClone3Flags, "CLONE_???", true};
const NameSet NamespaceFlags = {{}, 0, kNamespaceFlags, "CLONE_???"};
const NameSet WaitOptions = {{}, 0, kWaitOptions, "W???"};
const NameSet WaitidWhich = {kWaitidWhichChoice, ~std::uint64_t{0}, {}, "P_???"};
const NameSet SigprocmaskHow = {kSigprocmaskHowChoice, ~std::uint64_t{0}, {}, "SIG_???"};
const NameSet Resource = {kResourceChoice, ~std::uint64_t{0}, {}, "RLIMIT_???"};
const NameSet RusageWho = {kRusageWhoChoice, ~std::uint64_t{0}, {}, "RUSAGE_???"};
const NameSet PriorityWhich = {kPriorityWhichChoice, ~std::uint64_t{0}, {}, "PRIO_???"};
const NameSet SchedPolicy = {kSchedPolicyChoice, 0x3fffffff, kSchedPolicy, "SCHED_???"};
const NameSet IoprioWho = {kIoprioWhoChoice, ~std::uint64_t{0}, {}, "IOPRIO_WHO_???"};
const NameSet IoprioClass = {kIoprioClassChoice, ~std::uint64_t{0}, {}, "IOPRIO_CLASS_???"};
const NameSet PidfdFlags = {{}, 0, kPidfdFlags, "PIDFD_???"};
const NameSet PidfdSignalFlags = {{}, 0, kPidfdSignalFlags, "PIDFD_SIGNAL_???"};
const NameSet KcmpType = {kKcmpTypeChoice, ~std::uint64_t{0}, {}, "KCMP_???"};
const NameSet Personality = {kPersonalityChoice, 0xff, kPersonality, "PER_???"};

}  // namespace rehearse::syscalls::names
