// The change set: what the uppers of a run say happened to files, against the host's own objects below.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "effects/layer.h"
#include "effects/manifest.h"

namespace rehearse::effects {

struct Counts {
  std::uint64_t created = 0;
  std::uint64_t modified = 0;
  std::uint64_t deleted = 0;
  std::uint64_t metadata = 0;
  std::uint64_t renamed = 0;
  std::uint64_t type = 0;
  std::uint64_t identical = 0;
  [[nodiscard]] std::uint64_t total() const {
    return created + modified + deleted + metadata + renamed + type + identical;
  }
};

/// What a layer holds would not find room on the host.
struct Overfull {
  std::string mountpoint;
  std::uint64_t more_bytes = 0;  ///< that are allocated after the action
  std::uint64_t free_bytes = 0;
  std::uint64_t more_files = 0;
  std::uint64_t free_files = 0;  ///< inodes; of filesystems that have any number, the greatest
};

struct ChangeSet {
  Counts counts;
  Sha256 root = {};
  std::uint64_t written_bytes = 0;  ///< allocated in the uppers by the action (blocks * 512, each inode once)
  std::uint64_t base_moved =
      0;                     ///< records whose host object changed after the run began: see is_others_time
  std::uint64_t masked = 0;  ///< records over masked files
  std::vector<Overfull> overfull;
  std::set<std::uint32_t> layers;  ///< numbers of those in which something changed
  /// Written files that lost setuid or setgid bits (the first of them). Root of a user namespace loses them
  /// by writing (setattr_should_drop_suidgid, capable(CAP_FSETID)); the host's root would not have.
  std::vector<std::string> setid_lost;
  std::vector<std::string> missing;  ///< of those below, what makes the list of changes lack something
  std::vector<std::string>
      unobserved;  ///< what could not be read or understood, each a line for fidelity: never green
};

struct ChangeSetOptions {
  std::int64_t started_ns = 0;         ///< CLOCK_REALTIME when the action was started
  std::int64_t earliest_stamp_ns = 0;  ///< the earliest time that a file changed since then can have
  std::int64_t finished_ns = 0;        ///< CLOCK_REALTIME when it had ended
  int cache = -1;        ///< directory of root's own for what helps the next run; borrowed, optional
  unsigned threads = 0;  ///< 0: one per online CPU
  /// Called from the calling thread for each record, in manifest order.
  std::function<void(const Change&)> observe;
  /// Called now and then from the calling thread with the number of records so far.
  std::function<void(std::uint64_t)> progress;
};

/// Walks all layers by descriptor, never by path string; opens no FIFO, device or socket; crosses no mount.
/// Records go to `out` in manifest order; memory is bounded by the depth of the tree, the number of renames
/// and the package index, not by the number of changes. `layers` should be ordered by mount point.
Result<ChangeSet> collect_changes(std::span<const Layer> layers, const ChangeSetOptions& options,
                                  ManifestWriter& out);

}  // namespace rehearse::effects
