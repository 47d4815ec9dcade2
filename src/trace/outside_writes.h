// Files that the action wrote, made, removed or changed where no layer is: in /dev/shm, or in a mount that it
// made. They are gone after the run and in no list of changes. What it made and removed again in the run's
// own /dev/shm and /dev/mqueue, which begin empty, is not among them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "trace/event_stream.h"

namespace rehearse::trace {

class OutsideWrites {
 public:
  /// By mount point, whether a layer is there. It tells where names lead that nothing was opened by.
  explicit OutsideWrites(std::map<std::string, bool> layers = {}) : layers_(std::move(layers)) {}

  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);
  /// The first of their paths. POSIX message queues are named as /dev/mqueue shows them.
  [[nodiscard]] const std::set<std::string>& paths() const { return paths_; }
  /// What it made and removed again: what the host has there would have been met and removed.
  [[nodiscard]] const std::set<std::string>& removed() const { return removed_; }

 private:
  void changed(const TraceEvent& event, const EventStream& events);
  void queue(const TraceEvent& event);
  [[nodiscard]] bool has_layer(std::string_view path) const;
  [[nodiscard]] bool begins_empty(std::string_view path) const;
  void note(std::string path);
  bool forget(const std::string& path);

  std::map<std::string, bool> layers_;
  std::set<std::string> paths_;
  std::set<std::string> removed_;
};

}  // namespace rehearse::trace
