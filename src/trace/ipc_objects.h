// System V IPC objects that the action made and did not remove again: on the host they outlive whoever made
// them, and inside they go with the run.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "trace/event_stream.h"
#include "trace/ipc_call.h"

namespace rehearse::trace {

class IpcObjects {
 public:
  /// Takes the next event of `events`.
  void add(const TraceEvent& event);

  /// By kind and number, under which key.
  using Object = std::pair<IpcKind, std::int32_t>;
  [[nodiscard]] const std::map<Object, std::int32_t>& left() const { return left_; }
  /// There were more than are followed.
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  std::map<Object, std::int32_t> left_;
  bool cut_ = false;
};

}  // namespace rehearse::trace
