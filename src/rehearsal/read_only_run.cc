#include "rehearsal/read_only_run.h"

#include "base/escape.h"
#include "base/sys.h"
#include "effects/change_set.h"
#include "report/attributes.h"
#include "report/change_text.h"
#include "report/read_only_text.h"
#include "syscalls/call.h"

namespace rehearse {

namespace {

/// What others keep there is another now. The host itself goes on using it meanwhile: that a directory has
/// got entries, or an object another time, is nobody's attempt.
bool touches_others(const effects::Change& change) {
  if (change.kind == effects::ChangeKind::kIdentical) return false;
  if (change.kind != effects::ChangeKind::kMetadata || !change.before || !change.after) return true;
  return !report::metadata_differences(*change.before, *change.after).empty();
}

}  // namespace

Result<std::uint64_t> look_at_scratch(const std::vector<effects::Layer>& layers,
                                      const sandbox::Evidence& evidence, WriteWatch& watch) {
  if (layers.empty()) return std::uint64_t{0};
  RH_TRY(auto list, sys::memfd("rehearse-scratch", 0));
  RH_TRY(auto writer, effects::ManifestWriter::create(std::move(list)));
  effects::ChangeSetOptions options;
  options.started_ns = evidence.started_ns;
  options.earliest_stamp_ns = evidence.earliest_stamp_ns;
  options.finished_ns = evidence.finished_ns;
  std::uint64_t fresh = 0;
  options.observe = [&](const effects::Change& change) {
    if (change.kind == effects::ChangeKind::kCreated) {
      ++fresh;
    } else if (touches_others(change)) {
      watch.note({"file",
                  std::string(report::to_string(change.kind)) +
                      " in a scratch directory, though it was there before",
                  change.path,
                  0,
                  {},
                  {},
                  0});
    }
  };
  RH_CHECK(effects::collect_changes(layers, options, *writer));
  return fresh;
}

std::string tried_line(const WriteWatch& watch) {
  const auto lines = report::write_attempt_lines(describe_read_only(watch, false));
  return "it tried to write: " + (lines.empty() ? std::string() : escape_text(lines.front(), 300)) +
         "; ended, and rehearsed again in full from its start";
}

report::ReadOnlyRecord describe_read_only(const WriteWatch& watch, bool enforced) {
  report::ReadOnlyRecord record;
  record.enforced = enforced;
  record.attempts_total = watch.total();
  for (const trace::WriteAttempt& attempt : watch.attempts()) {
    record.attempts.push_back({attempt.what, attempt.detail, attempt.path,
                               attempt.error == 0 ? "" : std::string(syscalls::errno_name(attempt.error)),
                               attempt.exe, attempt.argv});
  }
  return record;
}

}  // namespace rehearse
