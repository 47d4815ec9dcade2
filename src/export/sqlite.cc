#include "export/sqlite.h"

#include <fmt/format.h>

#include "base/escape.h"
#include "ledger/database.h"
#include "trace/event_paths.h"
#include "trace/event_text.h"
#include "trace/socket_text.h"

namespace rehearse::exporting {
namespace {

using ledger::Statement;
using trace::EventType;
using trace::TraceEvent;

constexpr const char* kSchema = R"(
BEGIN;
CREATE TABLE runs (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE processes (
  id INTEGER PRIMARY KEY, parent INTEGER, pid INTEGER, host_pid INTEGER, uid INTEGER, comm, exe, argv TEXT,
  start_ns INTEGER, end_ns INTEGER, exit INTEGER, signal TEXT, threads INTEGER, syscalls INTEGER, failed INTEGER, maker INTEGER);
CREATE TABLE events (
  number INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, process INTEGER NOT NULL, tid INTEGER NOT NULL,
  type TEXT NOT NULL, name TEXT, args_text TEXT, result INTEGER, errno TEXT, duration_ns INTEGER, fd INTEGER,
  path, path_claimed INTEGER, dev TEXT, ino INTEGER, tampered INTEGER NOT NULL, path_to);
CREATE INDEX events_by_process ON events (process, number);
CREATE INDEX events_by_name ON events (name, number);
CREATE INDEX events_by_path ON events (path, number) WHERE path IS NOT NULL;
CREATE INDEX events_by_path_to ON events (path_to, number) WHERE path_to IS NOT NULL;
CREATE INDEX events_by_errno ON events (errno, number) WHERE errno IS NOT NULL;
CREATE VIEW files_opened AS
  SELECT process, path, dev, ino, count(*) AS opens, min(number) AS first_event FROM events
  WHERE name IN ('open', 'openat', 'openat2', 'creat') AND errno IS NULL AND path IS NOT NULL
  GROUP BY process, path, dev, ino;
CREATE VIEW failed_calls AS
  SELECT number, time_ns, process, name, args_text, errno, path FROM events WHERE errno IS NOT NULL;
CREATE VIEW summary AS
  SELECT process, name, count(*) AS calls, count(errno) AS errors, count(duration_ns) AS timed,
    total(duration_ns) / 1e9 AS seconds FROM events WHERE type = 'syscall' GROUP BY process, name;
)";

constexpr const char* kInsertEvent =
    "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
constexpr const char* kInsertProcess =
    "INSERT INTO processes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
constexpr const char* kInsertFact = "INSERT INTO runs VALUES (?1, ?2)";

/// Columns of `events`.
enum Column : int {
  kNumber = 1,
  kTime,
  kProcess,
  kTid,
  kType,
  kName,
  kArguments,
  kResult,
  kErrno,
  kDuration,
  kFd,
  kPath,
  kClaimed,
  kDev,
  kIno,
  kTampered,
  kPathTo,
};

/// SQLite's integers have a sign: what is above wraps, as in the C cast.
std::int64_t integer(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::string command_line(const trace::Image& image) {
  std::string text;
  for (const std::string& word : image.words()) {
    if (!text.empty()) text += ' ';
    text += shell_quote(word);
  }
  return text;
}

void bind_path(Statement& insert, std::string_view path, bool claimed) {
  insert.bind_bytes(kPath, path).bind(kClaimed, std::int64_t{claimed});
}

void bind_call(Statement& insert, const TraceEvent& event, const trace::EventStream& stream) {
  const syscalls::Call call = event.call();
  insert.bind(kName, syscalls::format_name(call)).bind(kArguments, syscalls::format_arguments(call));
  if (!event.unfinished) insert.bind(kResult, call.result);
  if (event.failed()) insert.bind(kErrno, syscalls::errno_name(static_cast<int>(-call.result)));
  if (event.begun_ns && !event.unfinished) insert.bind(kDuration, integer(event.time_ns - *event.begun_ns));
  if (event.fd_number >= 0) insert.bind(kFd, std::int64_t{event.fd_number});
  insert.bind(kTampered, std::int64_t{event.tampered()});
  if (event.fd != nullptr && event.fd->known_file) {
    const struct rh_file& file = event.fd->file;
    insert.bind(kDev, fmt::format("{}:{}", file.dev >> 20U, file.dev & 0xfffffU))
        .bind(kIno, integer(file.ino));
  }
  if (const auto object = trace::object_of(event, stream)) bind_path(insert, object->path, object->claimed);
  const std::vector<std::string> named = trace::named_paths(event, stream);
  if (named.size() == 2 && !named[1].empty()) insert.bind_bytes(kPathTo, named[1]);
}

}  // namespace

struct SqliteExporter::Connection {
  ledger::Database database;
  Statement insert_event;
  Statement insert_process;
  Statement insert_fact;
};

SqliteExporter::SqliteExporter(const RunFacts& run, std::unique_ptr<Connection> connection)
    : run_(run), db_(std::move(connection)) {}

SqliteExporter::~SqliteExporter() = default;

Result<std::unique_ptr<SqliteExporter>> SqliteExporter::create(const RunFacts& run, const std::string& path,
                                                               int fd) {
  RH_TRY(auto database, ledger::Database::fill(path, fd));
  RH_CHECK(database.execute(kSchema));
  RH_TRY(auto event, Statement::prepare(database.get(), kInsertEvent));
  RH_TRY(auto process, Statement::prepare(database.get(), kInsertProcess));
  RH_TRY(auto fact, Statement::prepare(database.get(), kInsertFact));
  auto connection = std::make_unique<Connection>(
      Connection{std::move(database), std::move(event), std::move(process), std::move(fact)});
  return std::unique_ptr<SqliteExporter>(new SqliteExporter(run, std::move(connection)));
}

Result<void> SqliteExporter::event(const TraceEvent& event, const trace::EventStream& stream) {
  Statement& insert = db_->insert_event;
  for (int column = kName; column <= kPathTo; ++column) insert.bind_null(column);
  insert.bind(kNumber, integer(event.number)).bind(kTime, run_.epoch_ns(event.time_ns));
  insert.bind(kProcess, std::int64_t{event.process->id}).bind(kTid, std::int64_t{event.tid});
  insert.bind(kType, trace::event_type_name(event.type)).bind(kTampered, std::int64_t{0});
  const trace::Process& process = *event.process;
  switch (event.type) {
    case EventType::kCall:
      bind_call(insert, event, stream);
      break;
    case EventType::kExec:
      bind_path(insert, process.images.back()->path, false);
      insert.bind(kArguments, command_line(*process.images.back()));
      break;
    case EventType::kEnd:
      if (process.exit) insert.bind(kResult, std::int64_t{*process.exit});
      if (process.signal) insert.bind(kName, syscalls::signal_name(*process.signal));
      break;
    case EventType::kSignal:
      if (const auto* signal = event.record->as<struct rh_signal>())
        insert.bind(kName, syscalls::signal_name(signal->signal))
            .bind(kArguments,
                  fmt::format("target_tid={} sender={}", signal->target_tid, trace::to_string(event.sender)));
      break;
    case EventType::kUring:
      if (const auto* uring = event.record->as<struct rh_uring>())
        insert.bind(kArguments, fmt::format("opcode={}", uring->opcode));
      break;
    case EventType::kModule:
      insert.bind(kName, trace::module_name(*event.record));
      break;
    case EventType::kSocket:
      insert.bind(kName, trace::what_of(*event.record->as<struct rh_socket>()))
          .bind(kArguments, trace::socket_text(*event.record->as<struct rh_socket>()));
      break;
    case EventType::kStart:
      break;
  }
  return insert.run();
}

Result<void> SqliteExporter::put_process(const trace::Process& process) {
  Statement& insert = db_->insert_process;
  int column = 0;
  const auto number = [&](std::int64_t value) { insert.bind(++column, value); };
  number(process.id);
  number(process.parent);
  number(process.inner_pid);
  number(process.pid);
  number(run_.inside(process.creds.euid));
  insert.bind_bytes(++column, process.comm);
  const trace::Image* image = trace::ProcessTree::image_of(process);
  ++column;
  image != nullptr ? insert.bind_bytes(column, image->path) : insert.bind_null(column);
  ++column;
  image != nullptr ? insert.bind(column, command_line(*image)) : insert.bind_null(column);
  number(run_.epoch_ns(process.start_ns));
  ++column;
  process.end_ns ? insert.bind(column, run_.epoch_ns(*process.end_ns)) : insert.bind_null(column);
  ++column;
  process.exit ? insert.bind(column, std::int64_t{*process.exit}) : insert.bind_null(column);
  ++column;
  process.signal ? insert.bind(column, syscalls::signal_name(*process.signal)) : insert.bind_null(column);
  number(process.threads);
  number(integer(process.syscalls));
  number(integer(process.failed));
  number(process.maker);
  return insert.run();
}

Result<void> SqliteExporter::put_facts(const char* incomplete) {
  const auto put = [&](std::string_view key, std::string_view value) {
    return db_->insert_fact.bind(1, key).bind_bytes(2, value).run();
  };
  RH_CHECK(put("schema", "rehearse.events/1"));
  RH_CHECK(put("rehearse", REHEARSE_VERSION));
  RH_CHECK(put("run", run_.id));
  RH_CHECK(put("command", run_.command));
  RH_CHECK(put("host", run_.host_name));
  RH_CHECK(put("kernel", run_.host_kernel));
  // Empty: every event of the run was recorded.
  return put("incomplete", incomplete);
}

Result<void> SqliteExporter::finish(const trace::ProcessTree& tree, const char* incomplete) {
  for (const trace::Process& process : tree.processes()) {
    // As in the events: what sets the sandbox up is not the action's.
    if (process.id == 0 || (process.id == 1 && process.images.empty())) continue;
    RH_CHECK(put_process(process));
  }
  RH_CHECK(put_facts(incomplete));
  return db_->database.execute("COMMIT");
}

}  // namespace rehearse::exporting
