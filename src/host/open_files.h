// Who on this host has a file open, maps it, or shows it as a mount: from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "host/mounts.h"

namespace rehearse::host {

struct Holder {
  dev_t dev = 0;
  ino_t ino = 0;
  int pid = 0;       ///< 0: no process
  std::string comm;  ///< raw; without a process what holds it
  std::string unit;  ///< empty: none
  enum class Use : std::uint8_t { kRead, kWrite, kExecute, kMap } use = Use::kRead;
};

/// Every process's descriptors, programs and mappings that `wanted` asks for; not those of this process. What
/// cannot be read is left out: processes come and go.
std::vector<Holder> find_holders(const std::function<bool(dev_t, ino_t)>& wanted);

/// Every process that executes what `wanted` asks for; not this one. Looks at nothing else of them.
std::vector<Holder> find_executing(const std::function<bool(dev_t, ino_t)>& wanted);

/// "nginx (pid 812, nginx.service)", raw.
std::string name_of(const Holder& holder);

/// One mount table of the host, of a process that lives in it.
struct MountTable {
  int pid = 0;
  std::vector<Mount> mounts;
};
/// The mount tables of all mount namespaces that have processes; this process's own first.
Result<std::vector<MountTable>> all_mount_tables();

}  // namespace rehearse::host
