// Files that the action locked, or asked for the locks of: inside they are other objects than on the host,
// and nobody there is in its way.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

class FileLocks {
 public:
  /// Locks of flock(2) and of fcntl(2) do not meet. Whether one of the latter is shared is not recorded.
  static constexpr std::uint8_t kFlock = 1, kFlockShared = 2, kPosix = 4;

  /// `paths` is borrowed, and tells what the host has under a name that the action has changed.
  explicit FileLocks(const HostPaths& paths) : paths_(paths) {}

  /// Takes the next event of the stream.
  void add(const TraceEvent& event);
  /// The first of their paths on the host, with the kinds that were asked for.
  [[nodiscard]] const std::map<std::string, std::uint8_t>& paths() const { return locked_; }
  /// There were more than are kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  const HostPaths& paths_;
  std::map<std::string, std::uint8_t> locked_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
