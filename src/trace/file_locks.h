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
  /// Locks of the two kinds do not meet (flock(2)).
  static constexpr std::uint8_t kFlock = 1, kPosix = 2;

  /// `paths` is borrowed, and tells what the host has under a name that the action has changed.
  explicit FileLocks(const HostPaths& paths) : paths_(paths) {}

  /// Takes the next event of the stream.
  void add(const TraceEvent& event);
  /// The first of their paths on the host, with the kinds that were asked for.
  [[nodiscard]] const std::map<std::string, std::uint8_t>& paths() const { return locked_; }

 private:
  const HostPaths& paths_;
  std::map<std::string, std::uint8_t> locked_;
};

}  // namespace rehearse::trace
