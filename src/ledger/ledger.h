// The ledger: one SQLite row a run, to list and select runs without opening their bundles.
//
// It is an index, not the truth: bundles are. A finished run leaves a marker in `intake/`, which costs one
// rename on the timed path; opening the ledger takes the markers in. So the row of a run exists as soon as
// anyone looks, and SQLite's cold start (about a hundred page faults) is nobody's latency. Missing or
// damaged, it is rebuilt from the run.json files; what a rebuild cannot know is the rows of runs whose
// bundles were removed. WAL, synchronous=NORMAL: a power cut may lose the last rows, never the database;
// intake markers of lost rows are gone, so `gc` compares the ledger with runs/ and takes in what is missing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"
#include "report/run_record.h"

namespace rehearse::ledger {

enum class State : std::uint8_t {
  kFinished,
  kInterrupted,
  kRemoved,
  kRunning,  ///< never in the database
};
const char* to_string(State state);

struct Row {
  std::string id;
  std::int64_t created_ns = 0;
  std::vector<std::string> argv;  ///< raw bytes; escape before printing
  std::string verdict;            ///< empty for an interrupted run
  std::optional<int> exit;
  std::optional<int> signal;
  effects::Counts counts;
  std::uint64_t written_bytes = 0;
  std::int64_t wall_ns = 0;
  State state = State::kFinished;
  std::string digest;
  std::uint32_t requester_uid = 0;
  std::string report_digest;  ///< Bundle::report_digest() when it was taken in; empty: not known
};

struct Filter {
  std::size_t limit = 0;  ///< newest first; 0: all
  bool include_removed = false;
};

class Ledger {
 public:
  /// Opens or makes the database and takes in finished runs. `notice` (optional) gets one line if it was
  /// damaged, set aside and rebuilt. A schema newer than this program is kConfig.
  static Result<Ledger> open(const StateDir& state, std::string* notice = nullptr);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger();

  Result<std::vector<Row>> list(const Filter& filter);
  /// Nothing if it has none of that id.
  Result<std::optional<Row>> find(const std::string& id);
  Result<void> mark(const std::string& id, State state);
  /// Forgets the row.
  Result<void> remove(const std::string& id);
  /// Takes in runs that finished since it was opened.
  Result<void> take_in_finished();
  /// Adds rows for bundles that have none.
  Result<void> reconcile();

 private:
  struct Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Cleans up after runs whose supervisor died: for each, `release(id)` (sandbox::remove_leftovers) under the
/// run's lock, then its uppers are removed, the ledger says `interrupted`, and the marker goes. Returns the
/// ids. Costs two system calls when there is nothing to do. One that fails is tried again next time; the
/// first error is returned after all were tried.
Result<std::vector<std::string>> collect_interrupted(
    const StateDir& state, const std::function<Result<void>(const std::string& id)>& release);

}  // namespace rehearse::ledger
