#include "ledger/decisions.h"

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace rehearse::ledger {
namespace {

void bind_requester(Statement& statement, int first, const report::Requester& who) {
  statement.bind(first, std::int64_t{who.uid});
  if (who.loginuid)
    statement.bind(first + 1, std::int64_t{*who.loginuid});
  else
    statement.bind_null(first + 1);
  if (who.sudo_uid)
    statement.bind(first + 2, std::int64_t{*who.sudo_uid});
  else
    statement.bind_null(first + 2);
  if (who.tty)
    statement.bind_bytes(first + 3, *who.tty);
  else
    statement.bind_null(first + 3);
  if (who.unit)
    statement.bind_bytes(first + 4, *who.unit);
  else
    statement.bind_null(first + 4);
}

report::Requester read_requester(const Statement& row, int first) {
  report::Requester who;
  who.uid = static_cast<std::uint32_t>(row.integer(first));
  if (!row.is_null(first + 1)) who.loginuid = static_cast<std::uint32_t>(row.integer(first + 1));
  if (!row.is_null(first + 2)) who.sudo_uid = static_cast<std::uint32_t>(row.integer(first + 2));
  if (!row.is_null(first + 3)) who.tty = row.text(first + 3);
  if (!row.is_null(first + 4)) who.unit = row.text(first + 4);
  return who;
}

}  // namespace

struct Decisions::Impl {
  Database database;
};

Decisions::Decisions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Decisions::Decisions(Decisions&&) noexcept = default;
Decisions& Decisions::operator=(Decisions&&) noexcept = default;
Decisions::~Decisions() = default;

Result<Decisions> Decisions::open(const StateDir& state) {
  {
    RH_TRY(const Ledger ledger, Ledger::open(state));  // brings the schema up to date
  }
  RH_TRY(Database database, Database::open(state.path() + "/ledger.db", Database::Mode::kReadWrite));
  RH_CHECK(database.execute("PRAGMA synchronous=FULL"));
  return Decisions(std::make_unique<Impl>(Impl{std::move(database)}));
}

Result<std::int64_t> Decisions::add(const Decision& decision) {
  RH_TRY(Statement statement,
         Statement::prepare(
             impl_->database.get(),
             "INSERT INTO decisions (run, digest, seal, verb, reason, created_ns, expires_ns, "
             "uid, loginuid, sudo_uid, tty, unit) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)"));
  statement.bind(1, decision.run).bind(2, decision.digest).bind(3, decision.seal);
  statement.bind(4, std::string_view(decision.verb == Verb::kApproved ? "approved" : "rejected"));
  statement.bind_bytes(5, decision.reason).bind(6, decision.created_ns).bind(7, decision.expires_ns);
  bind_requester(statement, 8, decision.who);
  RH_CHECK(statement.run());
  return sqlite3_last_insert_rowid(impl_->database.get());
}

Result<std::vector<Decision>> Decisions::of_run(const std::string& run) {
  RH_TRY(
      Statement statement,
      Statement::prepare(impl_->database.get(),
                         "SELECT id, run, digest, seal, verb, reason, created_ns, expires_ns, used_by, uid, "
                         "loginuid, sudo_uid, tty, unit FROM decisions WHERE run = ?1 ORDER BY id"));
  statement.bind(1, run);
  std::vector<Decision> decisions;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return decisions;
    Decision decision;
    decision.id = statement.integer(0);
    decision.run = statement.text(1);
    decision.digest = statement.text(2);
    decision.seal = statement.text(3);
    decision.verb = statement.text(4) == "approved" ? Verb::kApproved : Verb::kRejected;
    decision.reason = statement.text(5);
    decision.created_ns = statement.integer(6);
    decision.expires_ns = statement.integer(7);
    decision.used_by = statement.text(8);
    decision.who = read_requester(statement, 9);
    decisions.push_back(std::move(decision));
  }
}

Result<bool> Decisions::use(std::int64_t decision, const std::string& promotion) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "UPDATE decisions SET used_by = ?2 WHERE id = ?1 AND used_by IS NULL"));
  RH_CHECK(statement.bind(1, decision).bind(2, promotion).run());
  return sqlite3_changes(impl_->database.get()) == 1;
}

Result<void> Decisions::release(std::int64_t decision, const std::string& promotion) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "UPDATE decisions SET used_by = NULL WHERE id = ?1 AND used_by = ?2"));
  return statement.bind(1, decision).bind(2, promotion).run();
}

Result<void> Decisions::record(const PromotionRow& row) {
  RH_TRY(Statement statement,
         Statement::prepare(
             impl_->database.get(),
             "INSERT OR REPLACE INTO promotions (id, run, digest, kind, decision, started_ns, "
             "finished_ns, result, operations, window_ns, detail, uid, loginuid, sudo_uid, tty, unit) "
             "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"));
  statement.bind(1, row.id).bind(2, row.run).bind(3, row.digest).bind(4, row.kind).bind(5, row.decision);
  statement.bind(6, row.started_ns).bind(7, row.finished_ns).bind(8, row.result);
  statement.bind(9, static_cast<std::int64_t>(row.operations)).bind(10, row.window_ns);
  statement.bind_bytes(11, row.detail);
  bind_requester(statement, 12, row.who);
  return statement.run();
}

Result<void> Decisions::end(const std::string& id, const std::string& result, const std::string& detail,
                            std::int64_t finished_ns) {
  RH_TRY(
      Statement statement,
      Statement::prepare(impl_->database.get(),
                         "UPDATE promotions SET result = ?2, detail = ?3, finished_ns = ?4 WHERE id = ?1"));
  return statement.bind(1, id).bind(2, result).bind_bytes(3, detail).bind(4, finished_ns).run();
}

Result<std::vector<PromotionRow>> Decisions::promotions_of(const std::string& run) {
  RH_TRY(Statement statement,
         Statement::prepare(
             impl_->database.get(),
             "SELECT id, run, digest, kind, decision, started_ns, finished_ns, result, operations, "
             "window_ns, detail, uid, loginuid, sudo_uid, tty, unit FROM promotions WHERE run = ?1 "
             "ORDER BY started_ns"));
  statement.bind(1, run);
  std::vector<PromotionRow> rows;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return rows;
    PromotionRow row;
    row.id = statement.text(0);
    row.run = statement.text(1);
    row.digest = statement.text(2);
    row.kind = statement.text(3);
    row.decision = statement.integer(4);
    row.started_ns = statement.integer(5);
    row.finished_ns = statement.integer(6);
    row.result = statement.text(7);
    row.operations = static_cast<std::uint64_t>(statement.integer(8));
    row.window_ns = statement.integer(9);
    row.detail = statement.text(10);
    row.who = read_requester(statement, 11);
    rows.push_back(std::move(row));
  }
}

}  // namespace rehearse::ledger
