#include "promote/recover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/sys.h"
#include "ledger/decisions.h"
#include "promote/commit.h"
#include "promote/completion.h"
#include "promote/journal_store.h"
#include "promote/kept_aside.h"
#include "promote/outgoing.h"
#include "promote/restored.h"
#include "promote/undo.h"
#include "promote/unit_work.h"

namespace rehearse::promote {
namespace {

class Recovery {
 public:
  Recovery(const ledger::StateDir& state, PendingJournal pending)
      : state_(state), journals_(state), pending_(std::move(pending)) {}

  Result<Recovered> run() {
    result_.id = pending_.run;
    auto bundle = state_.open_run(pending_.run);
    if (!bundle) {
      if (pending_.ready) return tl::make_unexpected(std::move(bundle).error());
      RH_CHECK(journals_.discard(pending_));
      return std::move(result_);
    }
    RH_TRY(const UniqueFd file, journals_.open(pending_));
    auto journal = read_journal(file.get());
    if (!journal) {
      // Not even its first record was durable: nothing had been done.
      if (pending_.ready || journal.error().err != ENODATA)
        return tl::make_unexpected(std::move(journal).error());
      RH_CHECK(journals_.discard(pending_));
      return std::move(result_);
    }
    journal_ = std::move(*journal);
    if (journal_.header.run != pending_.run)
      return fail("the journal of run " + pending_.run + " is that of another run", ExitCode::kDataError);
    result_.id = pending_.run + '/' + std::to_string(journal_.header.number);
    // Without the other name nothing was renamed, whatever is marked; its store may be cleaned up already.
    if (!pending_.ready) journal_.stage = Stage::kPreparing;
    RH_TRY(auto found, find_volumes(journal_, *bundle, "rehearse recover"));
    if (!pending_.ready) return take_back_staging(*bundle, found);
    if (journal_.stage == Stage::kPreparing)
      return fail("the journal of run " + pending_.run + " is damaged: its list of operations is not whole",
                  ExitCode::kRollbackIncomplete, "compare the host with: rehearse show " + pending_.run);
    return take_up(*bundle, found);
  }

 private:
  Result<Recovered> take_back_staging(const ledger::Bundle& bundle, FoundVolumes& found) {
    const auto use = StoreUse::read(bundle);
    for (std::size_t v = 0; use && v < found.volumes.size(); ++v) {
      if (found.gone[v]) {
        tell_left_behind(bundle, found.volumes[v]);
        RH_CHECK(remove_half_made(found.volumes[v], *use));
      } else {
        RH_CHECK(clean_up(found.volumes[v], pending_.run, journal_.header.number, *use));
      }
    }
    RH_CHECK(forget_unkept(bundle));
    RH_CHECK(give_back("interrupted while it was prepared"));
    RH_CHECK(journals_.discard(pending_));
    result_.way = Recovered::Way::kBack;
    return std::move(result_);
  }

  /// Unless its store was not made yet, something may lie on a filesystem that is not there now.
  void tell_left_behind(const ledger::Bundle& bundle, const UsedVolume& used) {
    if (used.entry.adopted) return;
    struct stat root = {};
    if (used.volume.root() >= 0 && ::fstat(used.volume.root(), &root) == 0 &&
        root.st_ino == used.entry.root_inode)
      return;
    result_.notes.push_back("the filesystem that was at " + used.entry.mountpoint +
                            " is not mounted: what was prepared in its .rehearse/" + pending_.run +
                            "/new as " + tag_of(journal_.header.number) +
                            "* stays until the run is promoted again or, when that is mounted, removed");
    if (auto noted = note_left_behind(bundle, used.entry.mountpoint); !noted)
      result_.notes.push_back("rm and gc will not find it, as this could not be written down: " +
                              noted.error().what);
  }

  /// A store that was made and got no token yet, or none that outlived a power cut.
  Result<void> remove_half_made(UsedVolume& used, const StoreUse& use) {
    if (used.volume.root() < 0) return {};
    if (!used.entry.adopted && !used.volume.open_store(pending_.run)) {
      (void)sys::unlink_at(used.volume.root(), kStoreDirectory, AT_REMOVEDIR);
      return {};
    }
    return clean_up(used, pending_.run, journal_.header.number, use);
  }

