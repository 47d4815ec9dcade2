#include "sandbox/own_settings.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr const char* kPidMax = "sys/kernel/pid_max";

constexpr OwnSettings kSettings = {{{kPidMax},
                                    {"sys/kernel/shmmax"},
                                    {"sys/kernel/shmall"},
                                    {"sys/kernel/shmmni"},
                                    {"sys/kernel/shm_rmid_forced"},
                                    {"sys/kernel/msgmax"},
                                    {"sys/kernel/msgmnb"},
                                    {"sys/kernel/msgmni"},
                                    {"sys/kernel/sem"},
                                    {"sys/fs/mqueue/msg_default"},
                                    {"sys/fs/mqueue/msg_max"},
                                    {"sys/fs/mqueue/msgsize_default"},
                                    {"sys/fs/mqueue/msgsize_max"},
                                    {"sys/fs/mqueue/queues_max"},
                                    {"sys/net/core/somaxconn", true, false, "4096\n"},
                                    {"sys/net/ipv4/ip_local_port_range", true},
                                    {"sys/net/ipv4/ip_nonlocal_bind", true},
                                    {"sys/net/ipv4/ip_unprivileged_port_start", true},
                                    {"sys/net/ipv4/ping_group_range", true, true},
                                    {"sys/net/ipv6/bindv6only", true}}};

/// Before Linux 6.14 it is the host's, and nobody's own.
bool has_own_pid_max() {
  struct utsname name = {};
  int major = 0;
  int minor = 0;
  return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(6, 14);
}

/// "0\t2147483647\n" as far as there are ids; "" for a range of none, which a new namespace has.
std::string cut_range(const std::string& range, std::uint32_t ids) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  if (std::sscanf(range.c_str(), "%" SCNu32 " %" SCNu32, &low, &high) != 2 || low > high || low >= ids)
    return {};
  return fmt::format("{}\t{}\n", low, std::min(high, ids - 1));
}

}  // namespace

bool is_set_as_on_host(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  return path.starts_with(kProc) &&
         std::ranges::any_of(kSettings, [rest = path.substr(kProc.size())](const OwnSetting& setting) {
           return rest == setting.path && !setting.ids;
         });
}

OwnSettings settings_of_host(std::uint32_t ids) {
  OwnSettings settings = kSettings;
  for (OwnSetting& setting : settings) {
    if (setting.path == kPidMax && !has_own_pid_max()) continue;
    auto value = sys::read_file((std::string("/proc/") + setting.path).c_str());
    if (value && setting.ids) value = cut_range(*value, ids);
    if (!value || value->size() > setting.host.size()) continue;
    std::ranges::copy(*value, setting.host.begin());
    setting.size = static_cast<std::uint8_t>(value->size());
  }
  return settings;
}

}  // namespace rehearse::sandbox
