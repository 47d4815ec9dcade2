// The trace of one run, opened and read for a verb.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/trace_selection.h"
#include "cli/verbs.h"
#include "ledger/state.h"
#include "report/run_record.h"
#include "trace/event_stream.h"
#include "trace/store_reader.h"

namespace rehearse::cli {

class RunTrace {
 public:
  using Ending = trace::StoreReader::Ending;
  using Visit = std::function<bool(const trace::TraceEvent&, const trace::EventStream&)>;

  /// kDataError if there is no trace, or one that does not lead to the root that the run was finished with.
  static Result<RunTrace> open(const Globals& globals, const std::string& run, const char* verb);

  /// Calls `visit` for each wanted event, in order, until it returns false. Once. kUsage if a process is
  /// asked for that a whole trace does not have.
  Result<Ending> read(TraceSelection& selection, const Visit& visit);
  /// Calls `visit` for each record of a packet instead. Once.
  Result<Ending> read_packets(const std::function<bool(const trace::Record&)>& visit);
  /// What has been read so far.
  [[nodiscard]] const trace::ProcessTree& tree() const { return stream_->tree(); }

  [[nodiscard]] const std::string& id() const { return id_; }
  /// run.json; none if the run was cut off.
  [[nodiscard]] const std::optional<report::RunRecord>& record() const { return record_; }
  [[nodiscard]] const trace::StoreReader& reader() const { return reader_; }
  /// The run was still going on when it was opened.
  [[nodiscard]] bool going_on() const { return going_on_; }
  /// From a time of the trace to nanoseconds since 1970.
  [[nodiscard]] std::int64_t realtime_offset_ns() const {
    return trace::between(static_cast<std::uint64_t>(reader_.head().monotonic_ns),
                          static_cast<std::uint64_t>(reader_.head().realtime_ns));
  }
  /// What the run's user namespace adds to ids.
  [[nodiscard]] std::uint32_t id_shift() const { return shift_; }

 private:
  explicit RunTrace(trace::StoreReader reader) : reader_(std::move(reader)) {}
  /// How a file ended that was read to its end: one with another root than the run's was shortened.
  [[nodiscard]] Ending compared(Ending ending) const;

  std::string id_;
  std::optional<report::RunRecord> record_;
  std::string root_;  ///< of the whole file; "" if it is not known
  std::uint32_t shift_ = 0;
  bool going_on_ = false;
  trace::StoreReader reader_;
  std::unique_ptr<trace::EventStream> stream_;
};

/// Why a trace that ended so is not complete; "" if it is.
const char* incomplete_because(RunTrace::Ending ending, const RunTrace& trace);

/// Says the same on stderr, so that the lines on stdout stay pure, and gives the exit code for it.
int report_ending(RunTrace::Ending ending, const RunTrace& trace);

}  // namespace rehearse::cli
