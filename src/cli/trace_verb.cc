// rehearse trace RUN: what the action did, call by call.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/escape.h"
#include "base/json_writer.h"
#include "base/units.h"
#include "cli/verb_support.h"
#include "cli/verbs.h"
#include "ledger/state.h"
#include "report/writer.h"
#include "sandbox/plan.h"
#include "trace/event_fields.h"
#include "trace/event_stream.h"
#include "trace/event_summary.h"
#include "trace/event_text.h"
#include "trace/filter.h"
#include "trace/store_reader.h"

namespace rehearse::cli {
namespace {

struct Options {
  std::string run;
  std::optional<std::uint32_t> process;
  bool follow = false;
  std::string file;
  bool summary = false;
  std::string where;
  bool fields = false;
  std::string since;
  std::string until;
};

/// Which events are wanted.
class Selection {
 public:
  static Result<Selection> create(const Options& options) {
    Selection made;
    made.process_ = options.process;
    made.follow_ = options.follow;
    made.file_ = options.file;
    if (options.follow && !options.process)
      return fail("trace: --follow needs --process ID", ExitCode::kUsage, "see `rehearse trace --help`");
    if (!options.where.empty()) {
      RH_TRY(made.filter_, trace::Filter::parse(options.where));
      made.filter_->bind_types(trace::EventFields::type_id_of);
    }
    if (!options.since.empty()) {
      RH_TRY(made.since_ns_, parse_duration(options.since));
    }
    if (!options.until.empty()) {
      RH_TRY(made.until_ns_, parse_duration(options.until));
    }
    return made;
  }

  bool wants(const trace::TraceEvent& event, const trace::EventStream& stream, std::int64_t offset,
             std::uint32_t shift) {
    const auto at = static_cast<std::int64_t>(event.begun_ns.value_or(event.time_ns)) -
                    static_cast<std::int64_t>(stream.begun_ns());
    if (at < since_ns_ || (until_ns_ && at > *until_ns_)) return false;
    if (process_ && !is_process(*event.process)) return false;
    if (!file_.empty() && !touches(event)) return false;
    return !filter_ || filter_->matches(trace::EventFields(event, stream, offset, shift));
  }

 private:
  bool is_process(const trace::Process& process) {
    if (process.id == *process_ || family_.contains(process.id)) return true;
    if (!follow_ || (process.parent != *process_ && !family_.contains(process.parent))) return false;
    family_.insert(process.id);
    return true;
  }

  /// By what the kernel opened or executed, and by what a call named: the second is only a claim.
  [[nodiscard]] bool touches(const trace::TraceEvent& event) const {
    if (event.type == trace::EventType::kExec) {
      const trace::Image& image = event.process->images.back();
      return image.path == file_ || image.script == file_;
    }
    if (event.type != trace::EventType::kCall) return false;
    if (event.fd != nullptr && event.fd->name == file_) return true;
    const syscalls::Call call = event.call();
    return std::ranges::any_of(call.texts, [&](const auto& text) { return text && text->bytes == file_; });
  }

