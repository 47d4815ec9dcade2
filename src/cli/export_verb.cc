// rehearse export RUN --FORMAT: what the action did, for another tool.

#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/escape.h"
#include "base/json_writer.h"
#include "cli/command_line.h"
#include "cli/output_file.h"
#include "cli/run_trace.h"
#include "cli/trace_selection.h"
#include "export/jsonl.h"
#include "export/ocsf.h"
#include "export/pcap.h"
#include "export/perfetto.h"
#include "export/sqlite.h"
#include "export/strace.h"
#include "report/writer.h"

namespace rehearse::cli {
namespace {

using exporting::Exporter;
using exporting::RunFacts;

enum class Format { kJsonl, kStrace, kSqlite, kPerfetto, kOcsf, kPcap };

struct FormatOption {
  Format format;
  const char* option;
  const char* about;
};
constexpr FormatOption kFormats[] = {
    {Format::kJsonl, "--jsonl", "JSON lines, as `rehearse trace --json`"},
    {Format::kStrace, "--strace", "A log as of strace -f -ttt -T"},
    {Format::kSqlite, "--sqlite", "An SQLite database (needs -o)"},
    {Format::kPerfetto, "--perfetto", "A trace for ui.perfetto.dev"},
    {Format::kOcsf, "--ocsf", "JSON lines of the Open Cybersecurity Schema Framework"},
    {Format::kPcap, "--pcap",
     "What was sent to the network gate and came from it, for tcpdump and Wireshark"},
};

struct Options {
  std::string run;
  SelectionOptions selection;
  std::string output;
  bool force = false;
  std::array<bool, std::size(kFormats)> wanted = {};

  [[nodiscard]] Result<Format> format() const {
    std::optional<Format> found;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i]) continue;
      if (found)
        return fail("export: more than one format", ExitCode::kUsage, "see `rehearse export --help`");
      found = kFormats[i].format;
    }
    if (!found) return fail("export: no format", ExitCode::kUsage, "see `rehearse export --help`");
    return *found;
  }
};

RunFacts facts_of(const RunTrace& trace) {
  RunFacts facts;
  facts.id = trace.id();
  facts.monotonic_ns = trace.reader().head().monotonic_ns;
  facts.realtime_ns = trace.reader().head().realtime_ns;
  facts.id_shift = trace.id_shift();
  if (const auto& record = trace.record()) {
    facts.host_name = record->host_name;
    facts.host_kernel = record->host_kernel;
    for (const std::string& word : record->action.argv) {
      if (!facts.command.empty()) facts.command += ' ';
      facts.command += shell_quote(word);
    }
  }
  return facts;
}

/// The processes of the whole trace, from a reading of its own.
Result<trace::ProcessTree> read_tree(const Globals& globals, const std::string& run) {
  RH_TRY(auto trace, RunTrace::open(globals, run, "export"));
  RH_TRY(auto everything, TraceSelection::create({}));
  RH_TRY(const auto ending, trace.read(everything, [](const auto&, const auto&) { return true; }));
  (void)ending;
  return trace.tree();
}

struct Written {
  std::uint64_t events = 0;
  bool stopped = false;  ///< nobody reads on
  RunTrace::Ending ending = RunTrace::Ending::kWhole;
};

Result<Written> write_events(RunTrace& trace, TraceSelection& selection, Exporter& exporter,
                             report::Writer& out) {
  Written written;
  Result<void> status;
  RH_TRY(written.ending, trace.read(selection, [&](const auto& event, const auto& stream) {
    status = exporter.event(event, stream);
    ++written.events;
    written.stopped = out.failed();
    return status.has_value() && !written.stopped;
  }));
  RH_CHECK(status);
  RH_CHECK(exporter.finish(trace.tree(), incomplete_because(written.ending, trace)));
  RH_CHECK(out.flush());
  return written;
}

