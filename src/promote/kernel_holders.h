// Who has a file open where no process's descriptors show it: loop devices, and whatever else the kernel
// counts as a writer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/open_files.h"

namespace rehearse::promote {

/// The files behind loop devices that `wanted` asks for, each with its device and where that is mounted.
std::vector<host::Holder> find_loop_devices(const std::function<bool(dev_t, ino_t)>& wanted);

/// What the kernel says when asked for a lease that only a file without writers gets.
enum class Writers : std::uint8_t {
  kNone,
  kSome,     ///< a process, the kernel itself, or a descriptor that is on its way between processes
  kUnknown,  ///< its filesystem gives out no leases
};
/// `name` in directory `dir` is a regular file. Nobody notices. SIGIO is to be ignored meanwhile: the kernel
/// sends one when somebody opens the file this very moment.
Writers ask_for_writers(int dir, const std::string& name);

}  // namespace rehearse::promote
