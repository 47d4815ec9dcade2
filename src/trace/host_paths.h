// Where what the action meets under a path lies on the host, by what the action itself has renamed, linked
// and removed. Names that mounts inside gave are not followed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/path_moves.h"
#include "trace/event_stream.h"

namespace rehearse::trace {

class HostPaths {
 public:
  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// The host's path of the object at `path` now: where it lay before the action renamed it, or what it is a
  /// hard link to.
  [[nodiscard]] std::string origin(std::string_view path) const { return objects_.origin(path); }
  /// The same with the action's symlinks followed, at the end of the path too.
  [[nodiscard]] std::string leads_to(std::string_view path) const { return links_.origin(path); }

 private:
  [[nodiscard]] bool full() const;
  void renamed(const TraceEvent& event, const EventStream& events);
  void linked(const TraceEvent& event, const EventStream& events);
  void symlinked(const TraceEvent& event, const EventStream& events);
  void removed(const TraceEvent& event, const EventStream& events);

  PathMoves objects_;  ///< renames and hard links
  PathMoves links_;    ///< the same and symlinks
};

}  // namespace rehearse::trace
