// Names of clocks, modules, reboot, BPF and other calls on the whole system, as the kernel's uapi headers
// give them; in the order in which strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kClockIdChoice[] = {
    {0x0, "CLOCK_REALTIME"},          {0x1, "CLOCK_MONOTONIC"},     {0x2, "CLOCK_PROCESS_CPUTIME_ID"},
    {0x3, "CLOCK_THREAD_CPUTIME_ID"}, {0x4, "CLOCK_MONOTONIC_RAW"}, {0x5, "CLOCK_REALTIME_COARSE"},
    {0x6, "CLOCK_MONOTONIC_COARSE"},  {0x7, "CLOCK_BOOTTIME"},      {0x8, "CLOCK_REALTIME_ALARM"},
    {0x9, "CLOCK_BOOTTIME_ALARM"},    {0xa, "CLOCK_SGI_CYCLE"},     {0xb, "CLOCK_TAI"},
};
constexpr Name kTimerFlags[] = {
    {0x1, "TIMER_ABSTIME"},
};
constexpr Name kItimerChoice[] = {
    {0x0, "ITIMER_REAL"},
    {0x1, "ITIMER_VIRTUAL"},
    {0x2, "ITIMER_PROF"},
};
constexpr Name kRebootMagic1Choice[] = {
    {0xfee1dead, "LINUX_REBOOT_MAGIC1"},
};
constexpr Name kRebootMagic2Choice[] = {
    {0x28121969, "LINUX_REBOOT_MAGIC2"},
    {0x5121996, "LINUX_REBOOT_MAGIC2A"},
    {0x16041998, "LINUX_REBOOT_MAGIC2B"},
    {0x20112000, "LINUX_REBOOT_MAGIC2C"},
};
constexpr Name kRebootCommandChoice[] = {
    {0x0, "LINUX_REBOOT_CMD_CAD_OFF"},           {0x1234567, "LINUX_REBOOT_CMD_RESTART"},
    {0x4321fedc, "LINUX_REBOOT_CMD_POWER_OFF"},  {0x89abcdef, "LINUX_REBOOT_CMD_CAD_ON"},
    {0xa1b2c3d4, "LINUX_REBOOT_CMD_RESTART2"},   {0xcdef0123, "LINUX_REBOOT_CMD_HALT"},
    {0xd000fce2, "LINUX_REBOOT_CMD_SW_SUSPEND"}, {0x45584543, "LINUX_REBOOT_CMD_KEXEC"},
};
constexpr Name kModuleInitFlags[] = {
    {0x1, "MODULE_INIT_IGNORE_MODVERSIONS"},
    {0x2, "MODULE_INIT_IGNORE_VERMAGIC"},
    {0x4, "MODULE_INIT_COMPRESSED_FILE"},
};
constexpr Name kModuleDeleteFlags[] = {
    {0x800, "O_NONBLOCK"},
    {0x200, "O_TRUNC"},
};
constexpr Name kKexecFlagsChoice[] = {
    {0x0, "KEXEC_ARCH_DEFAULT"},
    {0x30000, "KEXEC_ARCH_386"},
    {0x3e0000, "KEXEC_ARCH_X86_64"},
};
constexpr Name kKexecFlags[] = {
    {0x1, "KEXEC_ON_CRASH"},
    {0x2, "KEXEC_PRESERVE_CONTEXT"},
    {0x4, "KEXEC_UPDATE_ELFCOREHDR"},
    {0x8, "KEXEC_CRASH_HOTPLUG_SUPPORT"},
};
constexpr Name kKexecFileFlags[] = {
    {0x1, "KEXEC_FILE_UNLOAD"}, {0x2, "KEXEC_FILE_ON_CRASH"}, {0x4, "KEXEC_FILE_NO_INITRAMFS"},
    {0x8, "KEXEC_FILE_DEBUG"},  {0x10, "KEXEC_FILE_NO_CMA"},  {0x20, "KEXEC_FILE_FORCE_DTB"},
};
constexpr Name kSyslogActionChoice[] = {
    {0x0, "SYSLOG_ACTION_CLOSE"},         {0x1, "SYSLOG_ACTION_OPEN"},
    {0x2, "SYSLOG_ACTION_READ"},          {0x3, "SYSLOG_ACTION_READ_ALL"},
    {0x4, "SYSLOG_ACTION_READ_CLEAR"},    {0x5, "SYSLOG_ACTION_CLEAR"},
    {0x6, "SYSLOG_ACTION_CONSOLE_OFF"},   {0x7, "SYSLOG_ACTION_CONSOLE_ON"},
    {0x8, "SYSLOG_ACTION_CONSOLE_LEVEL"}, {0x9, "SYSLOG_ACTION_SIZE_UNREAD"},
    {0xa, "SYSLOG_ACTION_SIZE_BUFFER"},
};
constexpr Name kPerfFlags[] = {
    {0x1, "PERF_FLAG_FD_NO_GROUP"},
    {0x2, "PERF_FLAG_FD_OUTPUT"},
    {0x4, "PERF_FLAG_PID_CGROUP"},
    {0x8, "PERF_FLAG_FD_CLOEXEC"},
};
constexpr Name kGetrandomFlags[] = {
    {0x1, "GRND_NONBLOCK"},
    {0x2, "GRND_RANDOM"},
    {0x4, "GRND_INSECURE"},
};
constexpr Name kBpfCommandChoice[] = {
    {0x0, "BPF_MAP_CREATE"},
    {0x1, "BPF_MAP_LOOKUP_ELEM"},
    {0x2, "BPF_MAP_UPDATE_ELEM"},
    {0x3, "BPF_MAP_DELETE_ELEM"},
    {0x4, "BPF_MAP_GET_NEXT_KEY"},
    {0x5, "BPF_PROG_LOAD"},
    {0x6, "BPF_OBJ_PIN"},
    {0x7, "BPF_OBJ_GET"},
    {0x8, "BPF_PROG_ATTACH"},
    {0x9, "BPF_PROG_DETACH"},
    {0xa, "BPF_PROG_TEST_RUN"},
    {0xb, "BPF_PROG_GET_NEXT_ID"},
    {0xc, "BPF_MAP_GET_NEXT_ID"},
    {0xd, "BPF_PROG_GET_FD_BY_ID"},
    {0xe, "BPF_MAP_GET_FD_BY_ID"},
    {0xf, "BPF_OBJ_GET_INFO_BY_FD"},
    {0x10, "BPF_PROG_QUERY"},
    {0x11, "BPF_RAW_TRACEPOINT_OPEN"},
    {0x12, "BPF_BTF_LOAD"},
    {0x13, "BPF_BTF_GET_FD_BY_ID"},
    {0x14, "BPF_TASK_FD_QUERY"},
    {0x15, "BPF_MAP_LOOKUP_AND_DELETE_ELEM"},
    {0x16, "BPF_MAP_FREEZE"},
    {0x17, "BPF_BTF_GET_NEXT_ID"},
    {0x18, "BPF_MAP_LOOKUP_BATCH"},
    {0x19, "BPF_MAP_LOOKUP_AND_DELETE_BATCH"},
    {0x1a, "BPF_MAP_UPDATE_BATCH"},
    {0x1b, "BPF_MAP_DELETE_BATCH"},
    {0x1c, "BPF_LINK_CREATE"},
    {0x1d, "BPF_LINK_UPDATE"},
    {0x1e, "BPF_LINK_GET_FD_BY_ID"},
    {0x1f, "BPF_LINK_GET_NEXT_ID"},
    {0x20, "BPF_ENABLE_STATS"},
    {0x21, "BPF_ITER_CREATE"},
    {0x22, "BPF_LINK_DETACH"},
    {0x23, "BPF_PROG_BIND_MAP"},
    {0x24, "BPF_TOKEN_CREATE"},
    {0x25, "BPF_PROG_STREAM_READ_BY_FD"},
    {0x26, "BPF_PROG_ASSOC_STRUCT_OPS"},
};

}  // namespace

