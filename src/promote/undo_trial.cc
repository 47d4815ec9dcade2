#include "promote/undo_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/units.h"
#include "effects/manifest.h"
#include "ledger/undo_trials.h"
#include "promote/binding.h"
#include "promote/commit.h"
#include "promote/kept_times.h"
#include "promote/promotion_plan.h"
#include "promote/rollback_binding.h"
#include "promote/scratch_layer.h"
#include "promote/transaction.h"
#include "promote/unit_plan.h"

namespace rehearse::promote {
namespace {

/// A stand-in costs about two kilobytes of memory an object, before and after.
constexpr std::size_t kMostChanges = 200'000;

/// The plan as a promotion would make it now.
Result<Plan> plan_of(const FrozenBundle& frozen, std::span<const effects::Change> changes) {
  std::vector<PlanLayer> layers;
  std::map<std::uint32_t, std::string> mountpoints;
  for (const report::LayerRecord& record : frozen.record.layers) {
    layers.push_back({record.index, record.mountpoint});
    mountpoints.emplace(record.index, record.mountpoint);
  }
  std::map<std::uint32_t, std::optional<UsedVolume>> opened;
  const StandsAt stands_at = [&](std::uint32_t layer, const std::string& path,
                                 const effects::Attributes& before) {
    if (!opened.contains(layer)) {
      auto used = use_volume(frozen.bundle, mountpoints[layer], layer);
      opened[layer] = used ? std::optional(std::move(*used)) : std::nullopt;
    }
    if (!opened[layer]) return false;
    const auto st = opened[layer]->volume.find({Area::kHost, path});
    return st && *st && (*st)->st_ino == before.ino;
  };
  return make_plan(changes, layers, {}, stands_at);
}

using Print = std::map<std::string, std::string>;

Result<std::vector<Print>> print_all(std::vector<ScratchLayer>& layers) {
  std::vector<Print> prints;
  for (ScratchLayer& layer : layers) {
    RH_TRY(Print print, layer.print());
    prints.push_back(std::move(print));
  }
  return prints;
}

/// The first path that is not as it was.
std::optional<std::string> difference(const Print& before, const Print& after) {
  for (const auto& [path, facts] : before) {
    const auto found = after.find(path);
    if (found == after.end()) return path + " is not back";
    if (found->second != facts)
      return fmt::format("{} is not as it was: {}, now {}", path, facts, found->second);
  }
  for (const auto& [path, facts] : after) {
    if (!before.contains(path)) return path + " stays behind";
  }
  return std::nullopt;
}

/// As the rollback of what nobody has touched since: whatever it would refuse.
Result<std::optional<std::string>> bind_back(std::span<const effects::Change> changes,
                                             std::span<Volume* const> volumes, std::vector<Operation>& back) {
  RecordedObjects after;
  for (const effects::Change& change : changes) {
    if (change.after) after.emplace(change.path, std::pair(change.type, *change.after));
  }
  Staleness staleness;
  const std::vector<std::string> accept;
  std::vector<std::string> left;
  std::vector<Operation> given_up;
  std::vector<Kept> kept;
  // The objects have no content that could be compared.
  constexpr std::int64_t kSettled = INT64_MAX;
  RH_CHECK(bind_rollback({volumes, std::vector<std::int64_t>(volumes.size(), 1), back, tag_of(0), after,
                          kSettled, accept, left, given_up, kept},
                         staleness));
  if (staleness.moved.empty()) return std::optional<std::string>();
  const Moved& moved = staleness.moved.front();
  return moved.path + " would be refused: then " + moved.then + ", now " + moved.now;
}

/// Returns what stands against it.
Result<std::optional<std::string>> try_it(std::span<const effects::Change> changes, const Plan& plan,
                                          const std::string& run, std::int64_t& took_ns) {
  std::vector<ScratchLayer> layers;
  std::vector<Operation> operations;
  std::vector<std::optional<Facts>> facts(changes.size());
  const std::string tag = tag_of(1);
  for (std::uint32_t v = 0; v < plan.layers.size(); ++v) {
    RH_TRY(ScratchLayer layer, ScratchLayer::make(changes, plan, plan.layers[v], run));
    RH_CHECK(layer.find_facts(facts));
    RH_TRY(const auto staged, layer.stage(tag));
    RH_TRY(auto bound, bind_operations(changes, plan.layers[v], v, layer.volume(), facts, staged, tag, {}));
    operations.insert(operations.end(), std::make_move_iterator(bound.begin()),
                      std::make_move_iterator(bound.end()));
    layers.push_back(std::move(layer));
  }
  RH_TRY(const auto before, print_all(layers));
  std::vector<Volume> volumes;
  const auto lend = [&] {
    for (ScratchLayer& layer : layers) volumes.push_back(std::move(layer.volume()));
  };
  const auto take_home = [&] {
    for (std::size_t v = 0; v < layers.size(); ++v) layers[v].volume() = std::move(volumes[v]);
    volumes.clear();
  };
  lend();
  Transaction there(volumes, operations);
  RH_CHECK(there.perform());
  RH_CHECK(there.check_displaced());
  const std::int64_t started = monotonic_ns();
  std::vector<Operation> back = inverted(operations);
  std::vector<Volume*> lent;
  lent.reserve(volumes.size());
  for (Volume& volume : volumes) lent.push_back(&volume);
  RH_TRY(const auto times, kept_times(lent, back));
  back.insert(back.end(), times.begin(), times.end());
  RH_TRY(auto objection, bind_back(changes, lent, back));
  if (objection) return objection;
  // An object is known by its inode here; nobody else could have touched it.
  for (Operation& operation : back) operation.entries = true;
  Transaction again(volumes, back);
  RH_CHECK(again.perform());
  RH_CHECK(again.check_displaced());
  took_ns = monotonic_ns() - started;
  take_home();
  RH_TRY(const auto after, print_all(layers));
  for (std::size_t v = 0; v < layers.size(); ++v) {
    if (auto text = difference(before[v], after[v]))
      return "below " + plan.layers[v].mountpoint + ": " + *text;
  }
  return std::optional<std::string>();
}

bool lies_in_memory(const report::LayerRecord& layer) {
  return layer.fstype == "tmpfs" || layer.fstype == "ramfs";
}

}  // namespace

std::vector<std::string> irreversible(const report::RunRecord& record,
                                      const std::vector<std::string>& changed_mounts) {
  std::vector<std::string> lines;
  for (const ledger::UnitStep& step : plan_unit_steps(record.units)) {
    if (step.irreversible) lines.push_back("service manager: " + line_of(step));
  }
  std::map<std::string, std::uint64_t> passed;
  for (const report::NetworkRecord& to : record.network) {
    if (to.verdict == "passed" && to.bytes_out != 0)
      passed[to.name.empty() ? fmt::format("{}:{}", to.dst, to.port) : to.name] += to.bytes_out;
  }
  for (const auto& [end, bytes] : passed)
    lines.push_back(fmt::format("network: {} passed to {}", format_bytes(bytes), end));
  for (const report::LayerRecord& layer : record.layers) {
    const bool changed =
        std::find(changed_mounts.begin(), changed_mounts.end(), layer.mountpoint) != changed_mounts.end();
    if (lies_in_memory(layer) && changed)
      lines.push_back("files on " + layer.mountpoint + ", which lies in memory: not after a reboot");
  }
  return lines;
}

Result<report::UndoTrial> untried_undo(const report::RunRecord& record, int manifest_fd) {
  std::set<std::uint32_t> changed;
  const bool matters = std::ranges::any_of(
      record.layers, [](const report::LayerRecord& layer) { return lies_in_memory(layer); });
  if (matters && manifest_fd >= 0)
    RH_CHECK(effects::read_manifest(manifest_fd, [&changed](const effects::Change& change) {
      if (change.kind != effects::ChangeKind::kIdentical) changed.insert(change.layer);
      return true;
    }));
  std::vector<std::string> mounts;
  for (const report::LayerRecord& layer : record.layers)
    if (changed.contains(layer.index)) mounts.push_back(layer.mountpoint);
  report::UndoTrial trial;
  trial.irreversible = irreversible(record, mounts);
  return trial;
}

report::UndoTrial try_undo(const FrozenBundle& frozen) {
  report::UndoTrial trial;
  trial.tried_ns = realtime_ns();
  std::vector<std::string> mounts;
  const auto tried = [&]() -> Result<std::optional<std::string>> {
    if (frozen.changes.size() > kMostChanges)
      return fail(fmt::format("{} changes are too many to try it on a stand-in", frozen.changes.size()));
    RH_TRY(const auto changes, portable(frozen.changes));
    RH_TRY(const Plan plan, plan_of(frozen, changes));
    for (const LayerPlan& layer : plan.layers) mounts.push_back(layer.mountpoint);
    return try_it(changes, plan, frozen.record.id, trial.took_ns);
  }();
  trial.verified = tried && !*tried;
  if (!tried)
    trial.why = tried.error().what;
  else if (*tried)
    trial.why = **tried;
  trial.irreversible = irreversible(frozen.record, mounts);
  return trial;
}

Result<report::UndoTrial> known_undo(const ledger::StateDir& state, const FrozenBundle& frozen) {
  const report::RunRecord& record = frozen.record;
  RH_TRY(auto known, ledger::undo_trial_of(state, record.id, record.digest));
  if (known && known->verified) return std::move(*known);
  report::UndoTrial trial = try_undo(frozen);
  RH_CHECK(ledger::put_undo_trial(state, record.id, record.digest, trial));
  return trial;
}

}  // namespace rehearse::promote
