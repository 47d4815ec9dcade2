#include "rehearsal/read_only_run.h"

#include <algorithm>

#include "base/escape.h"
#include "base/sys.h"
#include "base/units.h"
#include "effects/change_set.h"
#include "report/attributes.h"
#include "report/change_text.h"
#include "report/read_only_text.h"
#include "syscalls/call.h"

namespace rehearse {

namespace {

/// As much as rule safe.scratch of the built-in policy lets a run leave in these directories.
constexpr std::uint64_t kMostScratchBytes = std::uint64_t{256} << 20U;
constexpr std::size_t kMostNamed = 20;

/// What others keep there is another now. The host itself goes on using it meanwhile: that a directory has
/// got entries, or an object another time, is nobody's attempt.
bool touches_others(const effects::Change& change) {
  if (change.kind == effects::ChangeKind::kIdentical) return false;
  if (change.kind != effects::ChangeKind::kMetadata || !change.before || !change.after) return true;
  const bool otherwise_kept = std::ranges::any_of(
      change.also, [](const std::string& word) { return word == "hardlink" || word == "blocks"; });
  return (otherwise_kept && !change.base_moved) ||
         !report::metadata_differences(*change.before, *change.after).empty();
}

/// Why what is new there is more than scratch: on a host it would give rights to whoever uses it. Empty: it
/// is not.
std::string rights_of(const effects::Change& change) {
  using effects::FileType;
  constexpr std::uint32_t kSetid = 06000;
  if (change.type == FileType::kCharDevice || change.type == FileType::kBlockDevice) return "a device node";
  if (change.type != FileType::kFile) return {};
  if ((change.after->mode & kSetid) != 0) return "a setuid or setgid file";
  return report::caps_of(change.after->xattrs) ? "a file with capabilities" : "";
}

void note_in_scratch(WriteWatch& watch, std::string what, const std::string& path) {
  watch.note({"file", std::move(what), path, 0, {}, {}, 0});
}

}  // namespace

Result<void> look_at_scratch(const std::vector<effects::Layer>& layers, const sandbox::Evidence& evidence,
                             WriteWatch& watch, report::ReadOnlyRecord& record) {
  if (layers.empty()) return {};
  RH_TRY(auto list, sys::memfd("rehearse-scratch", 0));
  RH_TRY(auto writer, effects::ManifestWriter::create(std::move(list)));
  effects::ChangeSetOptions options;
  options.started_ns = evidence.started_ns;
  options.earliest_stamp_ns = evidence.earliest_stamp_ns;
  options.finished_ns = evidence.finished_ns;
  options.observe = [&](const effects::Change& change) {
    if (change.kind != effects::ChangeKind::kCreated) {
      if (touches_others(change))
        note_in_scratch(watch,
                        std::string(report::to_string(change.kind)) +
                            " in a scratch directory, though it was there before",
                        change.path);
      return;
    }
    ++record.scratch;
    if (record.scratch_left.size() < kMostNamed)
      record.scratch_left.push_back({change.path, report::to_string(change.type), change.after->size});
    if (const std::string rights = rights_of(change); !rights.empty())
      note_in_scratch(watch, rights + " left in a scratch directory", change.path);
  };
  RH_TRY(const auto changes, effects::collect_changes(layers, options, *writer));
  record.scratch_bytes = changes.written_bytes;
  if (changes.written_bytes > kMostScratchBytes)
    note_in_scratch(watch, format_bytes(changes.written_bytes) + " left in scratch directories", "");
  for (const std::string& line : changes.missing)
    note_in_scratch(watch, "something in a scratch directory that cannot be read: " + line, "");
  return {};
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