const NameSet ClockId = {kClockIdChoice, ~std::uint64_t{0}, {}, "CLOCK_???"};
const NameSet TimerFlags = {{}, 0, kTimerFlags, "TIMER_???"};
const NameSet Itimer = {kItimerChoice, ~std::uint64_t{0}, {}, "ITIMER_???"};
const NameSet RebootMagic1 = {kRebootMagic1Choice, ~std::uint64_t{0}, {}, "LINUX_REBOOT_MAGIC_???"};
const NameSet RebootMagic2 = {kRebootMagic2Choice, ~std::uint64_t{0}, {}, "LINUX_REBOOT_MAGIC_???"};
const NameSet RebootCommand = {kRebootCommandChoice, ~std::uint64_t{0}, {}, "LINUX_REBOOT_CMD_???"};
const NameSet ModuleInitFlags = {{}, 0, kModuleInitFlags, "MODULE_INIT_???"};
const NameSet ModuleDeleteFlags = {{}, 0, kModuleDeleteFlags, "O_???"};
const NameSet KexecFlags = {kKexecFlagsChoice, 0xffff0000, kKexecFlags, "KEXEC_ARCH_???", true};
const NameSet KexecFileFlags = {{}, 0, kKexecFileFlags, "KEXEC_FILE_???", true};
const NameSet SyslogAction = {kSyslogActionChoice, ~std::uint64_t{0}, {}, "SYSLOG_ACTION_???"};
const NameSet PerfFlags = {{}, 0, kPerfFlags, "PERF_FLAG_???"};
const NameSet GetrandomFlags = {{}, 0, kGetrandomFlags, "GRND_???"};
const NameSet BpfCommand = {kBpfCommandChoice, ~std::uint64_t{0}, {}, "BPF_???"};

}  // namespace rehearse::syscalls::names
