#include "promote/preflight.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/sys.h"
#include "base/units.h"

namespace rehearse::promote {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr std::uint32_t kUnchangeable = FS_IMMUTABLE_FL | FS_APPEND_FL;

/// Another object stands where the step puts one: by the plan, or by now, and the operator has named it.
bool takes_place(const Step& step, std::span<const Change> changes,
                 std::span<const std::optional<Facts>> facts) {
  if (step.kind == OperationKind::kExchange) return true;
  return step.kind == OperationKind::kMove && step.stage != Step::kNone && !changes[step.change].before &&
         !facts.empty() && facts[step.change].has_value();
}

/// The object has neither flag: it had none, and nothing of it has changed since (which moves its change
/// time).
bool has_known_flags(const Change& change, const std::optional<Facts>& now) {
  const effects::Attributes& then = *change.before;
  return now && now->ino == then.ino && now->ctime_ns == then.ctime_ns && (then.flags & kUnchangeable) == 0;
}

/// What a copied object needs besides its blocks.
constexpr std::uint64_t kObjectBytes = 4096;

class Preflight {
 public:
  explicit Preflight(const PreflightInput& input) : input_(input) {}

  Result<PreflightReport> check() {
    for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
      RH_CHECK(check_kind(v));
      RH_CHECK(check_own_state(v));
      if (!input_.adopted[v]) RH_CHECK(check_space(v));
    }
    RH_CHECK(check_the_ground());
    RH_CHECK(check_holders());
    return std::move(report_);
  }

 private:
  const LayerPlan& layer(std::size_t v) const { return input_.plan->layers[v]; }
  const Change& change(const Step& step) const { return input_.changes[step.change]; }

  Result<void> check_kind(std::size_t v) {
    struct statfs kind = {};
    if (::fstatfs(input_.volumes[v].root(), &kind) != 0)
      return sys::last_error("statfs", layer(v).mountpoint);
    if (kind.f_type == MSDOS_SUPER_MAGIC || kind.f_type == EXFAT_SUPER_MAGIC)
      return fail(layer(v).mountpoint +
                      " is a FAT filesystem, which keeps neither owners, modes nor exact "
                      "times: what was rehearsed cannot be installed there exactly",
                  ExitCode::kUnavailable,
                  "leave it out: --except " + layer(v).mountpoint + ", and change it by hand");
    return {};
  }

  /// Where an operation takes the object away, or puts another in its place.
  bool displaces(const Step& step) const {
    return takes_place(step, input_.changes, input_.facts) ||
           (step.kind == OperationKind::kMove && step.from.area == Area::kHost);
  }
  const std::string& displaced_path(const Step& step) const {
    return takes_place(step, input_.changes, input_.facts) ? step.to.path : step.from.path;
  }

  Result<void> check_own_state(std::size_t v) {
    for (const Step& step : layer(v).steps) {
      for (const Place* place : {&step.from, &step.to}) {
        if (place->area != Area::kHost || place->path.empty()) continue;
        const std::string shown = input_.volumes[v].shown(*place);
        if (place->path == kStoreDirectory || place->path.starts_with(std::string(kStoreDirectory) + '/') ||
            is_below(shown, input_.state_path))
          return fail(shown + " belongs to rehearse itself", ExitCode::kDataError,
                      "leave it out: --except " + shown);
      }
      if (displaces(step) &&
          is_below(input_.state_path, input_.volumes[v].shown({Area::kHost, displaced_path(step)})))
        return fail(change(step).path + " holds rehearse's own state", ExitCode::kDataError,
                    "leave it out: --except " + change(step).path);
    }
    return {};
  }

  Result<void> check_space(std::size_t v) {
    std::uint64_t bytes = 0;
    std::uint64_t objects = 0;
    std::set<std::uint64_t> counted;
    std::vector<std::string> tops;
    for (const StageItem& item : layer(v).stages) {
      if (input_.changes[item.change].type == FileType::kDir && item.how == StageItem::How::kWhole)
        tops.push_back(input_.changes[item.change].path);
      add_space(input_.changes[item.change], counted, bytes, objects);
    }
    std::sort(tops.begin(), tops.end(), path_less);
    for (const Change& below : input_.changes) {
      if (below.layer != layer(v).layer || !below.after || tops.empty()) continue;
      auto top = std::upper_bound(tops.begin(), tops.end(), below.path, path_less);
      if (top != tops.begin() && below.path != *--top && is_below(below.path, *top))
        add_space(below, counted, bytes, objects);
    }
    return check_free(input_.volumes[v], bytes, objects, Reserve::kLeft, "the new objects");
  }

