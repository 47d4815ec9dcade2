#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "ledger/database.h"
#include "ledger/layout.h"
#include "ledger/marker.h"
#include "ledger/standing.h"

namespace rehearse::ledger {
namespace {

constexpr std::int64_t kSchemaVersion = 6;
constexpr std::int64_t kYoungNs = 60'000'000'000;
constexpr const char* kSchema = R"(
CREATE TABLE runs (
  id TEXT PRIMARY KEY NOT NULL,
  created_ns INTEGER NOT NULL,
  argv TEXT NOT NULL,
  verdict TEXT NOT NULL,
  exit INTEGER, signal INTEGER,
  created INTEGER NOT NULL DEFAULT 0, modified INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
  metadata INTEGER NOT NULL DEFAULT 0, renamed INTEGER NOT NULL DEFAULT 0, type INTEGER NOT NULL DEFAULT 0,
  identical INTEGER NOT NULL DEFAULT 0,
  written_bytes INTEGER NOT NULL DEFAULT 0, wall_ns INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL CHECK (state IN ('finished', 'interrupted', 'removed')),
  digest TEXT NOT NULL, requester_uid INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
)";
constexpr const char* kSchemaTwo = R"(
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL, digest TEXT NOT NULL, seal TEXT NOT NULL,
  verb TEXT NOT NULL CHECK (verb IN ('approved', 'rejected')),
  reason ANY NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, used_by TEXT,
  uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run);
CREATE TABLE promotions (
  id TEXT PRIMARY KEY NOT NULL,
  run TEXT NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('promote', 'rollback')),
  decision INTEGER NOT NULL, started_ns INTEGER NOT NULL, finished_ns INTEGER NOT NULL,
  result TEXT NOT NULL CHECK (result IN ('begun', 'done', 'rolled back', 'incomplete')),
  operations INTEGER NOT NULL, window_ns INTEGER NOT NULL, detail ANY NOT NULL,
  uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY
) STRICT, WITHOUT ROWID;
CREATE INDEX promotions_by_run ON promotions (run);
PRAGMA user_version = 2;
)";
constexpr const char* kSchemaThree = R"(
CREATE TABLE unit_steps (
  promotion TEXT NOT NULL, number INTEGER NOT NULL,
  verb ANY NOT NULL, unit ANY NOT NULL, mode ANY NOT NULL, result TEXT NOT NULL, irreversible INTEGER NOT NULL,
  state_before ANY NOT NULL, state_after ANY NOT NULL, detail ANY NOT NULL, took_ns INTEGER NOT NULL,
  PRIMARY KEY (promotion, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE undo_trials (
  run TEXT PRIMARY KEY NOT NULL, digest TEXT NOT NULL, verified INTEGER NOT NULL, why ANY NOT NULL,
  took_ns INTEGER NOT NULL, tried_ns INTEGER NOT NULL, irreversible TEXT NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 3;
)";
// Decisions by more than one person, under a policy; nothing of them is ever changed. Old ones are taken
// over; the person behind them was not kept apart: the login user, else who used sudo, else the user.
constexpr const char* kSchemaApproval = R"(
ALTER TABLE decisions RENAME TO decisions_before;
DROP INDEX decisions_by_run;
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL, digest TEXT NOT NULL, seal TEXT NOT NULL, policy TEXT NOT NULL,
  verb TEXT NOT NULL CHECK (verb IN ('approved', 'rejected', 'revoked', 'overridden', 'reviewed', 'skipped')),
  reason ANY NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,
  ticket ANY NOT NULL, review_due_ns INTEGER NOT NULL, about INTEGER NOT NULL,
  person INTEGER NOT NULL, uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run);
CREATE TABLE decision_uses (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  decision INTEGER NOT NULL, promotion TEXT NOT NULL, verb TEXT NOT NULL CHECK (verb IN ('used', 'released')),
  at_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_uses_by_decision ON decision_uses (decision);
INSERT INTO decisions SELECT id, run, digest, seal, '', verb, reason, created_ns, expires_ns, '', 0, 0,
  coalesce(loginuid, sudo_uid, uid), uid, loginuid, sudo_uid, tty, unit FROM decisions_before;
INSERT INTO decision_uses (decision, promotion, verb, at_ns)
  SELECT id, used_by, 'used', created_ns FROM decisions_before WHERE used_by IS NOT NULL;
DROP TABLE decisions_before;
CREATE TABLE promotion_effects (
  promotion TEXT PRIMARY KEY NOT NULL, at_ns INTEGER NOT NULL, changes INTEGER NOT NULL, deletes INTEGER NOT NULL,
  bytes_written INTEGER NOT NULL, units_restarted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX promotion_effects_by_time ON promotion_effects (at_ns);
CREATE TABLE fingerprints (
  run TEXT PRIMARY KEY NOT NULL, created_ns INTEGER NOT NULL, template TEXT NOT NULL, fingerprint TEXT NOT NULL,
  envelope TEXT NOT NULL, policy TEXT NOT NULL, title ANY NOT NULL, unclean ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fingerprints_by_template ON fingerprints (template, created_ns);
CREATE TABLE envelopes (digest TEXT PRIMARY KEY NOT NULL, lines ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE standing (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  verb TEXT NOT NULL CHECK (verb IN ('granted', 'revoked', 'resampled')),
  about INTEGER NOT NULL, run TEXT NOT NULL, template TEXT NOT NULL, fingerprint TEXT NOT NULL,
  envelope TEXT NOT NULL, policy TEXT NOT NULL, title ANY NOT NULL, reason ANY NOT NULL,
  created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,
  person INTEGER NOT NULL, uid INTEGER NOT NULL, loginuid INTEGER, sudo_uid INTEGER, tty ANY, unit ANY
) STRICT;
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are kept as made'); END;
CREATE TRIGGER decisions_last BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are kept'); END;
CREATE TRIGGER uses_stay BEFORE UPDATE ON decision_uses BEGIN SELECT RAISE(ABORT, 'uses are kept as made'); END;
CREATE TRIGGER uses_last BEFORE DELETE ON decision_uses BEGIN SELECT RAISE(ABORT, 'uses are kept'); END;
CREATE TRIGGER standing_stays BEFORE UPDATE ON standing BEGIN SELECT RAISE(ABORT, 'grants are kept as made'); END;
CREATE TRIGGER standing_lasts BEFORE DELETE ON standing BEGIN SELECT RAISE(ABORT, 'grants are kept'); END;
PRAGMA user_version = 4;
)";
constexpr const char* kSchemaUnitStates = R"(
CREATE TABLE unit_states (
  promotion TEXT NOT NULL, number INTEGER NOT NULL,
  name ANY NOT NULL, id ANY NOT NULL, state_before ANY NOT NULL, state_after ANY NOT NULL, ran INTEGER NOT NULL,
  PRIMARY KEY (promotion, number)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 5;
)";
constexpr const char* kSchemaReports = R"(
ALTER TABLE runs ADD COLUMN report TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 6;
)";
constexpr const char* kInsert =
    "INSERT INTO runs (id, created_ns, argv, verdict, exit, signal, created, modified, deleted, metadata, "
    "renamed, type, "
    "identical, written_bytes, wall_ns, state, digest, requester_uid, report) "
    "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19) ON CONFLICT (id) DO NOTHING";
constexpr const char* kSelect =
    "SELECT id, created_ns, argv, verdict, exit, signal, created, modified, deleted, metadata, renamed, "
    "type, identical, "
    "written_bytes, wall_ns, state, digest, requester_uid, report FROM runs WHERE (state <> 'removed' OR ?1) "
    "AND (?3 IS NULL OR id = ?3) ORDER BY id DESC LIMIT ?2";

/// argv as a JSON array; a word that is not UTF-8 is {"b64": ...}. Words beyond 64 KiB in all are left out.
std::string argv_json(const std::vector<std::string>& argv) {
  constexpr std::size_t kLimit = std::size_t{64} * 1024;
  auto array = nlohmann::json::array();
  std::size_t used = 0;
  for (const std::string& word : argv) {
    if (used + word.size() > kLimit) {
      array.push_back(fmt::format("...({} more words)", argv.size() - array.size()));
      break;
    }
    used += word.size();
    if (is_utf8(word)) {
      array.push_back(word);
    } else {
      array.push_back({{"b64", base64(word)}});
    }
  }
  return array.dump();
}

std::vector<std::string> parse_argv(const std::string& text) {
  std::vector<std::string> argv;
  const auto array = nlohmann::json::parse(text, nullptr, false);
  if (!array.is_array()) return argv;
  for (const auto& word : array) {
    if (word.is_string()) argv.push_back(word.get<std::string>());
    if (word.is_object() && word.contains("b64") && word["b64"].is_string()) {
      argv.push_back(from_base64(word["b64"].get<std::string>()));
    }
  }
  return argv;
}

Row row_of(const report::RunRecord& record) {
  Row row;
  row.id = record.id;
  row.created_ns = record.created_ns;
  row.argv = record.action.argv;
  row.verdict = verdict::to_string(record.verdict.level);
  row.exit = record.command.exit;
  row.signal = record.command.signal;
  row.counts = record.counts;
  row.written_bytes = record.command.written_bytes;
  row.wall_ns = record.command.wall_ns;
  row.digest = record.digest;
  row.requester_uid = record.requester.uid;
  return row;
}

std::int64_t clamp(std::uint64_t value) {
  return value > std::uint64_t{INT64_MAX} ? INT64_MAX : static_cast<std::int64_t>(value);
}
std::uint64_t unsigned_of(std::int64_t value) {
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

Row read_row(const Statement& statement) {
  Row row;
  row.id = statement.text(0);
  row.created_ns = statement.integer(1);
  row.argv = parse_argv(statement.text(2));
  row.verdict = statement.text(3);
  if (!statement.is_null(4)) row.exit = static_cast<int>(statement.integer(4));
  if (!statement.is_null(5)) row.signal = static_cast<int>(statement.integer(5));
  std::uint64_t* const numbers[] = {&row.counts.created,   &row.counts.modified, &row.counts.deleted,
                                    &row.counts.metadata,  &row.counts.renamed,  &row.counts.type,
                                    &row.counts.identical, &row.written_bytes};
  int column = 6;
  for (std::uint64_t* number : numbers) *number = unsigned_of(statement.integer(column++));
  row.wall_ns = statement.integer(14);
  const std::string state = statement.text(15);
  row.state = state == "removed"       ? State::kRemoved
              : state == "interrupted" ? State::kInterrupted
                                       : State::kFinished;
  row.digest = statement.text(16);
  row.requester_uid = static_cast<std::uint32_t>(statement.integer(17));
  row.report_digest = statement.text(18);
  return row;
}

}  // namespace

const char* to_string(State state) {
  switch (state) {
    case State::kFinished:
      return "finished";
    case State::kInterrupted:
      return "interrupted";
    case State::kRemoved:
      return "removed";
    case State::kRunning:
      return "running";
  }
  return "?";
}

struct Ledger::Impl {
  std::string path;
  UniqueFd state;
  Database database;
  bool read_only = false;

  [[nodiscard]] Result<StateDir> state_dir() const { return StateDir::open(path, Create::kNo); }
  Result<void> insert(const Row& row);
  Result<void> keep_print_of(const Bundle& bundle, const report::RunRecord& record);
  Result<void> take_in(const StateDir& from, const std::string& id);
  Result<void> drain(const StateDir& from);
};

Result<void> Ledger::Impl::insert(const Row& row) {
  RH_TRY(Statement statement, Statement::prepare(database.get(), kInsert));
  statement.bind(1, row.id).bind(2, row.created_ns).bind(3, argv_json(row.argv)).bind(4, row.verdict);
  if (row.exit) statement.bind(5, std::int64_t{*row.exit});
  if (row.signal) statement.bind(6, std::int64_t{*row.signal});
  const std::uint64_t numbers[] = {row.counts.created,   row.counts.modified, row.counts.deleted,
                                   row.counts.metadata,  row.counts.renamed,  row.counts.type,
                                   row.counts.identical, row.written_bytes};
  int index = 7;
  for (const std::uint64_t number : numbers) statement.bind(index++, clamp(number));
  statement.bind(15, row.wall_ns).bind(16, std::string_view(to_string(row.state))).bind(17, row.digest);
  statement.bind(18, std::int64_t{row.requester_uid}).bind(19, row.report_digest);
  return statement.run();
}

/// A bundle whose files are damaged has no fingerprint: nothing rests on it.
Result<void> Ledger::Impl::keep_print_of(const Bundle& bundle, const report::RunRecord& record) {
  const auto manifest = bundle.open_file("manifest");
  const auto reads = bundle.open_file("reads");
  const auto print =
      report::fingerprint_of(record, manifest ? manifest->get() : -1, reads ? reads->get() : -1);
  return print ? keep_print(database, record, *print, realtime_ns()) : Result<void>();
}

/// A bundle without a readable run.json is that of an interrupted run.
Result<void> Ledger::Impl::take_in(const StateDir& from, const std::string& id) {
  auto bundle = from.open_run(id);
  if (!bundle) return {};  // removed meanwhile
  if (auto record = bundle->read_record()) {
    Row row = row_of(*record);
    RH_TRY(row.report_digest, bundle->report_digest());
    RH_CHECK(insert(row));
    return keep_print_of(*bundle, *record);
  }
  Row row;
  row.id = id;
  row.created_ns = time_of_run(id);
  row.state = State::kInterrupted;
  row.argv = noted_command(from.fd(), kIntake, id);
  return insert(row);
}

Result<void> Ledger::Impl::drain(const StateDir& from) {
  std::vector<std::string> ids;
  RH_CHECK(for_each_name(state.get(), kIntake, [&](const char* name) -> Result<void> {
    if (is_run_id(name)) ids.emplace_back(name);
    return {};
  }));
  if (ids.empty()) return {};
  RH_CHECK(database.execute("BEGIN IMMEDIATE"));
  for (const std::string& id : ids) {
    if (auto taken = take_in(from, id); !taken) {
      (void)database.execute("ROLLBACK");
      return taken;
    }
  }
  RH_CHECK(database.execute("COMMIT"));
  for (const std::string& id : ids) ::unlinkat(state.get(), in(kIntake, id).c_str(), 0);
  return {};
}

namespace {

/// Brings an open database to the present schema. True: it was empty.
Result<bool> prepare_schema(Database& database) {
  RH_TRY(const std::int64_t version, database.integer("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return fail(
        fmt::format("ledger.db has schema version {}, this rehearse knows {}", version, kSchemaVersion),
        ExitCode::kConfig, "use the newer rehearse that wrote it");
  }
  if (version == kSchemaVersion) {
    RH_TRY(Statement probe,
           Statement::prepare(database.get(), kSelect));  // the table is there and has its columns
    return false;
  }
  RH_CHECK(database.execute("BEGIN IMMEDIATE"));
  RH_TRY(const std::int64_t again,
         database.integer("PRAGMA user_version"));  // another process may have been first
  const auto bring_up = [&](std::int64_t from, const char* schema) -> Result<void> {
    if (again > from) return {};
    auto made = database.execute(schema);
    if (!made) (void)database.execute("ROLLBACK");
    return made;
  };
  RH_CHECK(bring_up(0, kSchema));
  RH_CHECK(bring_up(1, kSchemaTwo));
  RH_CHECK(bring_up(2, kSchemaThree));
  RH_CHECK(bring_up(3, kSchemaApproval));
  RH_CHECK(bring_up(4, kSchemaUnitStates));
  RH_CHECK(bring_up(5, kSchemaReports));
  RH_CHECK(database.execute("COMMIT"));
  return again == 0;
}

struct Opened {
  Database database;
  bool fresh = false;
};

Result<Opened> open_database(const std::string& file, Database::Mode mode) {
  RH_TRY(Database database, Database::open(file, mode));
  RH_TRY(const bool fresh, prepare_schema(database));
  return Opened{std::move(database), fresh};
}

/// Renames a damaged database aside, once, whoever notices first. Returns the line to say.
Result<std::string> set_aside(const StateDir& state, const std::string& file, Database::Mode mode) {
  RH_TRY(const UniqueFd lock,
         sys::open_beneath(state.fd(), "ledger.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX) != 0) return sys::last_error("flock", "ledger.lock");
  auto again = open_database(file, mode);
  if (again || again.error().err != Database::kDamaged) return std::string();
  const std::string name = "ledger.db.damaged-" + compact_time(realtime_ns());
  RH_CHECK(sys::rename_at(state.fd(), "ledger.db", state.fd(), name.c_str()));
  for (const char* suffix : {"-wal", "-shm"}) {
    ::renameat(state.fd(), (std::string("ledger.db") + suffix).c_str(), state.fd(), (name + suffix).c_str());
  }
  return "the ledger was damaged (" + again.error().what + "); it is kept as " + name +
         " and was rebuilt from the runs";
}

}  // namespace

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Result<Ledger> Ledger::open(const StateDir& state, std::string* notice) {
  const std::string file = state.path() + "/ledger.db";
  struct statvfs vfs = {};
  const bool read_only = ::fstatvfs(state.fd(), &vfs) == 0 && (vfs.f_flag & ST_RDONLY) != 0;
  const auto mode = read_only ? Database::Mode::kReadOnly : Database::Mode::kReadWrite;
  auto opened = open_database(file, mode);
  bool rebuilt = false;
  if (!opened && opened.error().err == Database::kDamaged && !read_only) {
    RH_TRY(const std::string line, set_aside(state, file, mode));
    if (notice != nullptr && !line.empty()) *notice = line;
    rebuilt = true;
    opened = open_database(file, mode);
  }
  if (!opened) return tl::make_unexpected(std::move(opened).error());
  RH_TRY(UniqueFd fd, sys::dup(state.fd()));
  Ledger ledger(
      std::make_unique<Impl>(Impl{state.path(), std::move(fd), std::move(opened->database), read_only}));
  if (read_only) return ledger;
  RH_CHECK(ledger.impl_->drain(state));
  if (opened->fresh || rebuilt) RH_CHECK(ledger.reconcile());
  return ledger;
}

Result<std::vector<Row>> Ledger::list(const Filter& filter) {
  RH_TRY(Statement statement, Statement::prepare(impl_->database.get(), kSelect));
  statement.bind(1, std::int64_t{filter.include_removed});
  statement.bind(2, filter.limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(filter.limit));
  std::vector<Row> rows;
  while (true) {
    RH_TRY(const bool more, statement.step());
    if (!more) return rows;
    rows.push_back(read_row(statement));
  }
}

Result<std::optional<Row>> Ledger::find(const std::string& id) {
  RH_TRY(Statement statement, Statement::prepare(impl_->database.get(), kSelect));
  statement.bind(1, std::int64_t{1}).bind(2, std::int64_t{1}).bind(3, id);
  RH_TRY(const bool there, statement.step());
  if (!there) return std::optional<Row>();
  return std::optional(read_row(statement));
}

Result<void> Ledger::mark(const std::string& id, State state) {
  RH_TRY(Statement statement,
         Statement::prepare(impl_->database.get(), "UPDATE runs SET state = ?2 WHERE id = ?1"));
  return statement.bind(1, id).bind(2, std::string_view(to_string(state))).run();
}

Result<void> Ledger::remove(const std::string& id) {
  RH_TRY(Statement statement, Statement::prepare(impl_->database.get(), "DELETE FROM runs WHERE id = ?1"));
  return statement.bind(1, id).run();
}

Result<void> Ledger::take_in_finished() {
  if (impl_->read_only) return {};
  RH_TRY(const StateDir state, impl_->state_dir());
  return impl_->drain(state);
}

Result<void> Ledger::reconcile() {
  if (impl_->read_only) return {};
  RH_TRY(const StateDir state, impl_->state_dir());
  RH_TRY(const std::vector<std::string> ids, state.run_ids());
  if (ids.empty()) return {};
  RH_TRY(Statement known, Statement::prepare(impl_->database.get(), "SELECT 1 FROM runs WHERE id = ?1"));
  for (const std::string& id : ids) {
    known.bind(1, id);
    RH_TRY(const bool row, known.step());
    known.reset();
    if (row) continue;
    RH_TRY(Bundle bundle, state.open_run(id));
    if (!bundle.finished()) {
      // Live, being made, or not collected yet: its row comes with its end.
      if (realtime_ns() - time_of_run(id) < kYoungNs) continue;
      auto free = bundle.try_lock();
      if (!free || !*free || ::faccessat(state.fd(), in(kActive, id).c_str(), F_OK, 0) == 0) continue;
    }
    RH_CHECK(impl_->take_in(state, id));
  }
  return {};
}

}  // namespace rehearse::ledger
