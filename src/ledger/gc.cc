#include "ledger/gc.h"

#include <fcntl.h>
#include <sys/file.h>

#include <map>

#include "base/clock.h"
#include "base/sys.h"
#include "base/tree.h"
#include "ledger/layout.h"

namespace rehearse::ledger {
namespace {

void empty_trash(const StateDir& state, DryRun dry_run, GcReport& report) {
  std::vector<std::string> names;
  auto listed = for_each_name(state.fd(), kTrash, [&](const char* name) -> Result<void> {
    if (is_run_id(name)) names.emplace_back(name);
    return {};
  });
  if (!listed) report.problems.push_back(listed.error().what);
  for (const std::string& name : names) {
    const std::string path = in(kTrash, name);
    // Who removes a bundle holds its lock to the end.
    auto directory = sys::open_beneath(state.fd(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) continue;
    ++report.trash;
    if (dry_run == DryRun::kYes) continue;
    if (auto removed = remove_tree(state.fd(), path.c_str()); !removed)
      report.problems.push_back(removed.error().what);
  }
}

Result<void> remove_run(const StateDir& state, Ledger& ledger, const std::string& id, const GcHooks& hooks) {
  RH_TRY(Bundle bundle, state.open_run(id));
  RH_TRY(const bool mine, bundle.lock_when_over());
  if (!mine) return fail("run " + id + " is in use", ExitCode::kTryLater);
  if (hooks.forget) RH_CHECK(hooks.forget(bundle));
  RH_CHECK(ledger.mark(id, State::kRemoved));
  return bundle.remove();
}

/// What cannot be told is taken for so: then the run stays.
bool holds(const std::function<Result<bool>(const Bundle&)>& asked, const Bundle& bundle, GcReport& report) {
  if (!asked) return false;
  const auto answer = asked(bundle);
  if (!answer) report.problems.push_back("run " + bundle.id() + ": " + answer.error().what);
  return answer.value_or(true);
}

}  // namespace

Result<GcReport> collect_garbage(const StateDir& state, Ledger& ledger, const GcPolicy& policy,
                                 DryRun dry_run, const GcHooks& hooks) {
  GcReport report;
  if (dry_run == DryRun::kYes) {
    RH_TRY(report.interrupted, state.interrupted_runs());
  } else {
    auto collected = collect_interrupted(state, hooks.release);
    if (collected) {
      report.interrupted = std::move(*collected);
    } else {
      report.problems.push_back(collected.error().what);
    }
    RH_CHECK(ledger.take_in_finished());
    RH_CHECK(ledger.reconcile());
  }
  empty_trash(state, dry_run, report);

  Filter filter;
  filter.include_removed = true;
  RH_TRY(const std::vector<Row> rows, ledger.list(filter));
  std::map<std::string, const Row*> by_id;
  for (const Row& row : rows) by_id.emplace(row.id, &row);
  RH_TRY(const std::vector<std::string> ids, state.run_ids());
  std::vector<GcCandidate> candidates;
  std::vector<GcChoice> chosen;
  for (const std::string& id : ids) {
    auto bundle = state.open_run(id);
    if (!bundle) continue;  // removed meanwhile
    auto bytes = bundle->disk_usage();
    if (bytes && hooks.elsewhere) {
      auto more = hooks.elsewhere(*bundle);
      bytes = more ? Result<std::uint64_t>(*bytes + *more) : more;
    }
    if (!bytes) report.problems.push_back("run " + id + ": " + bytes.error().what);
    const auto row = by_id.find(id);
    if (row != by_id.end() && row->second->state == State::kRemoved) {
      chosen.push_back({id, bytes.value_or(0), "removed before", false, false});
      continue;
    }
    GcCandidate candidate;
    candidate.id = id;
    candidate.created_ns = time_of_run(id);
    candidate.bytes = bytes.value_or(0);
    auto mine = bundle->try_lock();
    candidate.live = !bundle->finished() && (!mine || !*mine);
    if (hooks.spared) {
      auto spared = hooks.spared(*bundle);
      if (!spared) report.problems.push_back("run " + id + ": " + spared.error().what);
      candidate.pinned = !spared || !spared->empty();
      if (candidate.pinned)
        report.spared.push_back({id, spared ? std::move(*spared) : std::vector<std::string>()});
    }
    candidate.promoted = holds(hooks.promoted, *bundle, report);
    candidate.approved = holds(hooks.approved, *bundle, report);
    if (candidate.promoted) ++report.promoted;
    if (candidate.approved) ++report.approved;
    report.kept_bytes += candidate.bytes;
    candidates.push_back(std::move(candidate));
  }
  report.kept = candidates.size();
  for (GcChoice& choice : choose_for_gc(std::move(candidates), policy, realtime_ns())) {
    --report.kept;
    report.kept_bytes -= choice.bytes;
    if (choice.promoted) --report.promoted;
    if (choice.approved) --report.approved;
    chosen.push_back(std::move(choice));
  }
  for (GcChoice& choice : chosen) {
    if (dry_run == DryRun::kNo) {
      if (auto removed = remove_run(state, ledger, choice.id, hooks); !removed) {
        report.problems.push_back("run " + choice.id + ": " + removed.error().what);
        continue;
      }
    }
    report.freed_bytes += choice.bytes;
    report.removed.push_back(std::move(choice));
  }
  return report;
}

}  // namespace rehearse::ledger
