// An SQLite database of a run's processes and events, for any SQL tool.
//
// Text from the action is TEXT where it is UTF-8 and otherwise a BLOB with the same bytes, as they were: only
// `args_text` and `argv` are escaped. Times are nanoseconds since 1970. `path` is the kernel's own name of
// what a call worked on; where the call only named something (`path_claimed` = 1) it is where that name
// leads, absolute, with symbolic links taken for names; `path_to` is the same of the second name that a call
// gives (rename, link). What was written stands in `args_text`.
#pragma once

#include <memory>
#include <string>

#include "export/exporter.h"

namespace rehearse::exporting {

class SqliteExporter final : public Exporter {
 public:
  /// `path` is the empty file that `fd` is open on.
  static Result<std::unique_ptr<SqliteExporter>> create(const RunFacts& run, const std::string& path, int fd);
  ~SqliteExporter() override;

  Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) override;
  Result<void> finish(const trace::ProcessTree& tree, const char* incomplete) override;

 private:
  struct Connection;
  SqliteExporter(const RunFacts& run, std::unique_ptr<Connection> connection);
  Result<void> put_facts(const char* incomplete);
  Result<void> put_process(const trace::Process& process);

  const RunFacts& run_;
  std::unique_ptr<Connection> db_;
};

}  // namespace rehearse::exporting
