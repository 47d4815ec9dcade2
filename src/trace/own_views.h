// What the action looked at that shows the run and not this host: how the network is set up, sockets, mounts,
// what lies in directories of the run's own. Nothing fails there, and the answer is another one than on the
// host. Who looks at what by habit is told apart when the run has ended (src/rehearsal/view_gaps.h).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "trace/event_stream.h"
#include "trace/listing_readers.h"

namespace rehearse::trace {

enum class View : std::uint8_t {
  kNetwork,     ///< interfaces, addresses, routes and settings of the network namespace
  kSockets,     ///< that there are in it
  kMounts,      ///< the table of them
  kKind,        ///< of a filesystem, by statfs(2)
  kListing,     ///< the names in a directory
  kPermission,  ///< whether a file of the kernel may be written to
  kProcesses,   ///< whether some process runs, by name or number
  kInit,        ///< what process 1 is
  kLimits,      ///< which control group the caller is in, and what it may use
  kSettings,    ///< of the kernel, that namespaces of the run's have of their own
  kLocks,       ///< of files, of all processes
  kRights,      ///< which capabilities there are
  kDevices      ///< the numbers of those that files lie on
};

/// One such look: at what, and by which program.
struct OwnLook {
  View view = View::kNetwork;
  std::string at;       ///< a path, or what was asked of the kernel in one word
  std::string program;  ///< its path; "" if that is not known
  /// The name of another program of the action that reads what this one prints, and may act on it; "": none.
  std::string reader = {};
  // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
  auto operator<=>(const OwnLook&) const = default;
};

class OwnViews {
 public:
  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);

  /// `tree`: with all processes.
  [[nodiscard]] std::set<OwnLook> looks(const ProcessTree& tree) const;

 private:
  void opened(const TraceEvent& event, const EventStream& events);
  void opened_setting(const TraceEvent& event, const EventStream& events);
  void listed(const TraceEvent& event, const EventStream& events);
  void asked_for_kind(const TraceEvent& event, const EventStream& events);
  void note(View view, std::string at, const TraceEvent& event, const EventStream& events);
  void note(OwnLook look, ListingReaders::Output output);

  ListingReaders outputs_;
  std::set<std::pair<OwnLook, ListingReaders::Output>> looks_;
  std::set<std::uint32_t> walkers_;        ///< processes that list settings of the kernel, to show them all
  std::set<std::uint32_t> all_processes_;  ///< processes that list all of them
  std::set<std::uint32_t> limited_;        ///< those that asked for their own control group
  /// By process: mount(8) reads the table to show it, or before it mounts something.
  std::map<std::uint32_t, OwnLook> readers_;
  std::set<std::uint32_t> mounters_;
};

}  // namespace rehearse::trace
