#include "sandbox/own_settings.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr const char* kPidMax = "sys/kernel/pid_max";

/// Before Linux 6.14 it is the host's, and nobody's own.
bool has_own_pid_max() {
  struct utsname name = {};
  int major = 0;
  int minor = 0;
  return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(6, 14);
}

}  // namespace

OwnSettings settings_of_host() {
  OwnSettings settings = {{{kPidMax},
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
                           {"sys/fs/mqueue/queues_max"}}};
  for (OwnSetting& setting : settings) {
    if (setting.path == kPidMax && !has_own_pid_max()) continue;
    const auto value = sys::read_file((std::string("/proc/") + setting.path).c_str());
    if (!value || value->size() > setting.host.size()) continue;
    std::ranges::copy(*value, setting.host.begin());
    setting.size = static_cast<std::uint8_t>(value->size());
  }
  return settings;
}

}  // namespace rehearse::sandbox