  static void add_space(const Change& change, std::set<std::uint64_t>& counted, std::uint64_t& bytes,
                        std::uint64_t& objects) {
    if (change.type != FileType::kDir && change.after->nlink > 1 && !counted.insert(change.after->ino).second)
      return;
    // On a filesystem that cannot hold holes it may need more; staging will tell.
    bytes += change.type == FileType::kFile
                 ? std::min(change.after->blocks * 512, change.after->size + kObjectBytes)
                 : kObjectBytes;
    ++objects;
  }

  Result<void> check_the_ground() {
    std::vector<Volume*> volumes;
    for (Volume& volume : input_.volumes) volumes.push_back(&volume);
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < input_.changes.size(); ++i) {
      if (input_.plan->taken[i]) paths.push_back(input_.changes[i].path);
    }
    auto touched = touched_by(*input_.plan, input_.changes, input_.facts);
    RH_TRY(report_.notes, check_ground({volumes, touched, paths, input_.held_open == HeldOpen::kRefuse}));
    report_.touched = std::move(touched);
    return {};
  }

  /// The bytes of a file that keeps its name and has no other can be written into it.
  static bool can_be_rewritten(const Change& change) {
    return change.kind == ChangeKind::kModified && change.type == FileType::kFile &&
           change.before->nlink == 1 && change.after->nlink == 1;
  }

  /// Every object that goes into the store, now or at last. One that is parked there comes back.
  std::vector<Going> find_going(std::set<std::pair<std::size_t, std::string>>& apart) const {
    std::vector<Going> going;
    for (std::size_t v = 0; v < input_.volumes.size(); ++v) {
      std::set<std::size_t> parked;
      for (const Step& step : layer(v).steps) parked.insert(step.parked);
      for (std::size_t s = 0; s < layer(v).steps.size(); ++s) {
        const Step& step = layer(v).steps[s];
        if (!displaces(step)) continue;
        const bool exchanged = takes_place(step, input_.changes, input_.facts);
        if (!exchanged) apart.emplace(v, step.from.path);
        if (!exchanged && (!step.to_kept || parked.contains(s))) continue;
        Going one{v, exchanged ? step.origin : step.from.path};
        if (can_be_rewritten(change(step))) one.rewrite = step.change;
        going.push_back(std::move(one));
      }
    }
    return going;
  }

  Result<void> check_holders() {
    std::set<std::pair<std::size_t, std::string>> apart;
    const auto going = find_going(apart);
    std::vector<Volume*> volumes;
    for (Volume& volume : input_.volumes) volumes.push_back(&volume);
    RH_TRY(HeldAnswer held, ask_who_holds({volumes, going, &apart, input_.held_open,
                                           "--held-open replace (it keeps the old file), --held-open "
                                           "in-place (the new bytes go into the same file)"}));
    for (std::string& note : held.notes) report_.notes.push_back(std::move(note));
    report_.in_place = std::move(held.in_place);
    return {};
  }

  const PreflightInput& input_;
  PreflightReport report_;
};

}  // namespace

std::vector<Touched> touched_by(const Plan& plan, std::span<const Change> changes,
                                std::span<const std::optional<Facts>> facts) {
  std::vector<Touched> touched;
  std::map<std::uint32_t, std::size_t> volume_of;
  const auto add = [&](std::size_t v, const std::string& path, Touched::How how, const Step& step) {
    const bool old = how != Touched::How::kPut && changes[step.change].before && !facts.empty();
    touched.push_back({v, path, how, step.type == FileType::kDir,
                       old && has_known_flags(changes[step.change], facts[step.change])});
  };
  std::vector<bool> has_step(changes.size(), false);
  for (std::size_t v = 0; v < plan.layers.size(); ++v) {
    volume_of.emplace(plan.layers[v].layer, v);
    for (const Step& step : plan.layers[v].steps) {
      if (step.change == Step::kNone) continue;
      has_step[step.change] = true;
      if (step.kind == OperationKind::kAttributes) {
        if (changes[step.change].before) add(v, step.origin, Touched::How::kSet, step);
        continue;
      }
      if (takes_place(step, changes, facts)) {
        add(v, step.origin, Touched::How::kDisplaced, step);
        continue;
      }
      if (step.from.area == Area::kHost) add(v, step.from.path, Touched::How::kDisplaced, step);
      if (step.to.area == Area::kHost) add(v, step.to.path, Touched::How::kPut, step);
    }
  }
  // What goes with its directory has no step of its own.
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto volume = volume_of.find(changes[i].layer);
    if (!plan.taken[i] || has_step[i] || changes[i].kind != ChangeKind::kDeleted || volume == volume_of.end())
      continue;
    if (!facts.empty() && has_known_flags(changes[i], facts[i])) continue;
    touched.push_back(
        {volume->second, plan.origins[i], Touched::How::kSet, changes[i].type == FileType::kDir, false});
  }
  return touched;
}

Result<PreflightReport> check_preflight(const PreflightInput& input) {
  return Preflight(input).check();
}

}  // namespace rehearse::promote
