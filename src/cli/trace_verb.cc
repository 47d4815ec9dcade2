// rehearse trace RUN: what the action did, call by call.

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/escape.h"
#include "base/json_writer.h"
#include "cli/command_line.h"
#include "cli/named_run.h"
#include "cli/run_trace.h"
#include "cli/trace_selection.h"
#include "effects/read_list.h"
#include "report/read_text.h"
#include "report/writer.h"
#include "trace/event_stream.h"
#include "trace/event_summary.h"
#include "trace/event_text.h"
#include "trace/filter.h"

namespace rehearse::cli {
namespace {

struct Options {
  std::string run;
  SelectionOptions selection;
  bool summary = false;
  bool reads = false;
  bool fields = false;
};

void put_summary(report::Writer& out, const trace::EventSummary& summary, const trace::ProcessTree& tree,
                 bool json) {
  std::optional<std::uint32_t> process;
  for (const trace::EventSummary::Line& line : summary.lines()) {
    if (json) {
      std::string text;
      JsonWriter writer(text);
      writer.open_object().key("schema").string("rehearse.trace-summary/1");
      writer.key("process").integer(std::uint64_t{line.process});
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
        const trace::Image* image = trace::ProcessTree::image_of(of);
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
      writer.open_object()
          .key("schema")
          .string("rehearse.trace-field/1")
          .key("field")
          .string(field.name)
          .key("type")
          .string(trace::type_name(field.type));
      writer.key("about").string(field.about).close_object();
      out.put(text + '\n');
    } else {
      out.put(fmt::format("{:<20} {:<14} {}\n", field.name, trace::type_name(field.type), field.about));
    }
  }
  RH_CHECK(out.flush());
  return 0;
}

/// What the action read of the host, each path once.
Result<int> list_reads(const Globals& globals, const std::string& run) {
  RH_TRY(const ledger::Bundle bundle, open_named_run(globals, run, "trace"));
  auto file = bundle.open_file("reads");
  if (!file && file.error().err == ENOENT)
    return fail("run " + bundle.id() + " has no read set: it was made without a trace, or was cut off",
                ExitCode::kDataError);
  if (!file) return with_context(file.error(), "the read set of run " + bundle.id());
  report::Writer out(STDOUT_FILENO);
  RH_CHECK(effects::read_read_list(file->get(), [&](const effects::HostRead& read) {
    out.put((globals.json ? report::read_json(read) : report::read_line(read)) + '\n');
    return !out.failed();
  }));
  RH_CHECK(out.flush());
  return 0;
}

}  // namespace

Result<int> trace_verb(Globals& globals, Arguments arguments) {
  Options options;
  CommandLine line("Print what the action of a run did, call by call", "trace", globals);
  line.option("RUN", options.run, "Run id, the unique start of one, or `last`");
  options.selection.add_to(line);
  line.flag("--fields", options.fields, "List the fields that --where knows, and stop");
  line.flag("--summary", options.summary, "Count calls, errors and time instead, in all and by process");
  line.flag(
      "--reads", options.reads,
      "List instead what was read of the host: opened, executed, listed, looked at, looked for in vain");
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  if (options.fields) return list_fields(globals.json);
  if (options.reads && (options.summary || options.selection.any()))
    return fail(
        "trace: --reads lists all paths; it does not go with --summary and not with a selection of calls",
        ExitCode::kUsage, "leave the others out");
  if (options.reads) return list_reads(globals, options.run);
  RH_TRY(auto selection, TraceSelection::create(options.selection));
  RH_TRY(auto trace, RunTrace::open(globals, options.run, "trace"));

  report::Writer out(STDOUT_FILENO);
  trace::EventSummary summary;
  bool stopped = false;
  const auto show = [&](const trace::TraceEvent& event, const trace::EventStream& events) {
    if (options.summary) {
      summary.add(event);
    } else {
      out.put((globals.json ? trace::event_json(event, events.begun_ns(), trace.realtime_offset_ns())
                            : trace::event_line(event, events.begun_ns())) +
              '\n');
      stopped = out.failed();
    }
    return !stopped;
  };
  RH_TRY(const auto ending, trace.read(selection, show));
  if (options.summary) put_summary(out, summary, trace.tree(), globals.json);
  RH_CHECK(out.flush());
  return stopped ? 0 : report_ending(ending, trace);
}

}  // namespace rehearse::cli
