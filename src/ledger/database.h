// A thin owner of one SQLite connection: the ledger's, and that of an exported database.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse::ledger {

/// A prepared statement, reset after each use. Not thread safe.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* db, const char* sql);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view value);
  /// TEXT if it is UTF-8, otherwise a BLOB: the same bytes in any case.
  Statement& bind_bytes(int index, std::string_view value);
  Statement& bind_null(int index);
  /// True: a row is there.
  Result<bool> step();
  /// Steps to the end and resets.
  Result<void> run();
  void reset() { sqlite3_reset(statement_.get()); }
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  /// WAL, synchronous=NORMAL, waits up to 30 s for other writers. A file that is no database fails with
  /// Error::err kDamaged.
  static Result<Database> open(const std::string& path, Mode mode);
  /// Makes the database of an empty file that the caller has open as `fd`, and fails if `path` leads anywhere
  /// else. Without a journal: no other file is written, and what fails leaves nothing usable.
  static Result<Database> fill(const std::string& path, int fd);
  Result<void> execute(const char* sql);
  Result<std::int64_t> integer(const char* sql);
  [[nodiscard]] sqlite3* get() const { return db_.get(); }

  static constexpr int kDamaged = 100'000;  ///< outside the range of errno

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Database(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

/// The connection's last error as a value: kCantCreate when it could not write, err kDamaged when the file is
/// bad.
tl::unexpected<Error> database_error(sqlite3* db, int code);

}  // namespace rehearse::ledger
