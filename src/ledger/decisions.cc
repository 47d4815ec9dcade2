#include "ledger/decisions.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "ledger/database.h"
#include "ledger/ledger.h"
#include "ledger/who_columns.h"

namespace rehearse::ledger {
namespace {

constexpr std::pair<Verb, const char*> kVerbs[] = {
    {Verb::kApproved, "approved"},     {Verb::kRejected, "rejected"}, {Verb::kRevoked, "revoked"},
    {Verb::kOverridden, "overridden"}, {Verb::kReviewed, "reviewed"}, {Verb::kSkipped, "skipped"}};

/// An unknown word, of a newer rehearse or a damaged file, lets nothing pass.
Verb verb_of(const std::string& word) {
  for (const auto& [verb, name] : kVerbs)
    if (word == name) return verb;
  return Verb::kRejected;
}

std::string select(const char* where) {
  return std::string(
             "SELECT d.id, run, digest, seal, d.verb, reason, created_ns, expires_ns, policy, person, "
             "ticket, "
             "review_due_ns, about, uid, loginuid, sudo_uid, tty, unit, u.verb, u.promotion FROM decisions d "
             "LEFT JOIN decision_uses u ON u.id = (SELECT max(id) FROM decision_uses WHERE decision = d.id) "
             "WHERE ") +
         where + " ORDER BY d.id";
}

Result<std::vector<Decision>> read_decisions(Statement& statement) {
  std::vector<Decision> decisions;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return decisions;
    Decision decision;
    decision.id = statement.integer(0);
    decision.run = statement.text(1);
    decision.digest = statement.text(2);
    decision.seal = statement.text(3);
    decision.verb = verb_of(statement.text(4));
    decision.reason = statement.text(5);
    decision.created_ns = statement.integer(6);
    decision.expires_ns = statement.integer(7);
    decision.policy = statement.text(8);
    decision.who = read_who(statement, 13);
    decision.person = static_cast<std::uint32_t>(statement.integer(9));
    decision.ticket = statement.text(10);
    decision.review_due_ns = statement.integer(11);
    decision.about = statement.integer(12);
    if (statement.text(18) == "used") decision.used_by = statement.text(19);
    decisions.push_back(std::move(decision));
  }
}

}  // namespace

const char* to_string(Verb verb) {
  for (const auto& [known, name] : kVerbs)
    if (known == verb) return name;
  return "?";
}

struct Decisions::Impl {
  Database database;

  Result<std::int64_t> add(const Decision& decision);
  Result<void> use(std::int64_t decision, const std::string& promotion, std::int64_t at_ns);
  Result<std::int64_t> admit(const Admission& admission);
};

Result<std::int64_t> Decisions::Impl::add(const Decision& decision) {
  RH_TRY(
      Statement statement,
      Statement::prepare(database.get(),
                         "INSERT INTO decisions (run, digest, seal, verb, reason, created_ns, expires_ns, "
                         "policy, person, ticket, review_due_ns, about, uid, loginuid, sudo_uid, tty, unit) "
                         "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"));
  statement.bind(1, decision.run).bind(2, decision.digest).bind(3, decision.seal);
  statement.bind(4, std::string_view(to_string(decision.verb)));
  statement.bind_bytes(5, decision.reason).bind(6, decision.created_ns).bind(7, decision.expires_ns);
  statement.bind(8, decision.policy).bind(9, std::int64_t{decision.person}).bind_bytes(10, decision.ticket);
  statement.bind(11, decision.review_due_ns).bind(12, decision.about);
  bind_who(statement, 13, decision.who);
  RH_CHECK(statement.run());
  return sqlite3_last_insert_rowid(database.get());
}

Result<void> Decisions::Impl::use(std::int64_t decision, const std::string& promotion, std::int64_t at_ns) {
  RH_TRY(Statement statement,
         Statement::prepare(
             database.get(),
             "INSERT INTO decision_uses (decision, promotion, verb, at_ns) VALUES (?1, ?2, 'used', ?3)"));
  return statement.bind(1, decision).bind(2, promotion).bind(3, at_ns).run();
}

Result<std::int64_t> Decisions::Impl::admit(const Admission& admission) {
  const auto refuse = [&](const char* why) {
    return fail("run " + admission.run + ": " + why, ExitCode::kNotApproved,
                "look again: rehearse show " + admission.run + " --why");
  };
  std::vector<Decision> all;
  {
    RH_TRY(Statement statement, Statement::prepare(database.get(), select("d.run = ?1").c_str()));
    statement.bind(1, admission.run);
    RH_TRY(all, read_decisions(statement));
  }
  if (!all.empty() && all.back().id != admission.newest_seen)
    return refuse("another decision was made about it meanwhile");
  std::int64_t rests_on = 0;
  for (const Decision& decision : all) {
    const bool named = std::ranges::find(admission.decisions, decision.id) != admission.decisions.end();
    if (named && !decision.used_by.empty()) return refuse("its approval was used meanwhile");
    if (named) rests_on = decision.id;
    const bool spent = std::ranges::find(admission.spends, decision.id) != admission.spends.end();
    if (spent && decision.used_by.empty())
      RH_CHECK(use(decision.id, admission.promotion, admission.effects.at_ns));
  }
  if (admission.skip) {
    RH_TRY(rests_on, add(*admission.skip));
    RH_CHECK(use(rests_on, admission.promotion, admission.effects.at_ns));
  }
  if (rests_on == 0) return refuse("it rests on no decision");
  RH_TRY(Statement statement,
         Statement::prepare(database.get(),
                            "INSERT OR REPLACE INTO promotion_effects (promotion, at_ns, changes, deletes, "
                            "bytes_written, units_restarted) VALUES (?1,?2,?3,?4,?5,?6)"));
  const PromotionEffects& effects = admission.effects;
  statement.bind(1, admission.promotion).bind(2, effects.at_ns).bind(3, effects.changes);
  statement.bind(4, effects.deletes).bind(5, effects.bytes_written).bind(6, effects.units_restarted);
  RH_CHECK(statement.run());
  return rests_on;
}

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
  return impl_->add(decision);
}

