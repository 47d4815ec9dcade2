#include "sandbox/capabilities.h"

#include <linux/capability.h>

namespace rehearse::sandbox {
namespace {

constexpr bool kKeep = true;
constexpr bool kDrop = false;

constexpr CapabilityRule kRules[] = {
    {CAP_CHOWN, "chown", kKeep, kKeep, "package scripts change owners; lands in the layer"},
    {CAP_DAC_OVERRIDE, "dac_override", kKeep, kKeep, "root reads and writes any file; lands in the layer"},
    {CAP_DAC_READ_SEARCH, "dac_read_search", kKeep, kDrop, "without the shift it opens host files by handle"},
    {CAP_FOWNER, "fowner", kKeep, kKeep, "chmod and utimes on others' files"},
    {CAP_FSETID, "fsetid", kKeep, kKeep, "keeps setuid bits on write"},
    {CAP_KILL, "kill", kKeep, kKeep, "only processes of the run's own pid namespace exist"},
    {CAP_SETGID, "setgid", kKeep, kKeep, "su, sudo and daemons change identity"},
    {CAP_SETUID, "setuid", kKeep, kKeep, "su, sudo and daemons change identity"},
    {CAP_SETPCAP, "setpcap", kKeep, kKeep, "daemons give capabilities up"},
    {CAP_LINUX_IMMUTABLE, "linux_immutable", kKeep, kDrop,
     "refused by the kernel inside a user namespace anyway"},
    {CAP_NET_BIND_SERVICE, "net_bind_service", kKeep, kKeep, "own network namespace"},
    {CAP_NET_BROADCAST, "net_broadcast", kKeep, kKeep, "own network namespace"},
    {CAP_NET_ADMIN, "net_admin", kKeep, kKeep, "own network namespace: firewall changes are effects"},
    {CAP_NET_RAW, "net_raw", kKeep, kKeep, "own network namespace"},
    {CAP_IPC_LOCK, "ipc_lock", kKeep, kKeep, "databases lock memory"},
    {CAP_IPC_OWNER, "ipc_owner", kKeep, kKeep, "own ipc namespace"},
    {CAP_SYS_MODULE, "sys_module", kDrop, kDrop, "modules are the host's kernel"},
    {CAP_SYS_RAWIO, "sys_rawio", kDrop, kDrop, "ports and raw memory are the host's"},
    {CAP_SYS_CHROOT, "sys_chroot", kKeep, kKeep, "debootstrap, sshd and postfix chroot"},
    {CAP_SYS_PTRACE, "sys_ptrace", kKeep, kDrop, "debuggers; in the namespace only its own processes"},
    {CAP_SYS_PACCT, "sys_pacct", kDrop, kDrop, "process accounting is host-wide"},
    {CAP_SYS_ADMIN, "sys_admin", kKeep, kDrop, "own mounts inside the namespace; without it, the host's"},
    {CAP_SYS_BOOT, "sys_boot", kDrop, kDrop, "reboot"},
    {CAP_SYS_NICE, "sys_nice", kKeep, kDrop, "scheduling of the run's own processes"},
    {CAP_SYS_RESOURCE, "sys_resource", kKeep, kDrop, "namespaced use only; host limits stay"},
    {CAP_SYS_TIME, "sys_time", kDrop, kDrop, "the clock is the host's"},
    {CAP_SYS_TTY_CONFIG, "sys_tty_config", kKeep, kDrop, "vhangup on the run's own terminal"},
    {CAP_MKNOD, "mknod", kKeep, kDrop, "devices are refused inside a user namespace anyway"},
    {CAP_LEASE, "lease", kKeep, kKeep, "file leases in the layer"},
    {CAP_AUDIT_WRITE, "audit_write", kKeep, kDrop, "PAM; refused outside the initial user namespace"},
    {CAP_AUDIT_CONTROL, "audit_control", kDrop, kDrop, "audit rules are the host's"},
    {CAP_SETFCAP, "setfcap", kKeep, kKeep, "setcap; lands in the layer"},
    {CAP_MAC_OVERRIDE, "mac_override", kDrop, kDrop, "security modules are the host's"},
    {CAP_MAC_ADMIN, "mac_admin", kDrop, kDrop, "security modules are the host's"},
    {CAP_SYSLOG, "syslog", kDrop, kDrop, "the kernel log is the host's"},
    {CAP_WAKE_ALARM, "wake_alarm", kDrop, kDrop, "wakes the host"},
    {CAP_BLOCK_SUSPEND, "block_suspend", kDrop, kDrop, "keeps the host awake"},
    {CAP_AUDIT_READ, "audit_read", kDrop, kDrop, "audit log is the host's"},
    {CAP_PERFMON, "perfmon", kDrop, kDrop, "performance events see the host"},
    {CAP_BPF, "bpf", kDrop, kDrop, "BPF programs are the host's kernel"},
    {CAP_CHECKPOINT_RESTORE, "checkpoint_restore", kDrop, kDrop, "reads other processes' map files"},
};

}  // namespace

std::span<const CapabilityRule> capability_rules() {
  return kRules;
}

std::uint64_t dropped_capabilities(Profile profile) {
  std::uint64_t dropped = ~std::uint64_t{0};
  for (const CapabilityRule& rule : kRules) {
    if (profile == Profile::kShifted ? rule.kept_shifted : rule.kept_root) {
      dropped &= ~(std::uint64_t{1} << static_cast<unsigned>(rule.number));
    }
  }
  return dropped;
}

}  // namespace rehearse::sandbox
