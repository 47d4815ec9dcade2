// Has the host moved since the rehearsal? Compares what the action wrote over and what its result rests on
// with what is there now. Changes nothing.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "effects/change.h"
#include "effects/read_list.h"
#include "promote/operation.h"
#include "promote/own_moves.h"
#include "promote/promotion_plan.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// One fact that is not as it was.
struct Moved {
  std::string path;
  std::string use;    ///< "written", "read", "listed", "executed", "looked at", "looked for", "on its mount"
  std::string then;   ///< what it was
  std::string now;    ///< what it is
  std::string owner;  ///< package that owns the path, or "uid N"; empty if there is nothing
  /// The operator may name it and have it overwritten; else something would go that nobody has rehearsed to.
  bool acceptable = true;
};

struct Staleness {
  std::vector<Moved> moved;
  std::vector<LeftOut> ignored;       ///< facts that were not compared, and why
  std::vector<std::string> accepted;  ///< facts that have moved and that the operator named
  std::set<std::string> matching;     ///< globs that something was left out by, or would have been
};

/// A line for each path that the operator named for nothing, raw: a slip, mostly.
void note_idle_accepts(std::span<const std::string> accept, const Staleness& result,
                       std::vector<std::string>& notes);

/// Paths that change without mattering.
struct StaleIgnore {
  std::string glob;  ///< path glob; `**` crosses slashes
  std::string by;    ///< whose word that is: "built in", "policy", "--stale-ignore"
};

struct StalenessRules;
/// A line for each glob that the operator gave for nothing, raw.
void note_idle_globs(const StalenessRules& rules, const Staleness& result, std::vector<std::string>& notes);

/// What is compared and what is not.
struct StalenessRules {
  std::vector<std::string>
      accept;  ///< absolute paths that the operator named; what is below them is meant too
  std::vector<StaleIgnore> ignore;
  bool other_boot = false;  ///< the run is of another one: its device numbers say nothing about today's
  OwnMoves own;             ///< what promotions and rollbacks of the run itself have moved
};

/// Paths that change without anybody doing anything: logs, caches, who is logged in.
std::vector<StaleIgnore> default_stale_ignore();

/// `path` is matched by the path glob: `*` within a component, `**` across, `?`.
bool glob_matches(std::string_view glob, std::string_view path);

/// The write set. `facts[i]` gets what stands now where record `i` found its object; nothing where nothing is
/// to be. `volumes[v]` is the volume of layer `plan.layers[v]`.
Result<void> check_written(std::span<const effects::Change> changes, const Plan& plan,
                           std::span<Volume> volumes, const StalenessRules& rules,
                           std::vector<std::optional<Facts>>& facts, Staleness& result);

/// What the paths of the read set have to be understood by: they are as the action saw them.
struct ReadContext {
  /// New and old path of each renamed object: what was read below the new one after the rename stood below
  /// the old one on the host.
  std::vector<std::pair<std::string, std::string>> renamed;
  /// Path and target of each symlink that the action made.
  std::vector<std::pair<std::string, std::string>> links;
  std::int64_t since_ns = 0;  ///< CLOCK_REALTIME when the rehearsal began
  /// Mount points of the run's layers, whose own roots the action saw instead of the host's.
  std::vector<std::string> roots;
  /// Paths of the write set that were compared with the host and have not moved.
  std::set<std::string> unmoved;
  /// Of these the directories that stay where they are: what they hold was not compared.
  std::set<std::string> staying;
  /// Device and inode of these objects: one that was read under a name of the action's own making has no path
  /// on the host, and was compared all the same.
  std::set<std::pair<std::uint64_t, std::uint64_t>> compared;
};

/// The read set, against the host's root directory.
Result<void> check_reads(std::span<const effects::HostRead> reads, const ReadContext& context,
                         const StalenessRules& rules, Staleness& result);

/// For a run without a trace: everything on these mounts whose change time is later than `since_ns`, without
/// what the plan itself is about; of a mount's root its modification time, as rehearse's own store lies
/// there.
Result<void> check_mounts(std::span<const effects::Change> changes, const Plan& plan,
                          std::span<Volume> volumes, std::int64_t since_ns, const StalenessRules& rules,
                          const std::string& state_path, Staleness& result);

}  // namespace rehearse::promote