/// Says on stderr what a capture does not show.
Result<Written> write_packets(RunTrace& trace, const RunFacts& facts, report::Writer& out) {
  Written written;
  exporting::PcapExporter exporter(facts, out);
  RH_TRY(written.ending, trace.read_packets([&](const trace::Record& record) {
    written.stopped = !exporter.add(record);
    return !written.stopped;
  }));
  RH_CHECK(exporter.finish(trace.reader().summary()));
  written.events = exporter.packets();
  if (exporter.left_out() != 0)
    std::fprintf(stderr, "rehearse: %llu more packets were not kept; see `rehearse run --capture`\n",
                 static_cast<unsigned long long>(exporter.left_out()));
  return written;
}

void put_document(const RunTrace& trace, const Options& options, const Written& written) {
  std::string text;
  JsonWriter json(text);
  json.open_object().key("schema").string("rehearse.export/1").key("run").string(trace.id());
  json.bytes("file", options.output).key("events").integer(written.events);
  json.key("incomplete").string(incomplete_because(written.ending, trace)).close_object();
  std::puts(text.c_str());
}

}  // namespace

Result<int> export_verb(Globals& globals, Arguments arguments) {
  Options options;
  CommandLine line("Write what the action of a run did in the format of another tool", "export", globals);
  line.option("RUN", options.run, "Run id, the unique start of one, or `last`");
  for (std::size_t i = 0; i < std::size(kFormats); ++i)
    line.flag(kFormats[i].option, options.wanted[i], kFormats[i].about);
  line.option("-o,--output", options.output, "Write to this file instead of stdout (-)").type_name("FILE");
  line.flag("--force", options.force, "With -o: replace the file");
  options.selection.add_to(line);
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return 0;
  RH_TRY(const Format format, options.format());
  if (options.output == "-") options.output.clear();
  if (options.output.empty() && format == Format::kSqlite)
    return fail("export: a database needs a file", ExitCode::kUsage, "add -o FILE");
  if (format == Format::kPcap && options.selection.any())
    return fail("export: packets are not selected by event", ExitCode::kUsage,
                "select in tcpdump or Wireshark");
  const bool binary = format == Format::kPerfetto || format == Format::kPcap;
  if (options.output.empty() && binary && ::isatty(STDOUT_FILENO) != 0)
    return fail("export: this format is binary and stdout is a terminal", ExitCode::kUsage, "add -o FILE");
  RH_TRY(auto selection, TraceSelection::create(options.selection));
  RH_TRY(auto trace, RunTrace::open(globals, options.run, "export"));
  const RunFacts facts = facts_of(trace);

  std::optional<OutputFile> file;
  if (!options.output.empty()) {
    RH_TRY(auto made, OutputFile::create(options.output, options.force ? OutputFile::Existing::kReplace
                                                                       : OutputFile::Existing::kRefuse));
    file.emplace(std::move(made));
  }
  report::Writer out(file ? file->fd() : STDOUT_FILENO);
  trace::ProcessTree tree;
  std::unique_ptr<Exporter> exporter;
  switch (format) {
    case Format::kJsonl:
      exporter = std::make_unique<exporting::JsonlExporter>(facts, out);
      break;
    case Format::kStrace:
      exporter = std::make_unique<exporting::StraceExporter>(facts, out);
      break;
    case Format::kSqlite: {
      RH_TRY(exporter, exporting::SqliteExporter::create(facts, file->temporary_path(), file->fd()));
      break;
    }
    case Format::kPerfetto: {
      RH_TRY(tree, read_tree(globals, trace.id()));
      exporter = std::make_unique<exporting::PerfettoExporter>(facts, tree, out);
      break;
    }
    case Format::kOcsf:
      exporter = std::make_unique<exporting::OcsfExporter>(facts, out);
      break;
    case Format::kPcap:
      break;
  }
  auto done = exporter ? write_events(trace, selection, *exporter, out) : write_packets(trace, facts, out);
  if (!done && file) return with_context(std::move(done).error(), options.output);
  RH_TRY(const Written written, std::move(done));
  exporter.reset();
  if (file) {
    RH_CHECK(file->keep());
    if (globals.json) put_document(trace, options, written);
  }
  return report_ending(written.ending, trace);
}

}  // namespace rehearse::cli
