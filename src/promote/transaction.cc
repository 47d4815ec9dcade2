#include "promote/transaction.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <unordered_set>

#include "base/clock.h"
#include "base/share_out.h"
#include "promote/completion.h"
#include "promote/object_writer.h"
#include "promote/rewrite.h"

namespace rehearse::promote {
namespace {

using effects::FileType;
using What = Look::What;

/// The object that was looked at, and nobody has touched it since.
bool is_expected(const Facts& now, const Facts& facts) {
  if (now.ino != facts.ino) return false;
  return facts.ctime_ns != 0 ? now.ctime_ns == facts.ctime_ns
                             : now.mtime_ns == facts.mtime_ns && now.size == facts.size;
}

}  // namespace

Result<void> Transaction::expect(Site& site, const Operation& operation, End end, const Facts& facts,
                                 bool times) {
  const auto stale = [&](const std::string& why) {
    return fail(site.shown(operation, end) + " " + why, ExitCode::kStale, "rehearse again");
  };
  RH_TRY(const Look look, site.look(operation, end));
  if (look.what == What::kNothing) return stale("is gone");
  if (look.what != What::kObject) return stale("has lost the directory it was in");
  const Facts now = facts_of(look.st);
  if (now.ino != facts.ino) return stale("was replaced meanwhile");
  if (times && !is_expected(now, facts)) return stale("was changed meanwhile");
  return {};
}

/// Compares what is to be taken away while the host is still whole, so that nothing but renames is left for
/// the time in which it is mixed. What changes between here and there is found by `check_displaced`. What an
/// earlier operation brings to its place is not there yet: it is looked at when it is come to.
void Transaction::look_ahead() {
  ahead_.assign(operations_.size(), 0);
  appearances_.assign(operations_.size(), std::nullopt);
  settings_.assign(operations_.size(), Setting::kNotBegun);
  share_out(operations_.size(), [&] {
    return [this, site = Site(volumes_, directories_, Site::By::kPath)](std::size_t i) mutable {
      ahead_[i] = is_ready(site, i) ? 1 : 0;
    };
  });
}

bool Transaction::is_ready(Site& site, std::size_t i) {
  const Operation& operation = operations_[i];
  const bool exchange = operation.kind == OperationKind::kExchange;
  const bool taken = operation.kind == OperationKind::kMove && operation.from.area == Area::kHost &&
                     operation.to.area == Area::kStore;
  if ((!exchange && !taken) || operation.entries || operation.type == FileType::kDir) return false;
  const End end = exchange ? End::kTo : End::kFrom;
  const auto found = site.look(operation, end);
  return found && found->what == What::kObject &&
         is_expected(facts_of(found->st), exchange ? operation.displaced : operation.object) &&
         keep_appearance(site, i, end, found->st) &&
         (!exchange || expect(site, operation, End::kFrom, operation.object, false));
}

/// Keeps what stands at that end, which is about to be taken away, looks like.
Result<void> Transaction::see(std::size_t i, End end) {
  RH_TRY(const Look look, site_.look(operations_[i], end));
  if (look.what != What::kObject) return fail_errno(ENOENT, site_.shown(operations_[i], end));
  return keep_appearance(site_, i, end, look.st);
}

Result<void> Transaction::keep_appearance(Site& site, std::size_t i, End end, const struct stat& st) {
  RH_TRY(const Spot at, site.spot(operations_[i], end));
  RH_TRY(appearances_[i], appearance_of(at.dir, at.name, st));
  return {};
}

/// What is to get new attributes has those that they were made from: else an edit would be overwritten.
Result<void> Transaction::expect_settings(const Operation& operation) {
  if (!operation.before || operation.time_only) return {};
  RH_TRY(const Spot at, site_.spot(operation, End::kTo));
  RH_TRY(Settings now, read_settings(at.dir, at.name, operation.type));
  Settings then = *operation.before;
  then.mtime_ns = now.mtime_ns;  // earlier operations move it
  if (operation.entries && operation.type == FileType::kFile) {
    // A rewrite has taken it away.
    for (Settings* settings : {&now, &then}) settings->xattrs.erase("security.capability");
  }
  if (now == then) return {};
  return fail(site_.shown(operation, End::kTo) + " was changed meanwhile", ExitCode::kStale,
              "rehearse again");
}

Result<void> Transaction::perform_one(std::size_t i) {
  const Operation& operation = operations_[i];
  const bool is_host = operation.from.area == Area::kHost;
  switch (operation.kind) {
    case OperationKind::kMove:
      if (ahead_[i] == 0) {
        RH_CHECK(expect(site_, operation, End::kFrom, operation.object, is_host && !operation.entries));
        if (is_host && operation.to.area == Area::kStore) RH_CHECK(see(i, End::kFrom));
      }
      return site_.rename(operation, End::kFrom, RENAME_NOREPLACE);
    case OperationKind::kExchange:
      if (ahead_[i] == 0) {
        RH_CHECK(expect(site_, operation, End::kTo, operation.displaced, !operation.entries));
        RH_CHECK(see(i, End::kTo));
        RH_CHECK(expect(site_, operation, End::kFrom, operation.object, false));
      }
      return site_.rename(operation, End::kFrom, RENAME_EXCHANGE);
    case OperationKind::kAttributes: {
      if (!operation.after) return {};
      RH_CHECK(
          expect(site_, operation, End::kTo, operation.object,
                 operation.type != FileType::kDir && !operation.entries && operation.from == operation.to));
      RH_CHECK(expect_settings(operation));
      settings_[i] = Setting::kBegun;
      RH_CHECK(give_settings(site_, operation));
      settings_[i] = Setting::kDone;
      return {};
    }
    case OperationKind::kRewrite:
      RH_CHECK(expect(site_, operation, End::kTo, operation.object, true));
      if (auto written = rewrite(site_, operation, operation.from, operation.object.size); !written)
        return with_context(name_full(std::move(written).error(), site_.volume(operation), ""),
                            "writing to " + site_.shown(operation, End::kTo));
      return {};
  }
  return {};
}

Result<void> Transaction::perform(const std::function<void(std::uint64_t)>& progress) {
  look_ahead();
  std::int64_t first = 0;
  for (const Operation& operation : operations_) {
    const bool renames = operation.kind == OperationKind::kMove || operation.kind == OperationKind::kExchange;
    if (renames && first == 0) first = monotonic_ns();
    // Of one that fails half-way, something may have been done.
    ++done_;
    RH_CHECK(perform_one(done_ - 1));
    if (renames) window_ns_ = monotonic_ns() - first;
    if (progress && (done_ & 255U) == 0) progress(done_);
  }
  return {};
}

/// What an operation is not measured by, since others of the list are about the same object.
struct Transaction::Settled {
  std::unordered_set<std::string> moved_on;  ///< out of the store again: parked objects
  /// Objects that this list itself gives attributes, under another of their names.
  std::set<std::pair<std::uint32_t, std::uint64_t>> set;
};

Result<void> Transaction::check_displaced() {
  Settled settled;
  for (const Operation& operation : operations_) {
    if (operation.kind == OperationKind::kMove && operation.from.area == Area::kStore)
      settled.moved_on.insert(std::to_string(operation.volume) + ':' + operation.from.path);
  }
  for (const Operation& operation : operations_) {
    const bool sets = operation.kind == OperationKind::kAttributes && operation.after;
    if (sets || operation.kind == OperationKind::kRewrite)
      settled.set.emplace(operation.volume, operation.object.ino);
  }
  std::vector<Result<void>> checked(operations_.size());
  share_out(operations_.size(), [&] {
    return [&, site = Site(volumes_, directories_, Site::By::kPath)](std::size_t i) mutable {
      checked[i] = check_one_displaced(site, i, settled);
    };
  });
  for (Result<void>& one : checked) RH_CHECK(std::move(one));
  return {};
}

Result<void> Transaction::check_one_displaced(Site& site, std::size_t i, const Settled& settled) const {
  const Operation& operation = operations_[i];
  const bool exchange = operation.kind == OperationKind::kExchange;
  const bool taken = operation.kind == OperationKind::kMove && operation.to.area == Area::kStore;
  if (!exchange && !taken) return {};
  if (taken && settled.moved_on.contains(std::to_string(operation.volume) + ':' + operation.to.path))
    return {};
  const Facts& then = exchange ? operation.displaced : operation.object;
  const End kept = exchange ? End::kFrom : End::kTo;
  RH_TRY(const Look look, site.look(operation, kept));
  const std::string shown = site.shown(operation, exchange ? End::kTo : End::kFrom);
  if (look.what != What::kObject) return fail(shown + " is gone from where it is kept", ExitCode::kFailure);
  const Facts now = facts_of(look.st);
  const bool ours = settled.set.contains({operation.volume, now.ino});
  const bool file = !S_ISDIR(look.st.st_mode) && !operation.entries;
  bool written = now.ino != then.ino || (file && now.size != then.size) ||
                 (file && !ours && now.mtime_ns != then.mtime_ns);
  if (!written && !ours && appearances_[i]) {
    RH_TRY(const Spot at, site.spot(operation, kept));
    RH_TRY(const Appearance appearance, appearance_of(at.dir, at.name, look.st));
    written = appearance != *appearances_[i];
  }
  if (written) return fail(shown + " was changed meanwhile", ExitCode::kStale, "rehearse again");
  return {};
}

Undone Transaction::undo_done(std::int64_t ready_ns) {
  Site noted(volumes_, directories_, Site::By::kNote);
  return Undo(noted, operations_, ready_ns, settings_).run(done_);
}

std::vector<Operation> inverted(std::vector<Operation> operations) {
  std::vector<Operation> back;
  std::vector<Operation> attributes;
  back.reserve(operations.size());
  for (auto operation = operations.rbegin(); operation != operations.rend(); ++operation) {
    Operation one = std::move(*operation);
    // Looked at anew, before it is carried out.
    one.tree.reset();
    one.taken_tree.reset();
    switch (one.kind) {
      case OperationKind::kMove:
        std::swap(one.from, one.to);
        break;
      case OperationKind::kExchange:
        std::swap(one.object, one.displaced);
        std::swap(one.print, one.displaced_print);
        break;
      case OperationKind::kAttributes:
        std::swap(one.before, one.after);
        std::swap(one.from, one.to);
        break;
      case OperationKind::kRewrite:
        std::swap(one.from, one.saved);
        break;
    }
    (one.kind == OperationKind::kAttributes ? attributes : back).push_back(std::move(one));
  }
  back.insert(back.end(), attributes.begin(), attributes.end());
  return back;
}

}  // namespace rehearse::promote
