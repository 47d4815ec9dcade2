#include "cli/trace_selection.h"

#include "base/path.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "trace/event_fields.h"
#include "trace/event_paths.h"
#include "trace/event_types.h"

namespace rehearse::cli {

void SelectionOptions::add_to(CommandLine& line) {
  line.option("--where", where, "Only events for which this holds: evt.type = openat and evt.failed = true")
      .type_name("EXPR");
  line.option("--process", process, "Only this process, by its number in the report");
  line.flag("--follow", follow, "With --process: its descendants too");
  line.option("--file", file, "Only what touched this path, by whatever name");
  line.option("--since", since, "Only from this time after the action's start (1.5s)");
  line.option("--until", until, "Only until then");
}

bool SelectionOptions::any() const {
  return process || follow || !where.empty() || !file.empty() || !since.empty() || !until.empty();
}

Result<TraceSelection> TraceSelection::create(const SelectionOptions& options) {
  TraceSelection made;
  made.process_ = options.process;
  made.follow_ = options.follow;
  if (!options.file.empty()) {
    if (!options.file.starts_with('/'))
      return fail("--file takes an absolute path, as the action's processes see it", ExitCode::kUsage,
                  "write --file /etc/passwd");
    made.file_ = normal_path(options.file);
  }
  if (options.process == 0U)
    return fail("--process 0: no process of a run has that number", ExitCode::kUsage,
                "they are counted from 1, as `rehearse show` lists them");
  if (options.follow && !options.process)
    return fail("--follow needs --process ID", ExitCode::kUsage, "see `rehearse trace --help`");
  if (!options.where.empty()) {
    RH_TRY(made.filter_, trace::Filter::parse(options.where));
    made.filter_->bind_types(trace::event_type_id);
  }
  if (!options.since.empty()) {
    RH_TRY(made.since_ns_, of_option("--since", parse_duration(options.since)));
  }
  if (!options.until.empty()) {
    RH_TRY(made.until_ns_, of_option("--until", parse_duration(options.until)));
    if (*made.until_ns_ < made.since_ns_)
      return fail("--until " + options.until + " is before --since " + options.since, ExitCode::kUsage,
                  "both are times after the action's start");
  }
  return made;
}

bool TraceSelection::wants(const trace::TraceEvent& event, const trace::EventStream& stream,
                           std::int64_t realtime_offset_ns, std::uint32_t shift) {
  const auto at = trace::between(stream.begun_ns(), event.begun_ns.value_or(event.time_ns));
  if (at < since_ns_ || (until_ns_ && at > *until_ns_)) return false;
  if (process_ && !is_process(*event.process, stream.tree())) return false;
  if (!file_.empty() && !trace::touches(event, stream, file_)) return false;
  return !filter_ || filter_->matches(trace::EventFields(event, stream, realtime_offset_ns, shift));
}

/// By who made whom: with CLONE_PARENT a process gives its child to another parent, and is not rid of it.
bool TraceSelection::is_process(const trace::Process& process, const trace::ProcessTree& tree) {
  if (process.id == *process_) return true;
  if (!follow_) return false;
  const auto& all = tree.processes();
  if (family_.size() < all.size()) family_.resize(all.size(), Kin::kUnknown);
  // A process is younger than its maker, so it has a greater number.
  std::uint32_t ancestor = process.id;
  while (ancestor > *process_ && family_[ancestor] == Kin::kUnknown) ancestor = all[ancestor].maker;
  const bool belongs = ancestor == *process_ || (ancestor > *process_ && family_[ancestor] == Kin::kYes);
  for (std::uint32_t one = process.id; one != ancestor; one = all[one].maker)
    family_[one] = belongs ? Kin::kYes : Kin::kNo;
  return belongs;
}

}  // namespace rehearse::cli
