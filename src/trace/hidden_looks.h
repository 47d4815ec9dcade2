// What the action looked for in vain where the clone does not show what this host has: names below mounts of
// its own (/dev, /sys, /proc), processes, IPC objects. Whether the host has them is asked when the run has
// ended (src/rehearsal/hidden_objects.h); of processes, which come and go, at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/event_stream.h"
#include "trace/host_paths.h"
#include "trace/ipc_call.h"

namespace rehearse::trace {

/// What was asked of one kind of System V IPC objects.
struct IpcLooks {
  bool listed = false;          ///< all of them
  std::set<std::int32_t> ids;   ///< that there were not
  std::set<std::int32_t> keys;  ///< the same, or it has made one
  [[nodiscard]] bool any() const { return listed || !ids.empty() || !keys.empty(); }
};

class HiddenLooks {
 public:
  /// The name of what runs on the host under a number, "" if nothing does.
  using HostProcess = std::function<std::string(std::uint32_t)>;
  /// `apart`: mount points inside that do not show the host's files; `emptied`: those of them that are shown
  /// as empty directories. `paths` is borrowed, and takes each event before this does.
  HiddenLooks(std::vector<std::string> apart, std::set<std::string> emptied, const HostPaths& paths,
              HostProcess host_process)
      : apart_(std::move(apart)),
        emptied_(std::move(emptied)),
        paths_(paths),
        host_process_(std::move(host_process)) {}

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// A name that was not there, and the program that looked. A shell leaves a pattern that matches nothing as
  /// it is: it may be a pattern.
  using Name = std::pair<std::string, std::string>;
  struct Use {
    bool written = false;  ///< it was to be written to
    bool made = false;     ///< it was to be made, and what it would have been in was not there
  };
  [[nodiscard]] const std::map<Name, Use>& names() const { return names_; }
  /// Numbers that no process of the run has ever had, and what ran under them on the host.
  [[nodiscard]] const std::map<std::uint32_t, std::string>& processes() const { return processes_; }
  /// Directories that were opened, and were shown empty.
  [[nodiscard]] const std::set<std::string>& empty() const { return empty_; }
  [[nodiscard]] const IpcLooks& ipc(IpcKind kind) const { return ipc_[static_cast<std::size_t>(kind)]; }
  /// There were more than are kept.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  void named(const TraceEvent& event, const EventStream& events);
  void opened(const TraceEvent& event);
  void process(std::uint32_t number, const EventStream& events);
  void asked_for_process(const TraceEvent& event, const EventStream& events);
  void asked_for_ipc(const TraceEvent& event);

  std::vector<std::string> apart_;
  std::set<std::string> emptied_;
  const HostPaths& paths_;
  HostProcess host_process_;
  std::map<Name, Use> names_;
  std::map<std::uint32_t, std::string> processes_;
  std::set<std::string> empty_;
  std::set<std::uint32_t> nobody_;  ///< numbers that nothing runs under on the host either
  std::array<IpcLooks, kIpcNames.size()> ipc_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
