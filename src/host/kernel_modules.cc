#include "host/kernel_modules.h"

#include "base/sys.h"

namespace rehearse::host {

bool loads_modules() {
  const auto helper = sys::read_file("/proc/sys/kernel/modprobe");
  if (!helper || helper->empty() || *helper == "\n") return false;
  const auto disabled = sys::read_file("/proc/sys/kernel/modules_disabled");
  return !disabled || !disabled->starts_with('1');
}

}  // namespace rehearse::host
