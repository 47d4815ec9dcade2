// Files that the action wrote, made, removed or changed where no layer is: in /dev/shm, or in a mount that it
// made. They are gone after the run and in no list of changes.
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
  /// The first of their paths.
  [[nodiscard]] const std::set<std::string>& paths() const { return paths_; }

 private:
  void changed(const TraceEvent& event, const EventStream& events);
  [[nodiscard]] bool has_layer(std::string_view path) const;
  void note(std::string path);

  std::map<std::string, bool> layers_;
  std::set<std::string> paths_;
};

}  // namespace rehearse::trace
