// What the action tried that only a host's administrator may: listed whether or not it was let.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "trace/attempt_kind.h"
#include "trace/event_stream.h"

namespace rehearse::trace {

struct Attempt {
  std::string what;  ///< attempt_kind's
  std::string
      detail;  ///< the call as strace prints it, without its result; strings in it are the action's word
  std::string_view capability;  ///< attempt_capability.h's
  Outcome outcome = Outcome::kContained;
  int error = 0;  ///< errno, if it was denied with one
  std::uint32_t process = 0;
  std::string exe;  ///< that it executed then: it may be another program by now
  std::uint64_t count = 0;
};

class Attempts {
 public:
  /// The name of what runs on the host under a number, "" if nothing does.
  using HostProcess = std::function<std::string(std::uint32_t)>;
  /// `paths` is borrowed; what came before an event is enough.
  Attempts(HostProcess host_process, const HostPaths& paths)
      : host_process_(std::move(host_process)), paths_(paths) {}

  /// `events` has made `event`, and is in the midst of it.
  void add(const TraceEvent& event, const EventStream& events);

  /// In the order in which they were first made. Beyond the first thousands only counted.
  [[nodiscard]] const std::vector<Attempt>& list() const { return list_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }

 private:
  [[nodiscard]] std::string describe(const TraceEvent& event, const EventStream& events,
                                     std::string_view kind) const;
  void note(Attempt attempt);

  HostProcess host_process_;
  const HostPaths& paths_;
  std::vector<Attempt> list_;
  std::map<std::tuple<std::uint32_t, std::string, int, std::string>, std::size_t> known_;
  std::uint64_t total_ = 0;
  std::uint64_t unlisted_ = 0;
};

}  // namespace rehearse::trace
