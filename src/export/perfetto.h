// A Perfetto trace: TrackEvent packets, for ui.perfetto.dev and trace_processor.
//
// A track for each process, named after the last program it became, and one for each thread that is heard of;
// numbers are those of the run's own pid namespace. A call whose begin was recorded is a slice, everything
// else an instant. Times are CLOCK_MONOTONIC and said to be. One packet sequence, nothing interned: every
// packet can be read alone.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "export/exporter.h"
#include "export/protobuf.h"
#include "report/writer.h"

namespace rehearse::exporting {

class PerfettoExporter final : public Exporter {
 public:
  /// `whole`: the tree of all events, since a track is named before its first event is written.
  PerfettoExporter(const RunFacts& run, const trace::ProcessTree& whole, report::Writer& out);
  Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) override;

 private:
  void put_packet();
  void put_clocks();
  /// The thread's track, told of if it is new.
  std::uint64_t track(const trace::Process& process, std::uint32_t tid);
  void put_process(const trace::Process& process);
  void put_event(std::uint32_t type, std::uint64_t track, std::uint64_t time_ns);
  void annotate(const char* name, std::string_view value);
  void annotate(const char* name, std::int64_t value);
  void put_call(const trace::TraceEvent& event, std::uint64_t track);

  const RunFacts& run_;
  const trace::ProcessTree& whole_;
  report::Writer& out_;
  ProtobufWriter packet_;  ///< the one being made
  ProtobufWriter body_;    ///< its track event
  std::unordered_set<std::uint64_t> told_;
  std::unordered_map<std::uint32_t, std::vector<std::uint64_t>>
      open_;  ///< by process: tracks of calls that never ended
};

}  // namespace rehearse::exporting
