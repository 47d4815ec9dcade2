// What an action did at mount points that may be shown otherwise than they are on the host: whether it looked
// for what is there, whether a call failed there, whether it changed something. Which of them are shown
// otherwise is known when the sandbox is built, and judged when the run has ended (rehearsal/gap_concerns.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "trace/event_stream.h"
#include "trace/host_paths.h"

namespace rehearse::trace {

class MountTouches {
 public:
  struct Touch {
    bool looked = false;   ///< listed, or asked what is there or what holds it
    bool named = false;    ///< the mount point itself was asked for its attributes, or opened
    bool failed = false;   ///< a call failed below it, or was refused at it
    bool changed = false;  ///< something was made, removed or changed there, perhaps only for a while
  };
  /// `watched`: mount points inside. `paths` is borrowed, and takes each event before this does.
  MountTouches(std::set<std::string, std::less<>> watched, const HostPaths& paths);

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  [[nodiscard]] Touch at(const std::string& mountpoint) const;
  /// Host paths by which calls failed: a symlink of the host may lead from there to a mount.
  [[nodiscard]] const std::set<std::string>& failed_names() const { return failed_names_; }
  /// Those that could not be executed because something was not there: the file, or its interpreter.
  [[nodiscard]] const std::set<std::string>& not_executed() const { return not_executed_; }
  /// There were more than are kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  [[nodiscard]] bool may_name_one(std::string_view path) const;
  void named(const std::string& path, const TraceEvent& event);
  void keep(std::set<std::string>& in, const std::string& path);

  std::set<std::string, std::less<>> watched_;
  std::set<std::string, std::less<>> leaves_;  ///< last components of those
  const HostPaths& paths_;
  std::map<std::string, Touch, std::less<>> touches_;
  std::set<std::string> failed_names_;
  std::set<std::string> not_executed_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
