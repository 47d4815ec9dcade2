#include "ledger/database.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "base/escape.h"
#include "base/sys.h"

namespace rehearse::ledger {
namespace {

/// Starting WAL mode and creating the schema can meet SQLITE_BUSY without the busy handler being asked.
constexpr int kBusyTries = 600;
void pause_a_little() {
  struct timespec t = {};
  t.tv_nsec = 20'000'000;
  ::nanosleep(&t, nullptr);
}

/// file: URI of a path; only the characters that mean something in one are escaped.
std::string uri(const std::string& path, const char* query) {
  std::string text = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      text += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + query;
}

/// How many descriptors of this process are open on the object of `fd`.
Result<int> descriptors_on(int fd) {
  RH_TRY(const struct stat wanted, sys::stat_fd(fd));
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    struct stat found = {};
    if (::stat(entry.path().c_str(), &found) == 0 && found.st_dev == wanted.st_dev &&
        found.st_ino == wanted.st_ino)
      ++count;
  }
  return count;
}

/// The last part of the database's own name, for messages.
std::string name_of(sqlite3* db) {
  const char* path = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  const std::string_view text = path == nullptr ? std::string_view() : std::string_view(path);
  return text.empty() ? std::string("ledger.db") : std::string(text.substr(text.rfind('/') + 1));
}

}  // namespace

tl::unexpected<Error> database_error(sqlite3* db, int code) {
  std::string what = name_of(db) + ": ";
  what += db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const int primary = code & 0xff;
  Error error{std::move(what), {}, ExitCode::kFailure, 0};
  if (primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT) error.err = Database::kDamaged;
  if (primary == SQLITE_FULL || primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY ||
      primary == SQLITE_IOERR) {
    error.exit = ExitCode::kCantCreate;
    error.err = EIO;
    error.fix = "see that its filesystem can be written and has bytes and inodes left: rehearse gc";
  }
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) error.exit = ExitCode::kTryLater;
  return tl::make_unexpected(std::move(error));
}

Result<Statement> Statement::prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return database_error(db, code);
  return Statement(statement);
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), index, value.data() != nullptr ? value.data() : "", value.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_bytes(int index, std::string_view value) {
  if (is_utf8(value)) return bind(index, value);
  sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(statement_.get(), index);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = database_error(sqlite3_db_handle(statement_.get()), code);
  sqlite3_reset(statement_.get());
  return error;
}

Result<void> Statement::run() {
  while (true) {
    RH_TRY(const bool row, step());
    if (!row) break;
  }
  sqlite3_reset(statement_.get());
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data != nullptr ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  sqlite3* handle = nullptr;
  int code = SQLITE_OK;
  if (mode == Mode::kReadOnly) {
    // A read-only filesystem has no place for the -shm file of WAL; nobody can write there either.
    code = sqlite3_open_v2(uri(path, "?immutable=1").c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                           nullptr);
  } else {
    code = sqlite3_open_v2(path.c_str(), &handle,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  }
  Database database(handle);
  if (code != SQLITE_OK) return database_error(handle, code);
  sqlite3_busy_timeout(handle, 30'000);
  // The file may be damaged on purpose: no schema trick gets to run functions, and cells are checked when
  // read.
  RH_CHECK(database.execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"));
  if (mode == Mode::kReadWrite)
    RH_CHECK(database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"));
  return database;
}

Result<Database> Database::fill(const std::string& path, int fd) {
  sqlite3* handle = nullptr;
  RH_TRY(const int before, descriptors_on(fd));
  const int code = sqlite3_open_v2(
      path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return database_error(handle, code);
  // SQLite takes names only; whoever may rename in that directory could have put another file there.
  RH_TRY(const int after, descriptors_on(fd));
  if (after != before + 1)
    return fail(path + ": another file took its place while it was opened", ExitCode::kCantCreate);
  RH_CHECK(
      database.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                       "PRAGMA trusted_schema=OFF"));
  return database;
}

Result<void> Database::execute(const char* sql) {
  for (int tries = 0;; ++tries) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    if ((code & 0xff) != SQLITE_BUSY || tries >= kBusyTries) return database_error(db_.get(), code);
    pause_a_little();
  }
}

Result<std::int64_t> Database::integer(const char* sql) {
  RH_TRY(Statement statement, Statement::prepare(db_.get(), sql));
  for (int tries = 0;; ++tries) {
    auto row = statement.step();
    if (row) {
      if (!*row) return fail("ledger.db: no row for " + std::string(sql), ExitCode::kDataError);
      return statement.integer(0);
    }
    if (row.error().exit != ExitCode::kTryLater || tries >= kBusyTries)
      return tl::make_unexpected(row.error());
    pause_a_little();
  }
}

}  // namespace rehearse::ledger
