// Files of the host whose extended attributes the action listed, or of which it asked for one by a name that
// begins with "trusted.": those of that kind are shown to nobody inside. Which of the files have any is asked
// of the host when the run has ended (src/rehearsal/trusted_attributes.h).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

class TrustedLooks {
 public:
  /// `apart`: mount points inside that do not show the host's files. `paths` is borrowed, and takes each
  /// event before this does.
  TrustedLooks(std::vector<std::string> apart, const HostPaths& paths)
      : apart_(std::move(apart)), paths_(paths) {}

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// Paths of the host. True: a symlink at the end is what was asked about.
  [[nodiscard]] const std::map<std::string, bool>& paths() const { return looked_; }
  /// There were more than are kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  std::vector<std::string> apart_;
  const HostPaths& paths_;
  std::map<std::string, bool> looked_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
