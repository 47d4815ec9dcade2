#include "ledger/standing.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ledger/database.h"
#include "ledger/ledger.h"
#include "ledger/who_columns.h"

namespace rehearse::ledger {
namespace {

constexpr std::size_t kLongestEnvelope = std::size_t{256} << 10U;

constexpr const char* kPrintColumns =
    "run, created_ns, template, fingerprint, envelope, policy, title, unclean FROM fingerprints ";

Print read_print(const Statement& row) {
  return {row.text(0), row.integer(1), row.text(2), row.text(3),
          row.text(4), row.text(5),    row.text(6), row.text(7)};
}

Result<std::vector<std::string>> lines_of(sqlite3* database, const std::string& envelope) {
  RH_TRY(Statement statement, Statement::prepare(database, "SELECT lines FROM envelopes WHERE digest = ?1"));
  RH_TRY(const bool found, statement.bind(1, envelope).step());
  const auto damaged = [&] {
    return fail("ledger.db: envelope " + envelope.substr(0, 16) + " is missing or damaged",
                ExitCode::kDataError, "revoke what was granted by it: rehearse standing list");
  };
  if (!found) return damaged();
  const auto array = nlohmann::json::parse(statement.text(0), nullptr, false);
  if (!array.is_array()) return damaged();
  std::vector<std::string> lines;
  for (const auto& line : array) {
    if (!line.is_string()) return damaged();
    lines.push_back(line.get<std::string>());
  }
  return lines;
}

/// "program PATH " of a line about a program, else nothing.
std::string_view program_in(std::string_view line) {
  if (!line.starts_with("program ")) return {};
  return line.substr(0, line.rfind(' ') + 1);
}

Result<std::vector<Grant>> read_grants(sqlite3* database) {
  RH_TRY(Statement statement,
         Statement::prepare(
             database,
             "SELECT id, verb, about, run, template, fingerprint, envelope, policy, title, reason, "
             "created_ns, expires_ns, person, uid, loginuid, sudo_uid, tty, unit, (SELECT count(*) "
             "FROM decisions d WHERE d.verb = 'skipped' AND d.about = standing.id AND (SELECT u.verb "
             "FROM decision_uses u WHERE u.decision = d.id ORDER BY u.id DESC LIMIT 1) = 'used') "
             "FROM standing ORDER BY id"));
  std::vector<Grant> grants;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return grants;
    const std::string verb = statement.text(1);
    if (verb == "granted") {
      Grant grant;
      grant.id = statement.integer(0);
      grant.run = statement.text(3);
      grant.action = statement.text(4);
      grant.fingerprint = statement.text(5);
      grant.envelope = statement.text(6);
      grant.policy = statement.text(7);
      grant.title = statement.text(8);
      grant.reason = statement.text(9);
      grant.created_ns = statement.integer(10);
      grant.expires_ns = statement.integer(11);
      grant.person = static_cast<std::uint32_t>(statement.integer(12));
      grant.who = read_who(statement, 13);
      grant.uses = statement.integer(18);
      grants.push_back(std::move(grant));
      continue;
    }
    const auto about = std::ranges::find(grants, statement.integer(2), &Grant::id);
    if (about == grants.end()) continue;
    if (verb == "resampled") about->resampled.push_back(statement.text(3));
    if (verb == "revoked" && about->ended.empty()) {
      about->ended = statement.text(9);
      about->ended_ns = statement.integer(10);
    }
  }
}

Result<std::int64_t> add_event(sqlite3* database, const char* verb, std::int64_t about, const Grant& grant,
                               const report::Requester& who, std::uint32_t person) {
  RH_TRY(Statement statement,
         Statement::prepare(
             database,
             "INSERT INTO standing (verb, about, run, template, fingerprint, envelope, policy, title, "
             "reason, created_ns, expires_ns, person, uid, loginuid, sudo_uid, tty, unit) VALUES "
             "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"));
  statement.bind(1, std::string_view(verb)).bind(2, about).bind(3, grant.run).bind(4, grant.action);
  statement.bind(5, grant.fingerprint).bind(6, grant.envelope).bind(7, grant.policy);
  statement.bind_bytes(8, grant.title).bind_bytes(9, grant.reason).bind(10, grant.created_ns);
  statement.bind(11, grant.expires_ns).bind(12, std::int64_t{person});
  bind_who(statement, 13, who);
  RH_CHECK(statement.run());
  return sqlite3_last_insert_rowid(database);
}

Result<void> end_grant(sqlite3* database, Grant grant, const std::string& why, const report::Requester& who,
                       std::uint32_t person, std::int64_t now_ns) {
  grant.reason = why;
  grant.created_ns = now_ns;
  RH_TRY(const std::int64_t id, add_event(database, "revoked", grant.id, grant, who, person));
  (void)id;
  return {};
}

Result<void> insert_print(sqlite3* database, const report::RunRecord& record,
                          const report::Fingerprint& print) {
  RH_TRY(Statement statement,
         Statement::prepare(
             database,
             "INSERT INTO fingerprints (run, created_ns, template, fingerprint, envelope, policy, "
             "title, unclean) VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (run) DO NOTHING"));
  statement.bind(1, record.id).bind(2, record.created_ns).bind(3, print.action).bind(4, print.digest);
  statement.bind(5, print.envelope).bind(6, record.verdict.policy_digest).bind_bytes(7, print.title);
  // The ledger outlives every run: an action does not decide how large it gets.
  const std::string lines = nlohmann::json(print.lines).dump();
  const bool too_long = lines.size() > kLongestEnvelope;
  const std::string unclean = print.unclean.empty() && too_long
                                  ? "its effects are too many to be granted once and for all"
                                  : print.unclean;
  RH_CHECK(statement.bind_bytes(8, unclean).run());
  if (too_long) return {};
  RH_TRY(
      Statement envelope,
      Statement::prepare(
          database, "INSERT INTO envelopes (digest, lines) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING"));
  return envelope.bind(1, print.envelope).bind(2, lines).run();
}

}  // namespace