  Result<Recovered> take_up(const ledger::Bundle& bundle, FoundVolumes& found) {
    // Operations on filesystems that are gone with a reboot are void.
    std::vector<Volume> volumes;
    std::vector<std::uint32_t> index(found.volumes.size(), 0);
    for (std::size_t v = 0; v < found.volumes.size(); ++v) {
      index[v] = static_cast<std::uint32_t>(volumes.size());
      if (!found.gone[v]) volumes.push_back(std::move(found.volumes[v].volume));
    }
    std::vector<Operation> operations;
    for (const Operation& operation : journal_.operations) {
      if (found.gone[operation.volume]) continue;
      operations.push_back(operation);
      operations.back().volume = index[operation.volume];
    }
    Site site(volumes, journal_.directories, Site::By::kNote);
    bool forward = journal_.stage == Stage::kCommitted;
    if (journal_.stage == Stage::kReady) {
      RH_TRY(forward, is_over(site, operations, volumes));
    }
    // What is kept is named again.
    if (journal_.stage == Stage::kReady || journal_.stage == Stage::kUndoing ||
        journal_.stage == Stage::kUndoneKept) {
      RH_CHECK(forward ? finish(site, operations, volumes) : undo(bundle, site, operations, volumes));
      if (result_.way == Recovered::Way::kFailed) return std::move(result_);
    }
    for (std::size_t v = 0; v < found.volumes.size(); ++v) {
      if (found.gone[v]) continue;
      found.volumes[v].volume = std::move(volumes[index[v]]);
      if (forward)
        finish_committed(found.volumes[v], static_cast<std::uint32_t>(v), journal_.header,
                         journal_.operations);
    }
    // A rollback takes along what its promotion had staged.
    if (forward && journal_.header.kind == JournalKind::kRollback)
      RH_CHECK(clean_up_all(bundle, found, journal_.header.of, &journal_));
    if (!forward && journal_.stage == Stage::kUndone)
      RH_CHECK(clean_up_all(bundle, found, journal_.header.number, nullptr));
    result_.way = forward ? Recovered::Way::kForward : Recovered::Way::kBack;
    if (!forward) {
      note_what_is_restored(bundle, found);
      RH_CHECK(forget_unkept(bundle));
      RH_CHECK(give_back("interrupted; undone by recovery"));
      // What is kept in a store is this journal's: its number is not given out again.
      RH_CHECK(journal_.stage == Stage::kUndoneKept
                   ? journals_.keep(pending_.run, bundle, journal_.header.number)
                   : journals_.discard(pending_));
      return std::move(result_);
    }
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state_));
    RH_CHECK(decisions.end(result_.id, "done", "interrupted at its very end; finished by recovery",
                           realtime_ns()));
    RH_TRY(result_.units, name_interrupted_units(state_, result_.id));
    RH_CHECK(journals_.keep(pending_.run, bundle, journal_.header.number));
    return std::move(result_);
  }

  /// Everything is done, and nobody has changed what was taken away: he would not find it again.
  Result<bool> is_over(Site& site, std::span<const Operation> operations, std::span<Volume> volumes) const {
    RH_TRY(const bool done, all_done(site, operations, journal_.ready_ns));
    if (!done) return false;
    RH_TRY(const bool untouched, are_untouched(site, operations));
    if (!untouched) return false;
    const auto unchanged = check_outgoing(volumes, operations, 0);
    if (!unchanged && unchanged.error().exit != ExitCode::kStale)
      return tl::make_unexpected(unchanged.error());
    return unchanged.has_value();
  }

  /// Without it the run is only said to be stale where it is not.
  void note_what_is_restored(const ledger::Bundle& bundle, FoundVolumes& found) const {
    std::vector<Volume*> volumes;
    for (std::size_t v = 0; v < found.volumes.size(); ++v)
      volumes.push_back(found.gone[v] ? nullptr : &found.volumes[v].volume);
    (void)note_restored(bundle, volumes, journal_.directories);
  }

