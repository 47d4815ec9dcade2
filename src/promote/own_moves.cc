#include "promote/own_moves.h"

#include <algorithm>

#include "promote/journal_store.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

/// Filesystems stamp with the time of the last timer tick.
constexpr std::int64_t kTick = 10'000'000;

void sort_out(std::vector<std::string>& paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
}

bool has(const std::vector<std::string>& sorted, const std::string& path) {
  return std::binary_search(sorted.begin(), sorted.end(), path);
}

/// The path or one above it.
bool has_above(const std::vector<std::string>& sorted, std::string path) {
  for (; !path.empty(); path = std::string(parent_of(path))) {
    if (has(sorted, path)) return true;
  }
  return false;
}

}  // namespace

Result<OwnMoves> OwnMoves::read(const ledger::Bundle& bundle) {
  OwnMoves moves;
  RH_TRY(moves.restored_, restored_directories(bundle));
  RH_TRY(const auto numbers, kept_journals(bundle));
  for (const std::uint32_t number : numbers) {
    RH_TRY(const Journal journal, read_kept_journal(bundle, number));
    if (journal.stage != Stage::kCommitted) continue;
    One& one = moves.all_.emplace_back();
    one.begun_ns = journal.header.begun_ns;
    one.settled_ns = journal.settled_ns;
    for (const Operation& operation : journal.operations) {
      const std::string& mountpoint = journal.volumes[operation.volume].mountpoint;
      for (const bool from : {true, false}) {
        const Place& place = from ? operation.from : operation.to;
        if (place.area != Area::kHost) continue;
        const std::string top = mountpoint == "/" ? "" : mountpoint;
        const std::string path = place.path.empty() ? mountpoint : top + '/' + place.path;
        const bool sets =
            operation.kind == OperationKind::kAttributes || operation.kind == OperationKind::kRewrite;
        (sets ? one.set : from ? one.taken : one.put).push_back(path);
        const std::string directory(parent_of(path));
        if (!place.path.empty()) one.directories.push_back(directory.empty() ? "/" : directory);
      }
    }
    for (auto* paths : {&one.put, &one.set, &one.taken, &one.directories}) sort_out(*paths);
  }
  return moves;
}

bool OwnMoves::explain(const std::string& path, std::int64_t ctime_ns) const {
  if (const auto restored = restored_.find(path); restored != restored_.end() && restored->second == ctime_ns)
    return true;
  return std::any_of(all_.begin(), all_.end(), [&](const One& one) {
    if (ctime_ns > one.settled_ns) return false;
    if (has_above(one.put, path)) return true;
    return ctime_ns >= one.begun_ns - kTick && (has(one.directories, path) || has(one.set, path));
  });
}

bool OwnMoves::took_away(const std::string& path) const {
  return std::any_of(all_.begin(), all_.end(), [&](const One& one) { return has_above(one.taken, path); });
}

bool OwnMoves::worked_in(const std::string& directory) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const One& one) { return has(one.directories, directory); });
}

}  // namespace rehearse::promote
