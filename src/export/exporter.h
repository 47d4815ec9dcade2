// Events of a run in the form that another tool reads: one event in, some bytes out, nothing kept.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "trace/event_stream.h"

namespace rehearse::exporting {

/// What an exporter says about the run as a whole.
struct RunFacts {
  std::string id;
  std::string command;  ///< as a shell would take it; empty if not known
  std::string host_name;
  std::string host_kernel;
  std::int64_t monotonic_ns = 0;  ///< the two clocks at one moment
  std::int64_t realtime_ns = 0;
  std::uint32_t id_shift = 0;  ///< what the run's user namespace adds to ids

  [[nodiscard]] std::int64_t realtime_offset_ns() const {
    return trace::between(static_cast<std::uint64_t>(monotonic_ns), static_cast<std::uint64_t>(realtime_ns));
  }
  [[nodiscard]] std::int64_t epoch_ns(std::uint64_t time_ns) const {
    return trace::shifted(time_ns, realtime_offset_ns());
  }
  [[nodiscard]] std::uint32_t inside(std::uint32_t id) const { return id >= id_shift ? id - id_shift : id; }
};

class Exporter {
 public:
  Exporter() = default;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  virtual ~Exporter() = default;

  /// Events come in order; `stream` is where `event` is from. An error ends the export.
  virtual Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) = 0;
  /// After the last event. `incomplete`: why the trace is not whole, "" if it is.
  virtual Result<void> finish(const trace::ProcessTree& tree, const char* incomplete) {
    (void)tree;
    (void)incomplete;
    return {};
  }
};

}  // namespace rehearse::exporting
