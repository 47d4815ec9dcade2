#include "promote/in_effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "promote/journal_store.h"

namespace rehearse::promote {

std::string mark_of(const Operation& operation, bool inverted) {
  const bool swapped =
      inverted && (operation.kind == OperationKind::kMove || operation.kind == OperationKind::kAttributes);
  const Place& from = swapped ? operation.to : operation.from;
  const Place& to = swapped ? operation.from : operation.to;
  // A rewrite has its two sources exchanged.
  const bool rewrite = operation.kind == OperationKind::kRewrite;
  return fmt::format("{}:{}>{}", static_cast<int>(operation.kind), rewrite ? "" : place_key(operation, from),
                     place_key(operation, to));
}

bool keeps_time(const Operation& operation) {
  return operation.time_only && operation.before && operation.before == operation.after;
}

namespace {

/// Adds the marks of what a later journal has taken back or given up of the promotion.
void take_over(const Journal& later, const Journal& promotion, std::set<std::string>& over) {
  if (later.header.kind != JournalKind::kRollback || later.stage != Stage::kCommitted ||
      later.header.of != promotion.header.number)
    return;
  over.insert(later.given_up.begin(), later.given_up.end());
  for (const Operation& operation : later.operations) {
    if (keeps_time(operation)) continue;
    over.insert(mark_of(operation, true));
    // Put back where nothing was any more, or in exchange for what somebody had put there.
    if (operation.from.area != Area::kStore || operation.to.area != Area::kHost) continue;
    Operation other = operation;
    other.kind = operation.kind == OperationKind::kMove ? OperationKind::kExchange : OperationKind::kMove;
    over.insert(mark_of(other, true));
  }
}

}  // namespace

Result<std::vector<bool>> find_in_effect(const ledger::Bundle& bundle, const Journal& promotion,
                                         std::span<const std::uint32_t> numbers, const Journal* latest) {
  std::set<std::string> over;
  for (const std::uint32_t number : numbers) {
    if (number <= promotion.header.number) continue;
    RH_TRY(const Journal later, read_kept_journal(bundle, number));
    take_over(later, promotion, over);
  }
  if (latest != nullptr) take_over(*latest, promotion, over);
  std::vector<bool> in_effect;
  for (const Operation& operation : promotion.operations)
    in_effect.push_back(!over.contains(mark_of(operation, false)));
  return in_effect;
}

bool has_files(const Journal& promotion, const std::vector<bool>& in_effect) {
  for (std::size_t i = 0; i < in_effect.size(); ++i)
    if (in_effect[i] && !keeps_time(promotion.operations[i])) return true;
  return false;
}

namespace {

/// The newest promotion of which `holds` says so, with what of it is in effect.
template <class Holds>
Result<std::optional<JournalHeader>> find_promotion(const ledger::Bundle& bundle, const Holds& holds) {
  RH_TRY(const auto numbers, kept_journals(bundle));
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    RH_TRY(const Journal journal, read_kept_journal(bundle, *number));
    if (journal.header.kind != JournalKind::kPromotion || journal.stage != Stage::kCommitted) continue;
    RH_TRY(const auto in_effect, find_in_effect(bundle, journal, numbers));
    if (has_files(journal, in_effect) && holds(journal, in_effect)) return std::optional(journal.header);
  }
  return std::optional<JournalHeader>();
}

}  // namespace

Result<bool> is_in_effect(const ledger::Bundle& bundle) {
  RH_TRY(const auto found, find_promotion(bundle, [](const auto&, const auto&) { return true; }));
  return found.has_value();
}

Result<std::string> find_whole_in_effect(const ledger::Bundle& bundle) {
  const auto whole = [](const Journal& journal, const std::vector<bool>& in_effect) {
    return journal.header.whole && std::ranges::find(in_effect, false) == in_effect.end();
  };
  RH_TRY(const auto found, find_promotion(bundle, whole));
  return found ? fmt::format("{}/{}", found->run, found->number) : std::string();
}

}  // namespace rehearse::promote
