// Settings of the kernel that the run's pid and IPC namespaces have of their own, and begin with defaults:
// they are set to this host's values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rehearse::sandbox {

struct OwnSetting {
  const char* path;             ///< below /proc
  std::array<char, 64> host{};  ///< its value on the host, with the line break
  std::uint8_t size = 0;        ///< of that; 0: not known
  bool differs = false;         ///< it could not be set inside
};
using OwnSettings = std::array<OwnSetting, 14>;

/// With the values that the host has now.
OwnSettings settings_of_host();

}  // namespace rehearse::sandbox