std::string departure(const std::vector<std::string>& granted, const std::vector<std::string>& run) {
  for (const std::string& line : run) {
    if (std::ranges::binary_search(granted, line)) continue;
    const std::string_view program = program_in(line);
    const bool known = !program.empty() && std::ranges::any_of(granted, [&](const std::string& one) {
      return program_in(one) == program;
    });
    if (known)
      return "another binary: " + std::string(program.substr(8, program.size() - 9)) + " has changed";
    return "outside what was granted: " + line;
  }
  return {};
}

Result<void> keep_print(Database& database, const report::RunRecord& record, const report::Fingerprint& print,
                        std::int64_t now_ns) {
  RH_CHECK(insert_print(database.get(), record, print));
  RH_TRY(const auto grants, read_grants(database.get()));
  for (const Grant& grant : grants) {
    if (!grant.holds(now_ns) || grant.action != print.action) continue;
    const auto granted = lines_of(database.get(), grant.envelope);
    const std::string why = granted ? departure(*granted, print.lines) : granted.error().what;
    if (!why.empty())
      RH_CHECK(end_grant(database.get(), grant, "by run " + record.id + ": " + why, {}, 0, now_ns));
  }
  return {};
}

struct Standing::Impl {
  Database database;
};

Standing::Standing(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Standing::Standing(Standing&&) noexcept = default;
Standing& Standing::operator=(Standing&&) noexcept = default;
Standing::~Standing() = default;

Result<Standing> Standing::open(const StateDir& state) {
  {
    RH_TRY(const Ledger ledger,
           Ledger::open(state));  // brings the schema up to date, takes in what has finished
  }
  RH_TRY(Database database, Database::open(state.path() + "/ledger.db", Database::Mode::kReadWrite));
  RH_CHECK(database.execute("PRAGMA synchronous=FULL"));
  return Standing(std::make_unique<Impl>(Impl{std::move(database)}));
}

Result<std::optional<Print>> Standing::of_run(const std::string& run) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(),
                            (std::string("SELECT ") + kPrintColumns + "WHERE run = ?1").c_str()));
  RH_TRY(const bool found, statement.bind(1, run).step());
  if (!found) return std::nullopt;
  return std::optional(read_print(statement));
}

Result<std::vector<Print>> Standing::since(std::int64_t ns) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(), (std::string("SELECT ") + kPrintColumns +
                                                    "WHERE created_ns >= ?1 ORDER BY created_ns, run")
                                                       .c_str()));
  statement.bind(1, ns);
  std::vector<Print> prints;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return prints;
    prints.push_back(read_print(statement));
  }
}

Result<std::vector<std::string>> Standing::lines(const std::string& envelope) {
  return lines_of(impl_->database.get(), envelope);
}

Result<std::vector<Grant>> Standing::grants() {
  return read_grants(impl_->database.get());
}

Result<std::int64_t> Standing::grant(const Grant& grant) {
  return add_event(impl_->database.get(), "granted", 0, grant, grant.who, grant.person);
}

Result<void> Standing::end(const Grant& grant, const std::string& why, const report::Requester& who,
                           std::uint32_t person, std::int64_t now_ns) {
  return end_grant(impl_->database.get(), grant, why, who, person, now_ns);
}

Result<void> Standing::resample(const Grant& grant, const std::string& run, std::int64_t now_ns) {
  Grant event = grant;
  event.run = run;
  event.created_ns = now_ns;
  RH_TRY(const std::int64_t id, add_event(impl_->database.get(), "resampled", grant.id, event, {}, 0));
  (void)id;
  return {};
}

}  // namespace rehearse::ledger
