// Names of prctl, ptrace and seccomp, as the kernel's uapi headers give them; in the order in which strace
// prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kPrctlOptionChoice[] = {
    {0x1, "PR_SET_PDEATHSIG"},
    {0x2, "PR_GET_PDEATHSIG"},
    {0x3, "PR_GET_DUMPABLE"},
    {0x4, "PR_SET_DUMPABLE"},
    {0x5, "PR_GET_UNALIGN"},
    {0x6, "PR_SET_UNALIGN"},
    {0x7, "PR_GET_KEEPCAPS"},
    {0x8, "PR_SET_KEEPCAPS"},
    {0x9, "PR_GET_FPEMU"},
    {0xa, "PR_SET_FPEMU"},
    {0xb, "PR_GET_FPEXC"},
    {0xc, "PR_SET_FPEXC"},
    {0xd, "PR_GET_TIMING"},
    {0xe, "PR_SET_TIMING"},
    {0xf, "PR_SET_NAME"},
    {0x10, "PR_GET_NAME"},
    {0x13, "PR_GET_ENDIAN"},
    {0x14, "PR_SET_ENDIAN"},
    {0x15, "PR_GET_SECCOMP"},
    {0x16, "PR_SET_SECCOMP"},
    {0x17, "PR_CAPBSET_READ"},
    {0x18, "PR_CAPBSET_DROP"},
    {0x19, "PR_GET_TSC"},
    {0x1a, "PR_SET_TSC"},
    {0x1b, "PR_GET_SECUREBITS"},
    {0x1c, "PR_SET_SECUREBITS"},
    {0x1d, "PR_SET_TIMERSLACK"},
    {0x1e, "PR_GET_TIMERSLACK"},
    {0x1f, "PR_TASK_PERF_EVENTS_DISABLE"},
    {0x20, "PR_TASK_PERF_EVENTS_ENABLE"},
    {0x21, "PR_MCE_KILL"},
    {0x22, "PR_MCE_KILL_GET"},
    {0x23, "PR_SET_MM"},
    {0x24, "PR_SET_CHILD_SUBREAPER"},
    {0x25, "PR_GET_CHILD_SUBREAPER"},
    {0x26, "PR_SET_NO_NEW_PRIVS"},
    {0x27, "PR_GET_NO_NEW_PRIVS"},
    {0x28, "PR_GET_TID_ADDRESS"},
    {0x29, "PR_SET_THP_DISABLE"},
    {0x2a, "PR_GET_THP_DISABLE"},
    {0x2b, "PR_MPX_ENABLE_MANAGEMENT"},
    {0x2c, "PR_MPX_DISABLE_MANAGEMENT"},
    {0x2d, "PR_SET_FP_MODE"},
    {0x2e, "PR_GET_FP_MODE"},
    {0x2f, "PR_CAP_AMBIENT"},
    {0x32, "PR_SVE_SET_VL"},
    {0x33, "PR_SVE_GET_VL"},
    {0x34, "PR_GET_SPECULATION_CTRL"},
    {0x35, "PR_SET_SPECULATION_CTRL"},
    {0x36, "PR_PAC_RESET_KEYS"},
    {0x37, "PR_SET_TAGGED_ADDR_CTRL"},
    {0x38, "PR_GET_TAGGED_ADDR_CTRL"},
    {0x39, "PR_SET_IO_FLUSHER"},
    {0x3a, "PR_GET_IO_FLUSHER"},
    {0x3b, "PR_SET_SYSCALL_USER_DISPATCH"},
    {0x3c, "PR_PAC_SET_ENABLED_KEYS"},
    {0x3d, "PR_PAC_GET_ENABLED_KEYS"},
    {0x3e, "PR_SCHED_CORE"},
    {0x3f, "PR_SME_SET_VL"},
    {0x40, "PR_SME_GET_VL"},
    {0x41, "PR_SET_MDWE"},
    {0x42, "PR_GET_MDWE"},
    {0x43, "PR_SET_MEMORY_MERGE"},
    {0x44, "PR_GET_MEMORY_MERGE"},
    {0x45, "PR_RISCV_V_SET_CONTROL"},
    {0x46, "PR_RISCV_V_GET_CONTROL"},
    {0x47, "PR_RISCV_SET_ICACHE_FLUSH_CTX"},
    {0x48, "PR_PPC_GET_DEXCR"},
    {0x49, "PR_PPC_SET_DEXCR"},
    {0x4a, "PR_GET_SHADOW_STACK_STATUS"},
    {0x4b, "PR_SET_SHADOW_STACK_STATUS"},
    {0x4c, "PR_LOCK_SHADOW_STACK_STATUS"},
    {0x4d, "PR_TIMER_CREATE_RESTORE_IDS"},
    {0x4e, "PR_FUTEX_HASH"},
    {0x4f, "PR_RSEQ_SLICE_EXTENSION"},
    {0x53564d41, "PR_SET_VMA"},
    {0x59616d61, "PR_SET_PTRACER"},
    {0x41555856, "PR_GET_AUXV"},
};
constexpr Name kDumpableChoice[] = {
    {0x0, "SUID_DUMP_DISABLE"},
    {0x1, "SUID_DUMP_USER"},
    {0x2, "SUID_DUMP_ROOT"},
};
constexpr Name kCapAmbientChoice[] = {
    {0x1, "PR_CAP_AMBIENT_IS_SET"},
    {0x2, "PR_CAP_AMBIENT_RAISE"},
    {0x3, "PR_CAP_AMBIENT_LOWER"},
    {0x4, "PR_CAP_AMBIENT_CLEAR_ALL"},
};
constexpr Name kCapabilityChoice[] = {
    {0x0, "CAP_CHOWN"},
    {0x1, "CAP_DAC_OVERRIDE"},
    {0x2, "CAP_DAC_READ_SEARCH"},
    {0x3, "CAP_FOWNER"},
    {0x4, "CAP_FSETID"},
    {0x5, "CAP_KILL"},
    {0x6, "CAP_SETGID"},
    {0x7, "CAP_SETUID"},
    {0x8, "CAP_SETPCAP"},
    {0x9, "CAP_LINUX_IMMUTABLE"},
    {0xa, "CAP_NET_BIND_SERVICE"},
    {0xb, "CAP_NET_BROADCAST"},
    {0xc, "CAP_NET_ADMIN"},
    {0xd, "CAP_NET_RAW"},
    {0xe, "CAP_IPC_LOCK"},
    {0xf, "CAP_IPC_OWNER"},
    {0x10, "CAP_SYS_MODULE"},
    {0x11, "CAP_SYS_RAWIO"},
    {0x12, "CAP_SYS_CHROOT"},
    {0x13, "CAP_SYS_PTRACE"},
    {0x14, "CAP_SYS_PACCT"},
    {0x15, "CAP_SYS_ADMIN"},
    {0x16, "CAP_SYS_BOOT"},
    {0x17, "CAP_SYS_NICE"},
    {0x18, "CAP_SYS_RESOURCE"},
    {0x19, "CAP_SYS_TIME"},
    {0x1a, "CAP_SYS_TTY_CONFIG"},
    {0x1b, "CAP_MKNOD"},
    {0x1c, "CAP_LEASE"},
    {0x1d, "CAP_AUDIT_WRITE"},
    {0x1e, "CAP_AUDIT_CONTROL"},
    {0x1f, "CAP_SETFCAP"},
    {0x20, "CAP_MAC_OVERRIDE"},
    {0x21, "CAP_MAC_ADMIN"},
    {0x22, "CAP_SYSLOG"},
    {0x23, "CAP_WAKE_ALARM"},
    {0x24, "CAP_BLOCK_SUSPEND"},
    {0x25, "CAP_AUDIT_READ"},
    {0x26, "CAP_PERFMON"},
    {0x27, "CAP_BPF"},
    {0x28, "CAP_CHECKPOINT_RESTORE"},
};
constexpr Name kSecurebits[] = {
    {0x1, "SECBIT_NOROOT"},
    {0x2, "SECBIT_NOROOT_LOCKED"},
    {0x4, "SECBIT_NO_SETUID_FIXUP"},
    {0x8, "SECBIT_NO_SETUID_FIXUP_LOCKED"},
    {0x10, "SECBIT_KEEP_CAPS"},
    {0x20, "SECBIT_KEEP_CAPS_LOCKED"},
    {0x40, "SECBIT_NO_CAP_AMBIENT_RAISE"},
    {0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
    {0x100, "SECBIT_EXEC_RESTRICT_FILE"},
    {0x200, "SECBIT_EXEC_RESTRICT_FILE_LOCKED"},
    {0x400, "SECBIT_EXEC_DENY_INTERACTIVE"},
    {0x800, "SECBIT_EXEC_DENY_INTERACTIVE_LOCKED"},
};
constexpr Name kSeccompModeChoice[] = {
    {0x0, "SECCOMP_MODE_DISABLED"},
    {0x1, "SECCOMP_MODE_STRICT"},
    {0x2, "SECCOMP_MODE_FILTER"},
};
constexpr Name kSeccompOpChoice[] = {
    {0x0, "SECCOMP_SET_MODE_STRICT"},
    {0x1, "SECCOMP_SET_MODE_FILTER"},
    {0x2, "SECCOMP_GET_ACTION_AVAIL"},
    {0x3, "SECCOMP_GET_NOTIF_SIZES"},
};
constexpr Name kSeccompFlags[] = {
    {0x1, "SECCOMP_FILTER_FLAG_TSYNC"},        {0x2, "SECCOMP_FILTER_FLAG_LOG"},
    {0x4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},   {0x8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
    {0x10, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"}, {0x20, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
};
constexpr Name kPtraceRequestChoice[] = {
    {0x0, "PTRACE_TRACEME"},
    {0x1, "PTRACE_PEEKTEXT"},
    {0x2, "PTRACE_PEEKDATA"},
    {0x3, "PTRACE_PEEKUSER"},
    {0x4, "PTRACE_POKETEXT"},
    {0x5, "PTRACE_POKEDATA"},
    {0x6, "PTRACE_POKEUSER"},
    {0x7, "PTRACE_CONT"},
    {0x8, "PTRACE_KILL"},
    {0x9, "PTRACE_SINGLESTEP"},
    {0xc, "PTRACE_GETREGS"},
    {0xd, "PTRACE_SETREGS"},
    {0xe, "PTRACE_GETFPREGS"},
    {0xf, "PTRACE_SETFPREGS"},
    {0x10, "PTRACE_ATTACH"},
    {0x11, "PTRACE_DETACH"},
    {0x12, "PTRACE_GETFPXREGS"},
    {0x13, "PTRACE_SETFPXREGS"},
    {0x15, "PTRACE_OLDSETOPTIONS"},
    {0x18, "PTRACE_SYSCALL"},
    {0x19, "PTRACE_GET_THREAD_AREA"},
    {0x1a, "PTRACE_SET_THREAD_AREA"},
    {0x1e, "PTRACE_ARCH_PRCTL"},
    {0x1f, "PTRACE_SYSEMU"},
    {0x20, "PTRACE_SYSEMU_SINGLESTEP"},
    {0x21, "PTRACE_SINGLEBLOCK"},
    {0x4200, "PTRACE_SETOPTIONS"},
    {0x4201, "PTRACE_GETEVENTMSG"},
    {0x4202, "PTRACE_GETSIGINFO"},
    {0x4203, "PTRACE_SETSIGINFO"},
    {0x4204, "PTRACE_GETREGSET"},
    {0x4205, "PTRACE_SETREGSET"},
    {0x4206, "PTRACE_SEIZE"},
    {0x4207, "PTRACE_INTERRUPT"},
    {0x4208, "PTRACE_LISTEN"},
    {0x4209, "PTRACE_PEEKSIGINFO"},
    {0x420a, "PTRACE_GETSIGMASK"},
    {0x420b, "PTRACE_SETSIGMASK"},
    {0x420c, "PTRACE_SECCOMP_GET_FILTER"},
    {0x420d, "PTRACE_SECCOMP_GET_METADATA"},
    {0x420e, "PTRACE_GET_SYSCALL_INFO"},
    {0x420f, "PTRACE_GET_RSEQ_CONFIGURATION"},
    {0x4210, "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG"},
    {0x4211, "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG"},
    {0x4212, "PTRACE_SET_SYSCALL_INFO"},
};
constexpr Name kPtraceOptions[] = {
    {0x1, "PTRACE_O_TRACESYSGOOD"},  {0x2, "PTRACE_O_TRACEFORK"},
    {0x4, "PTRACE_O_TRACEVFORK"},    {0x8, "PTRACE_O_TRACECLONE"},
    {0x10, "PTRACE_O_TRACEEXEC"},    {0x20, "PTRACE_O_TRACEVFORKDONE"},
    {0x40, "PTRACE_O_TRACEEXIT"},    {0x80, "PTRACE_O_TRACESECCOMP"},
    {0x100000, "PTRACE_O_EXITKILL"}, {0x200000, "PTRACE_O_SUSPEND_SECCOMP"},
};
constexpr Name kArchPrctlChoice[] = {
    {0x1001, "ARCH_SET_GS"},
    {0x1002, "ARCH_SET_FS"},
    {0x1003, "ARCH_GET_FS"},
    {0x1004, "ARCH_GET_GS"},
    {0x1011, "ARCH_GET_CPUID"},
    {0x1012, "ARCH_SET_CPUID"},
    {0x1021, "ARCH_GET_XCOMP_SUPP"},
    {0x1022, "ARCH_GET_XCOMP_PERM"},
    {0x1023, "ARCH_REQ_XCOMP_PERM"},
    {0x1024, "ARCH_GET_XCOMP_GUEST_PERM"},
    {0x1025, "ARCH_REQ_XCOMP_GUEST_PERM"},
    {0x11, "ARCH_XCOMP_TILECFG"},
    {0x12, "ARCH_XCOMP_TILEDATA"},
    {0x2001, "ARCH_MAP_VDSO_X32"},
    {0x2002, "ARCH_MAP_VDSO_32"},
    {0x2003, "ARCH_MAP_VDSO_64"},
    {0x4001, "ARCH_GET_UNTAG_MASK"},
    {0x4002, "ARCH_ENABLE_TAGGED_ADDR"},
    {0x4003, "ARCH_GET_MAX_TAG_BITS"},
    {0x4004, "ARCH_FORCE_TAGGED_SVA"},
    {0x5001, "ARCH_SHSTK_ENABLE"},
    {0x5002, "ARCH_SHSTK_DISABLE"},
    {0x5003, "ARCH_SHSTK_LOCK"},
    {0x5004, "ARCH_SHSTK_UNLOCK"},
    {0x5005, "ARCH_SHSTK_STATUS"},
};
constexpr Name kLandlockCreateFlags[] = {
    {0x1, "LANDLOCK_CREATE_RULESET_VERSION"},
    {0x2, "LANDLOCK_CREATE_RULESET_ERRATA"},
};
constexpr Name kLandlockRuleTypeChoice[] = {
    {0x1, "LANDLOCK_RULE_PATH_BENEATH"},
    {0x2, "LANDLOCK_RULE_NET_PORT"},
};
constexpr Name kLandlockRestrictFlags[] = {
    {0x1, "LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF"},
    {0x2, "LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON"},
    {0x4, "LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF"},
    {0x8, "LANDLOCK_RESTRICT_SELF_TSYNC"},
};
constexpr Name kLsmAttributeChoice[] = {
    {0x0, "LSM_ATTR_UNDEF"},       {0x64, "LSM_ATTR_CURRENT"},   {0x65, "LSM_ATTR_EXEC"},
    {0x66, "LSM_ATTR_FSCREATE"},   {0x67, "LSM_ATTR_KEYCREATE"}, {0x68, "LSM_ATTR_PREV"},
    {0x69, "LSM_ATTR_SOCKCREATE"},
};
constexpr Name kLsmFlags[] = {
    {0x1, "LSM_FLAG_SINGLE"},
};

}  // namespace

const NameSet PrctlOption = {kPrctlOptionChoice, ~std::uint64_t{0}, {}, "PR_???"};
const NameSet Dumpable = {kDumpableChoice, ~std::uint64_t{0}, {}, "SUID_DUMP_???"};
const NameSet CapAmbient = {kCapAmbientChoice, ~std::uint64_t{0}, {}, "PR_CAP_AMBIENT_???"};
const NameSet Capability = {kCapabilityChoice, ~std::uint64_t{0}, {}, "CAP_???"};
const NameSet Securebits = {{}, 0, kSecurebits, "SECBIT_???"};
const NameSet SeccompMode = {kSeccompModeChoice, ~std::uint64_t{0}, {}, "SECCOMP_MODE_???"};
const NameSet SeccompOp = {kSeccompOpChoice, ~std::uint64_t{0}, {}, "SECCOMP_SET_MODE_???"};
const NameSet SeccompFlags = {{}, 0, kSeccompFlags, "SECCOMP_FILTER_FLAG_???"};
const NameSet PtraceRequest = {kPtraceRequestChoice, ~std::uint64_t{0}, {}, "PTRACE_???"};
const NameSet PtraceOptions = {{}, 0, kPtraceOptions, "PTRACE_O_???"};
const NameSet ArchPrctl = {kArchPrctlChoice, ~std::uint64_t{0}, {}, "ARCH_???"};
const NameSet LandlockCreateFlags = {{}, 0, kLandlockCreateFlags, "LANDLOCK_CREATE_RULESET_???"};
const NameSet LandlockRuleType = {kLandlockRuleTypeChoice, ~std::uint64_t{0}, {}, "LANDLOCK_RULE_???"};
const NameSet LandlockRestrictFlags = {{}, 0, kLandlockRestrictFlags, "LANDLOCK_RESTRICT_SELF_???"};
const NameSet LsmAttribute = {kLsmAttributeChoice, ~std::uint64_t{0}, {}, "LSM_ATTR_???"};
const NameSet LsmFlags = {{}, 0, kLsmFlags, "LSM_FLAG_???", true};

}  // namespace rehearse::syscalls::names