  std::optional<std::uint32_t> process_;
  bool follow_ = false;
  std::string file_;
  std::optional<trace::Filter> filter_;
  std::int64_t since_ns_ = INT64_MIN;
  std::optional<std::int64_t> until_ns_;
  std::unordered_set<std::uint32_t> family_;
};

void put_summary(report::Writer& out, const trace::EventSummary& summary, const trace::ProcessTree& tree,
                 bool json) {
  std::optional<std::uint32_t> process;
  for (const trace::EventSummary::Line& line : summary.lines()) {
    if (json) {
      std::string text;
      JsonWriter writer(text);
      writer.open_object().key("process").integer(std::uint64_t{line.process});
      writer.key("name").string(line.name).key("calls").integer(line.calls);
      writer.key("errors").integer(line.errors).key("timed").integer(line.timed);
      writer.key("total_s").seconds(line.total_ns).close_object();
      out.put(text + '\n');
      continue;
    }
    if (process != line.process) {
      process = line.process;
      if (line.process == 0) {
        out.put("all processes\n");
      } else {
        const trace::Process& of = tree.processes()[line.process];
        const trace::Image* image = tree.image_of(of);
        out.put(fmt::format("\nprocess {}  {}\n", line.process,
                            escape_text(image == nullptr ? of.comm : image->path, 512)));
      }
      out.put(
          fmt::format("  {:>10} {:>9} {:>12} {:>10}  {}\n", "calls", "errors", "seconds", "us/call", "call"));
    }
    const std::string seconds =
        line.timed == 0 ? "-" : fmt::format("{:.6f}", static_cast<double>(line.total_ns) * 1e-9);
    const std::string each = line.timed == 0
                                 ? "-"
                                 : fmt::format("{:.1f}", static_cast<double>(line.total_ns) * 1e-3 /
                                                             static_cast<double>(line.timed));
    out.put(fmt::format("  {:>10} {:>9} {:>12} {:>10}  {}\n", line.calls,
                        line.errors == 0 ? std::string() : std::to_string(line.errors), seconds, each,
                        line.name));
  }
}

Result<int> list_fields(bool json) {
  report::Writer out(STDOUT_FILENO);
  for (const trace::FieldInfo& field : trace::all_fields()) {
    if (json) {
      std::string text;
      JsonWriter writer(text);
      writer.open_object().key("field").string(field.name).key("type").string(trace::type_name(field.type));
      writer.key("about").string(field.about).close_object();
      out.put(text + '\n');
    } else {
      out.put(fmt::format("{:<20} {:<14} {}\n", field.name, trace::type_name(field.type), field.about));
    }
  }
  RH_CHECK(out.flush());
  return 0;
}

/// What a reader must know about how the file ends; on stderr, so that the lines stay pure.
int report_ending(trace::StoreReader::Ending ending, const trace::StoreReader& reader) {
  using Ending = trace::StoreReader::Ending;
  const char* said = "";
  switch (ending) {
    case Ending::kWhole: {
      const auto summary = nlohmann::json::parse(reader.summary(), nullptr, false);
      if (!summary.is_object() || !summary.contains("trouble") || summary["trouble"].empty()) return 0;
      said = "the trace is not complete: see `rehearse show`";
      break;
    }
    case Ending::kCut:
      said = "trace cut here: later events were seen and not kept";
      break;
    case Ending::kUnended:
      said = "the trace ends here without its end mark: its writer died";
      break;
    case Ending::kDamaged:
      said = "the trace is damaged here: what follows cannot be believed";
      break;
  }
  std::fprintf(stderr, "rehearse: %s\n", said);
  return static_cast<int>(ending == Ending::kDamaged ? ExitCode::kDataError : ExitCode::kInconclusive);
}

}  // namespace

Result<int> trace_verb(Globals& globals, Arguments arguments) {
  Options options;
  CLI::App app("Print what the action of a run did, call by call", "trace");
  add_globals(app, globals);
  app.add_option("RUN", options.run, "Run id, the unique start of one, or `last`");
  app.add_option("--where", options.where,
                 "Only events for which this holds: evt.type = openat and evt.failed = true")
      ->type_name("EXPR");
  app.add_flag("--fields", options.fields, "List the fields that --where knows, and stop");
  app.add_option("--process", options.process, "Only this process, by its number in the report");
  app.add_flag("--follow", options.follow, "With --process: its descendants too");
  app.add_option("--file", options.file, "Only what touched this path");
  app.add_flag("--summary", options.summary, "Count calls, errors and time instead, in all and by process");
  app.add_option("--since", options.since, "Only from this time after the action's start (1.5s)");
  app.add_option("--until", options.until, "Only until then");
  RH_TRY(const bool go_on, parse(app, std::move(arguments)));
  if (!go_on) return 0;
  if (options.fields) return list_fields(globals.json);
  if (options.run.empty())
    return fail("trace: no run named", ExitCode::kUsage, "write `rehearse trace RUN`, or `last` for RUN");
  RH_TRY(auto selection, Selection::create(options));

  RH_TRY(const ledger::StateDir state, ledger::StateDir::open(globals.state, ledger::Create::kNo));
  RH_TRY(const ledger::Bundle bundle, state.open_run(options.run));
  auto file = bundle.open_file("trace");
  if (!file)
    return fail("run " + bundle.id() + " has no trace: it was made with --no-trace", ExitCode::kDataError);
  RH_TRY(auto reader, trace::StoreReader::open(std::move(*file)));
  const std::int64_t offset = reader.head().realtime_ns - reader.head().monotonic_ns;
  // A run without a report was cut off: ids are shifted unless it said otherwise.
  std::uint32_t shift = sandbox::kIdShift;
  if (bundle.finished()) {
    RH_TRY(const report::RunRecord record, bundle.read_record());
    if (record.profile == "root") shift = 0;
  }
  report::Writer out(STDOUT_FILENO);
  trace::EventSummary summary;
  bool stopped = false;
  trace::EventStream* events = nullptr;
  trace::EventStream stream([&](const trace::TraceEvent& event) {
    if (!selection.wants(event, *events, offset, shift)) return true;
    if (options.summary) {
      summary.add(event);
    } else {
      out.put((globals.json ? trace::event_json(event, events->begun_ns(), offset)
                            : trace::event_line(event, events->begun_ns())) +
              '\n');
      stopped = out.failed();
    }
    return !stopped;
  });
  events = &stream;
  RH_TRY(const auto ending, reader.read([&](const trace::Record& record) { return stream.add(record); }));
  if (options.summary) put_summary(out, summary, stream.tree(), globals.json);
  RH_CHECK(out.flush());
  return stopped ? 0 : report_ending(ending, reader);
}

}  // namespace rehearse::cli
