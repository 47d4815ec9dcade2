#include "cli/evidence_check.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "effects/read_list.h"
#include "effects/record_file.h"
#include "ledger/ledger.h"
#include "report/digest.h"
#include "trace/store_reader.h"

namespace rehearse::cli {
namespace {

constexpr const char* kAgain = "do not rely on it; rehearse again";

tl::unexpected<Error> changed(const report::RunRecord& record, const std::string& what) {
  return fail("run " + record.id + ": " + what, ExitCode::kDataError, kAgain);
}

/// What the ledger says of the run; nothing if it does not say.
std::optional<ledger::Row> noted(const ledger::StateDir& state, const std::string& run) {
  auto ledger = ledger::Ledger::open(state);
  if (!ledger) return std::nullopt;
  auto row = ledger->find(run);
  if (!row || !*row || (*row)->state != ledger::State::kFinished) return std::nullopt;
  return std::move(**row);
}

/// "its file F is gone", or what else keeps it from being opened.
std::string unopened(const Error& error, const char* file) {
  if (error.err == ENOENT) return std::string("the file ") + file + " is gone";
  return std::string("the file ") + file + " cannot be read: " + error.what;
}

std::string wrong_with_trace(const ledger::Bundle& bundle, const report::TraceRecord& record) {
  auto file = bundle.open_file("trace");
  if (!file) return unopened(file.error(), "trace");
  const auto reader = trace::StoreReader::open(std::move(*file));
  if (!reader) return "the file trace cannot be read: " + reader.error().what;
  const auto tail = reader->tail();
  if (!tail) return "the file trace cannot be read: " + tail.error().what;
  if (tail->more) return "the file trace goes on behind its end";
  if (tail->root == record.root) return {};
  return tail->ended ? "the file trace is not the one that the run was finished with: its root is another"
                     : "the file trace is cut off: its end mark is missing";
}

std::string wrong_with_reads(const ledger::Bundle& bundle, const std::string& root) {
  const auto file = bundle.open_file("reads");
  if (!file) return unopened(file.error(), "reads");
  const auto stated = effects::stated_root(file->get());
  if (!stated) return "the file reads cannot be read: " + stated.error().what;
  if (*stated != root)
    return "the file reads is not the one that the run was finished with: its root is another";
  const auto whole = effects::read_read_list(file->get(), [](const effects::HostRead&) { return true; });
  return whole ? std::string() : "the file reads is damaged: " + whole.error().what;
}

}  // namespace

Result<bool> check_record(const ledger::StateDir& state, const ledger::Bundle& bundle,
                          const report::RunRecord& record) {
  if (!record.digest.empty() && report::run_digest(record) != record.digest)
    return changed(record, "run.json has been changed: its digest is not that of what it says");
  const std::optional<ledger::Row> row = noted(state, record.id);
  if (!row) return false;
  const char* verdict = verdict::to_string(record.verdict.level);
  if (row->verdict != verdict)
    return changed(record, std::string("run.json has been changed: its verdict is ") + verdict +
                               ", and was " + row->verdict + " when the run had ended (rehearse list)");
  if (row->digest != record.digest)
    return changed(record,
                   "run.json has been changed: its digest is another than when the run had ended "
                   "(rehearse list)");
  if (row->report_digest.empty()) return true;
  RH_TRY(const std::string now, bundle.report_digest());
  if (now != row->report_digest)
    return changed(record, "run.json has been changed: it is not, byte for byte, what the run had left");
  return true;
}

Result<> check_manifest(int manifest_fd, const report::RunRecord& record) {
  if (record.manifest_root.empty()) return {};
  const auto stated = effects::stated_root(manifest_fd);
  if (!stated) return changed(record, "its manifest cannot be read: " + stated.error().what);
  if (*stated == record.manifest_root) return {};
  return changed(record, "its manifest is not the one that the run was finished with: its root is another");
}

std::vector<std::string> damaged_evidence(const ledger::Bundle& bundle, const report::RunRecord& record) {
  std::vector<std::string> lines;
  if (!record.trace) return lines;
  if (!record.trace->root.empty()) lines.push_back(wrong_with_trace(bundle, *record.trace));
  if (!record.reads.root.empty()) lines.push_back(wrong_with_reads(bundle, record.reads.root));
  std::erase(lines, std::string());
  return lines;
}

}  // namespace rehearse::cli
