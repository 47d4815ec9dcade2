#include "ledger/history.h"

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace rehearse::ledger {
namespace {

constexpr std::size_t kMostListed = 5;

/// Newest first, the run itself among them.
constexpr const char* kRuns =
    "SELECT f.run, f.created_ns, f.fingerprint, f.unclean, r.verdict, r.exit, r.signal, "
    "(SELECT p.result FROM promotions p WHERE p.run = f.run AND p.kind = 'promote' "
    "ORDER BY p.started_ns DESC LIMIT 1), "
    "(SELECT count(*) FROM promotions p WHERE p.run = f.run AND p.kind = 'rollback' AND p.result = 'done') "
    "FROM fingerprints f LEFT JOIN runs r ON r.id = f.run "
    "WHERE f.template = (SELECT template FROM fingerprints WHERE run = ?1) ORDER BY f.created_ns DESC";

report::EarlierRun read_run(const Statement& row) {
  report::EarlierRun run;
  run.id = row.text(0);
  run.created_ns = row.integer(1);
  run.unclean = row.text(3);
  run.verdict = row.text(4);
  if (!row.is_null(5)) run.exit = static_cast<int>(row.integer(5));
  if (!row.is_null(6)) run.signal = static_cast<int>(row.integer(6));
  run.promoted = row.text(7);
  run.rolled_back = row.integer(8) != 0;
  return run;
}

}  // namespace

Result<std::optional<report::History>> history_of(const StateDir& state, const std::string& run) {
  {
    RH_TRY(const Ledger ledger, Ledger::open(state));  // takes in what has finished
  }
  RH_TRY(Database database, Database::open(state.path() + "/ledger.db", Database::Mode::kReadOnly));
  RH_TRY(Statement own,
         Statement::prepare(database.get(), "SELECT fingerprint FROM fingerprints WHERE run = ?1"));
  RH_TRY(const bool known, own.bind(1, run).step());
  if (!known) return std::optional<report::History>();
  const std::string fingerprint = own.text(0);
  RH_TRY(Statement rows, Statement::prepare(database.get(), kRuns));
  rows.bind(1, run);
  report::History history;
  bool clean = true;
  while (true) {
    RH_TRY(const bool more, rows.step());
    if (!more) break;
    report::EarlierRun one = read_run(rows);
    clean = clean && one.unclean.empty();
    if (clean) ++history.clean_streak;
    if (one.promoted == "rolled back" || one.promoted == "incomplete") ++history.diverged;
    if (!one.promoted.empty()) ++history.promoted;
    if (one.id == run) continue;
    ++history.runs;
    one.same_effects = rows.text(2) == fingerprint;
    if (one.same_effects) ++history.same_effects;
    if (history.latest.size() < kMostListed) history.latest.push_back(std::move(one));
  }
  if (history.runs == 0) return std::optional<report::History>();
  return std::optional(std::move(history));
}

}  // namespace rehearse::ledger
