// Programs that the action opened to write to, in place. Where somebody executes one of them on the host the
// kernel refuses that there (ETXTBSY); inside, it is the action's copy that is opened.
#pragma once

#include <set>
#include <string>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

class ProgramWrites {
 public:
  /// `paths` is borrowed, and tells what the host has under a name that the action has changed.
  explicit ProgramWrites(const HostPaths& paths) : paths_(paths) {}

  /// Takes the next event of the stream.
  void add(const TraceEvent& event);
  /// The first of their paths on the host.
  [[nodiscard]] const std::set<std::string>& paths() const { return written_; }

 private:
  const HostPaths& paths_;
  std::set<std::string> written_;
};

}  // namespace rehearse::trace
