#include "cli/run_trace.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/named_run.h"
#include "sandbox/plan.h"

namespace rehearse::cli {
namespace {

/// The root that the run was finished with, to which its file of events has to lead. "" if there is none to
/// compare with: the file is what is left of a run that was cut off.
Result<std::string> expected_root(const std::optional<report::RunRecord>& record, const std::string& id) {
  if (!record) return std::string();
  if (record->trace) return record->trace->root;
  return fail("run " + id + " was made without a trace: the file in its place is not its own",
              ExitCode::kDataError);
}

/// Why there is no file of events, as far as that is known.
tl::unexpected<Error> no_trace(const ledger::Bundle& bundle) {
  const auto record = bundle.read_record();
  if (record && record->trace)
    return fail("run " + bundle.id() + " was recorded, and its file trace is gone", ExitCode::kDataError,
                "the bundle is damaged; rehearse again");
  if (record)
    return fail("run " + bundle.id() + " has no trace: it was made without one", ExitCode::kDataError);
  return fail("run " + bundle.id() + " has no trace: it was made without one, or ended before it began",
              ExitCode::kDataError);
}

/// That the file is no other run's, before anything in it is taken for this one's. One that is cut short or
/// damaged is read as far as it can be believed.
Result<> check_root(const trace::StoreReader& reader, const std::string& root, const std::string& id) {
  RH_TRY(const auto tail, reader.tail());
  if (root.empty() || !tail.ended || tail.root == root) return {};
  return fail("the file in the place of the trace of run " + id +
                  " is not the one that it was finished with: its root is another",
              ExitCode::kDataError, "rehearse explain " + id + " prints the root that it has to have");
}

}  // namespace

Result<RunTrace> RunTrace::open(const Globals& globals, const std::string& run, const char* verb) {
  RH_TRY(ledger::Bundle bundle, open_named_run(globals, run, verb));
  auto file = bundle.open_file("trace");
  if (!file && file.error().err == ENOENT) return no_trace(bundle);
  if (!file) return with_context(file.error(), "the trace of run " + bundle.id());
  RH_TRY(auto reader, trace::StoreReader::open(std::move(*file)));
  RunTrace made(std::move(reader));
  made.id_ = bundle.id();
  // A run without a report was cut off: ids are shifted unless it said otherwise.
  made.shift_ = sandbox::kIdShift;
  if (bundle.finished()) {
    RH_TRY(made.record_, bundle.read_record());
    if (made.record_->profile == "root") made.shift_ = 0;
  } else {
    RH_TRY(const bool over, bundle.try_lock());
    made.going_on_ = !over;
  }
  RH_TRY(made.root_, expected_root(made.record_, made.id_));
  RH_CHECK(check_root(made.reader_, made.root_, made.id_));
  return made;
}

Result<RunTrace::Ending> RunTrace::read(TraceSelection& selection, const Visit& visit) {
  stream_ = std::make_unique<trace::EventStream>([&](const trace::TraceEvent& event) {
    return !selection.wants(event, *stream_, realtime_offset_ns(), shift_) || visit(event, *stream_);
  });
  bool stopped = false;
  RH_TRY(Ending ending, reader_.read([&](const trace::Record& record) {
    stopped = !stream_->add(record);
    return !stopped;
  }));
  if (!stopped) ending = compared(ending);
  const std::size_t count = tree().processes().size();
  if (ending == Ending::kWhole && selection.process().value_or(0) >= count)
    return fail(fmt::format("--process {}: run {} has no process of that number", *selection.process(), id_),
                ExitCode::kUsage, fmt::format("they are 1 to {}: rehearse show {}", count - 1, id_));
  return ending;
}

Result<RunTrace::Ending> RunTrace::read_packets(const std::function<bool(const trace::Record&)>& visit) {
  bool stopped = false;
  RH_TRY(const Ending ending,
         reader_.read(
             [&](const trace::Record& record) {
               stopped = !visit(record);
               return !stopped;
             },
             [](const trace::BlockHead& head) { return (head.kinds >> RH_PACKET & 1U) != 0; }));
  return stopped ? ending : compared(ending);
}

RunTrace::Ending RunTrace::compared(Ending ending) const {
  return root_.empty() || reader_.root() == root_ ? ending : Ending::kDamaged;
}

const char* incomplete_because(RunTrace::Ending ending, const RunTrace& trace) {
  using Ending = RunTrace::Ending;
  switch (ending) {
    case Ending::kWhole: {
      const auto summary = nlohmann::json::parse(trace.reader().summary(), nullptr, false);
      if (!summary.is_object() || !summary.contains("trouble") || summary["trouble"].empty()) return "";
      return "the trace is not complete: see `rehearse show`";
    }
    case Ending::kCut:
      return "trace cut here: later events were seen and not kept";
    case Ending::kUnended:
      return trace.going_on() ? "the run is still going on: this is what has been kept of its trace so far"
                              : "the trace ends here without its end mark: its writer died";
    case Ending::kDamaged:
      return "the trace is damaged here: what follows cannot be believed";
  }
  return "";
}

int report_ending(RunTrace::Ending ending, const RunTrace& trace) {
  const char* said = incomplete_because(ending, trace);
  if (*said == '\0') return 0;
  std::fprintf(stderr, "rehearse: %s\n", said);
  return static_cast<int>(ending == RunTrace::Ending::kDamaged ? ExitCode::kDataError
                                                               : ExitCode::kInconclusive);
}

}  // namespace rehearse::cli
