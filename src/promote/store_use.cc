#include "promote/store_use.h"

#include <algorithm>
#include <vector>

#include "promote/in_effect.h"
#include "promote/journal_store.h"
#include "promote/selection.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

/// "new/p1-0" of "new/p1-0/below/it": staging and keeping give names to no more than that.
std::string name_of(const std::string& path) {
  const auto slash = path.find('/');
  return path.substr(0, slash == std::string::npos ? slash : path.find('/', slash + 1));
}

}  // namespace

Result<StoreUse> StoreUse::read(const ledger::Bundle& bundle, const Journal* latest) {
  StoreUse use;
  RH_TRY(const auto numbers, kept_journals(bundle));
  for (const std::uint32_t number : numbers) {
    RH_TRY(const Journal journal, read_kept_journal(bundle, number));
    use.take_kept(journal);
    if (journal.header.kind != JournalKind::kPromotion || journal.stage != Stage::kCommitted) continue;
    RH_TRY(const auto in_effect, find_in_effect(bundle, journal, numbers, latest));
    use.take_promotion(journal, in_effect);
  }
  if (latest != nullptr) use.take_kept(*latest);
  return use;
}

void StoreUse::take(const JournalVolume& volume, const Place& place) {
  if (place.area == Area::kStore && !place.path.empty()) names_.emplace(volume.token, name_of(place.path));
}

void StoreUse::take_promotion(const Journal& promotion, const std::vector<bool>& in_effect) {
  bool any = false;
  for (std::size_t i = 0; i < promotion.operations.size(); ++i) {
    const Operation& operation = promotion.operations[i];
    if (!in_effect[i] || keeps_time(operation)) continue;
    any = true;
    const JournalVolume& volume = promotion.volumes[operation.volume];
    for (const Place* place : {&operation.from, &operation.to, &operation.saved}) take(volume, *place);
    const bool renames = operation.kind == OperationKind::kMove || operation.kind == OperationKind::kExchange;
    if (renames && operation.from.area == Area::kStore) put_.emplace(volume.token, operation.to.path);
  }
  if (!any) return;
  for (const JournalVolume& volume : promotion.volumes) stores_.insert(volume.token);
}

void StoreUse::take_kept(const Journal& journal) {
  for (const Kept& kept : journal.kept) {
    if (journal.stage != Stage::kCommitted) break;
    const std::string& token = journal.volumes[kept.volume].token;
    names_.emplace(token, name_of(kept.path));
    kept_.emplace(token, kept.path);
  }
  // It does not say where: any of its places may be the one.
  if (journal.stage != Stage::kUndoneKept) return;
  for (const Operation& operation : journal.operations) {
    const JournalVolume& volume = journal.volumes[operation.volume];
    for (const Place* place : {&operation.from, &operation.to, &operation.saved}) take(volume, *place);
    if (operation.from.area == Area::kStore) undone_.emplace(volume.token, operation.from.path);
  }
}

bool StoreUse::keeps_below(const std::string& token, std::string_view path) const {
  return std::ranges::any_of(
      kept_, [&](const Named& one) { return one.first == token && is_below(one.second, path); });
}

bool StoreUse::has_put_above(const std::string& token, std::string_view path) const {
  for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
    if (has_put(token, std::string(at))) return true;
  }
  return false;
}

}  // namespace rehearse::promote