  /// Where it cannot be told what is in use all of it stays.
  Result<void> clean_up_all(const ledger::Bundle& bundle, FoundVolumes& found, std::uint32_t number,
                            const Journal* latest) {
    const auto use = StoreUse::read(bundle, latest);
    for (std::size_t v = 0; use && v < found.volumes.size(); ++v) {
      if (!found.gone[v]) RH_CHECK(clean_up(found.volumes[v], pending_.run, number, *use));
    }
    return {};
  }

  Result<void> finish(Site& site, std::span<const Operation> operations, std::vector<Volume>& volumes) {
    RH_CHECK(give_times(site, operations, journal_.ready_ns));
    RH_CHECK(sync_all(volumes));
    // What was changed since it was interrupted may be somebody's.
    return mark(Stage::kCommitted, journal_.ready_ns);
  }

  Result<void> undo(const ledger::Bundle& bundle, Site& site, std::span<const Operation> operations,
                    std::vector<Volume>& volumes) {
    // If it cannot be written, the next one goes by where everything stands then.
    if (journal_.stage == Stage::kReady) (void)mark(Stage::kUndoing);
    Undone undone = Undo(site, operations, journal_.ready_ns).run(operations.size());
    for (const auto* lines : {&undone.kept, &undone.left, &undone.failed})
      result_.notes.insert(result_.notes.end(), lines->begin(), lines->end());
    if (!undone.failed.empty()) {
      result_.way = Recovered::Way::kFailed;
      return {};
    }
    RH_CHECK(sync_all(volumes));
    RH_CHECK(note_kept(bundle, undone.kept));
    return mark(undone.kept.empty() ? Stage::kUndone : Stage::kUndoneKept);
  }

  static Result<void> sync_all(std::vector<Volume>& volumes) {
    for (Volume& volume : volumes) RH_CHECK(sys::sync_filesystem(volume.store()));
    return {};
  }

  Result<void> mark(Stage stage) { return mark(stage, realtime_ns()); }
  Result<void> mark(Stage stage, std::int64_t at_ns) {
    RH_TRY(UniqueFd file, journals_.open(pending_));
    RH_TRY(JournalWriter writer, JournalWriter::reopen(std::move(file)));
    RH_CHECK(writer.mark(stage, at_ns));
    journal_.stage = stage;
    return {};
  }

  /// What a rollback was to keep aside has its place again.
  Result<void> forget_unkept(const ledger::Bundle& bundle) const {
    if (journal_.kept.empty()) return {};
    RH_TRY(auto lines, kept_aside(bundle));
    std::erase_if(lines, [this](const std::string& line) {
      return std::ranges::any_of(journal_.kept, [&](const Kept& kept) { return kept.line == line; });
    });
    return note_only_kept(bundle, lines);
  }

  Result<void> give_back(const char* why) {
    RH_TRY(ledger::Decisions decisions, ledger::Decisions::open(state_));
    // Recovery asks the service manager for nothing: what was stopped for this one stays so, and is named.
    if (auto asked = name_early_units(state_, result_.id)) result_.units = std::move(*asked);
    UnitWork::withdraw(state_, result_.id);
    RH_CHECK(decisions.release(result_.id));
    return decisions.end(result_.id, "rolled back", why, realtime_ns());
  }

  const ledger::StateDir& state_;
  JournalStore journals_;
  PendingJournal pending_;
  Journal journal_;
  Recovered result_;
};

}  // namespace

Result<bool> anything_pending(const ledger::StateDir& state) {
  RH_TRY(const auto pending, JournalStore(state).pending());
  return !pending.empty();
}

Result<std::vector<Recovered>> recover_all(const ledger::StateDir& state, const HostLock& /*lock*/) {
  std::vector<Recovered> all;
  RH_TRY(const auto pending, JournalStore(state).pending());
  for (const PendingJournal& one : pending) {
    auto recovered = Recovery(state, one).run();
    if (!recovered) return with_context(recovered.error(), "recovering run " + one.run);
    all.push_back(std::move(*recovered));
  }
  return all;
}

}  // namespace rehearse::promote
