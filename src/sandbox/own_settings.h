// Settings of the kernel that the run's pid, IPC and network namespaces have of their own, and begin with
// defaults: they are set to this host's values. Of the network's it is those that say what programs may do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rehearse::sandbox {

struct OwnSetting {
  const char* path;      ///< below /proc
  bool network = false;  ///< only with rights over the network namespace it is written
  bool ids = false;      ///< a range of ids of the user namespace of who reads or writes it
  /// What it is where there is no such file: Linux 6.1 has net.core's in none but the host's namespaces.
  std::string_view unless_shown = {};
  std::array<char, 64> host{};  ///< its value on the host, with the line break
  std::uint8_t size = 0;        ///< of that; 0: not known
  bool differs = false;         ///< it could not be set inside
};
using OwnSettings = std::array<OwnSetting, 20>;

/// Whether the file has such a setting, and shows the host's value: "/proc/sys/kernel/sem".
bool is_set_as_on_host(std::string_view path);

/// With the values that the host has now; of ids those that there are below `ids`, how many the run has.
OwnSettings settings_of_host(std::uint32_t ids);

}  // namespace rehearse::sandbox
