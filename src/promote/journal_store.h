// Where journals lie: `promotions/RUN.new` in the state directory while new objects are being staged,
// `promotions/RUN.ready` from before the first rename to after the last, `runs/RUN/promotions/N` when it is
// over. The name says how far a promotion came even where its content cannot be read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "ledger/state.h"
#include "promote/journal.h"

namespace rehearse::promote {

struct PendingJournal {
  std::string run;
  bool ready = false;
};

class JournalStore {
 public:
  /// The state directory is borrowed.
  explicit JournalStore(const ledger::StateDir& state) : state_(state) {}

  /// Journals of promotions that are going on or were interrupted. Two system calls if there are none.
  [[nodiscard]] Result<std::vector<PendingJournal>> pending() const;
  /// A fresh file for the run, whose name is not durable yet.
  [[nodiscard]] Result<UniqueFd> create(const std::string& run) const;
  /// Those that were created are found after a power cut.
  [[nodiscard]] Result<void> make_found() const;
  /// The file may be appended to.
  [[nodiscard]] Result<UniqueFd> open(const PendingJournal& journal) const;
  /// Staging is over: durable when it returns.
  [[nodiscard]] Result<void> make_ready(const std::string& run) const;
  /// It is over and kept with the run.
  [[nodiscard]] Result<void> keep(const std::string& run, const ledger::Bundle& bundle,
                                  std::uint32_t number) const;
  /// It came to nothing.
  [[nodiscard]] Result<void> discard(const PendingJournal& journal) const;

 private:
  const ledger::StateDir& state_;
};

/// The journals kept with a run, by number.
Result<std::vector<std::uint32_t>> kept_journals(const ledger::Bundle& bundle);
Result<Journal> read_kept_journal(const ledger::Bundle& bundle, std::uint32_t number);

}  // namespace rehearse::promote
