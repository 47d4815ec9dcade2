#include "ledger/undo_trials.h"

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "ledger/database.h"
#include "ledger/ledger.h"

namespace rehearse::ledger {
namespace {

Result<Database> open(const StateDir& state) {
  {
    RH_TRY(const Ledger ledger, Ledger::open(state));  // brings the schema up to date
  }
  return Database::open(state.path() + "/ledger.db", Database::Mode::kReadWrite);
}

}  // namespace

Result<void> put_undo_trial(const StateDir& state, const std::string& run, const std::string& digest,
                            const report::UndoTrial& trial) {
  RH_TRY(Database database, open(state));
  RH_TRY(
      Statement statement,
      Statement::prepare(database.get(),
                         "INSERT OR REPLACE INTO undo_trials (run, digest, verified, why, took_ns, tried_ns, "
                         "irreversible) VALUES (?1,?2,?3,?4,?5,?6,?7)"));
  auto lines = nlohmann::json::array();
  for (const std::string& line : trial.irreversible) lines.push_back(to_utf8_lossy(line));
  statement.bind(1, run).bind(2, digest).bind(3, std::int64_t{trial.verified}).bind_bytes(4, trial.why);
  return statement.bind(5, trial.took_ns).bind(6, trial.tried_ns).bind(7, lines.dump()).run();
}

Result<std::optional<report::UndoTrial>> undo_trial_of(const StateDir& state, const std::string& run,
                                                       const std::string& digest) {
  RH_TRY(Database database, open(state));
  RH_TRY(Statement row,
         Statement::prepare(database.get(),
                            "SELECT verified, why, took_ns, tried_ns, irreversible FROM undo_trials "
                            "WHERE run = ?1 AND digest = ?2"));
  row.bind(1, run).bind(2, digest);
  RH_TRY(const bool found, row.step());
  if (!found) return std::optional<report::UndoTrial>();
  report::UndoTrial trial;
  trial.verified = row.integer(0) != 0;
  trial.why = row.text(1);
  trial.took_ns = row.integer(2);
  trial.tried_ns = row.integer(3);
  const auto lines = nlohmann::json::parse(row.text(4), nullptr, false);
  if (lines.is_array()) {
    for (const auto& line : lines) {
      if (line.is_string()) trial.irreversible.push_back(line.get<std::string>());
    }
  }
  return std::optional(std::move(trial));
}

}  // namespace rehearse::ledger