Result<std::vector<Decision>> Decisions::of_run(const std::string& run) {
  RH_TRY(Statement statement, Statement::prepare(impl_->database.get(), select("d.run = ?1").c_str()));
  statement.bind(1, run);
  return read_decisions(statement);
}

Result<std::vector<Decision>> Decisions::overrides() {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(), select("d.verb IN ('overridden', 'reviewed')").c_str()));
  return read_decisions(statement);
}

Result<std::vector<std::int64_t>> Decisions::approval_waits(std::size_t most) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "SELECT min(d.created_ns) - r.created_ns FROM decisions d JOIN runs r ON r.id = "
                            "d.run WHERE d.verb = 'approved' GROUP BY d.run HAVING min(d.created_ns) >= "
                            "r.created_ns ORDER BY max(d.id) DESC LIMIT ?1"));
  statement.bind(1, static_cast<std::int64_t>(most));
  std::vector<std::int64_t> waits;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return waits;
    waits.push_back(statement.integer(0));
  }
}

Result<std::int64_t> Decisions::admit(const Admission& admission) {
  RH_CHECK(impl_->database.execute("BEGIN IMMEDIATE"));
  auto admitted = impl_->admit(admission);
  Result<void> recorded;
  if (admitted && admission.begun) {
    PromotionRow begun = *admission.begun;
    begun.decision = *admitted;
    recorded = record(begun);
  }
  if (!admitted || !recorded) {
    (void)impl_->database.execute("ROLLBACK");
    return admitted ? tl::make_unexpected(std::move(recorded).error()) : admitted;
  }
  RH_CHECK(impl_->database.execute("COMMIT"));
  return admitted;
}

Result<void> Decisions::release(const std::string& promotion) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "INSERT INTO decision_uses (decision, promotion, verb, at_ns) SELECT decision, "
                            "?1, 'released', ?2 FROM decision_uses u WHERE promotion = ?1 AND verb = 'used' "
                            "AND id = (SELECT max(id) FROM decision_uses WHERE decision = u.decision)"));
  return statement.bind(1, promotion).bind(2, realtime_ns()).run();
}

Result<std::vector<PromotionEffects>> Decisions::effects_since(std::int64_t ns) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            "SELECT at_ns, changes, deletes, bytes_written, units_restarted FROM "
                            "promotion_effects e WHERE at_ns > ?1 AND NOT EXISTS (SELECT 1 FROM promotions p "
                            "WHERE p.id = e.promotion AND p.result = 'rolled back') ORDER BY at_ns"));
  statement.bind(1, ns);
  std::vector<PromotionEffects> all;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return all;
    all.push_back({statement.integer(0), statement.integer(1), statement.integer(2), statement.integer(3),
                   statement.integer(4)});
  }
}

Result<Decisions::Newest> Decisions::newest() {
  RH_TRY(
      Statement statement,
      Statement::prepare(impl_->database.get(),
                         "SELECT max(created_ns), 'run ' || id FROM runs UNION ALL "
                         "SELECT max(created_ns), 'decision ' || id FROM decisions UNION ALL "
                         "SELECT max(at_ns), 'a use of decision ' || decision FROM decision_uses UNION ALL "
                         "SELECT max(started_ns), 'promotion ' || id FROM promotions UNION ALL "
                         "SELECT max(created_ns), 'standing approval ' || id FROM standing"));
  Newest newest;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return newest;
    if (statement.is_null(0) || statement.integer(0) <= newest.ns) continue;
    newest = {statement.integer(0), statement.text(1)};
  }
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
  bind_who(statement, 12, row.who);
  return statement.run();
}

Result<void> Decisions::end(const std::string& id, const std::string& result, const std::string& detail,
                            std::int64_t finished_ns) {
  RH_TRY(Statement statement,
         Statement::prepare(
             impl_->database.get(),
             "UPDATE promotions SET result = ?2, detail = detail || CASE WHEN detail = '' OR ?3 = '' "
             "THEN '' ELSE '; ' END || ?3, finished_ns = ?4 WHERE id = ?1"));
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
    row.who = read_who(statement, 11);
    rows.push_back(std::move(row));
  }
}

}  // namespace rehearse::ledger
