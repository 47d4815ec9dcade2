// Puts new objects where one rename brings them into place: on the filesystem where they are to live, with
// all their attributes, verified against the manifest. Nothing of the host changes.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "effects/change.h"
#include "promote/operation.h"
#include "promote/promotion_plan.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Directory in a store for what is kept and for what was made by staging.
inline constexpr const char* kKept = "kept";
/// Directory in a store of its own (not adopted) for copies of new objects.
inline constexpr const char* kNew = "new";
/// File in a store by which it is known again.
inline constexpr const char* kToken = "token";

struct Staged {
  Place place;
  Facts facts;
};

/// Stages for one layer. Where the run's upper lies on the same filesystem its objects are used as they are,
/// without overlayfs's attributes; else they are copied.
class Stager {
 public:
  /// `upper`: the layer's uppers/N. `adopted`: it is the volume's store too. `tag`: a prefix for names in the
  /// store that no earlier promotion of the run has used.
  Stager(std::span<const effects::Change> changes, const LayerPlan& plan, Volume& volume, int upper,
         bool adopted, std::string tag);

  Result<void> prepare();  ///< directories in the store
  /// Copies are held against their records as far as the filesystem keeps times (time_grain.h).
  void keep_times_in(std::int64_t grain_ns) { time_grain_ns_ = grain_ns; }
  /// Looks at those of the run's own objects that are no directories, on several threads: what comes of it is
  /// told when they are staged. `progress`: how many items were seen, on the calling thread. False: copies
  /// are made instead, each when it is staged.
  bool check_ahead(const std::function<void(std::uint64_t)>& progress);
  /// The item of that number in the plan.
  Result<Staged> stage(std::size_t number);

 private:
  Result<Staged> stage_directory(const effects::Change& change);
  Result<Staged> adopt(std::size_t number);
  Result<Staged> copy(const StageItem& item);
  Result<Place> find_in_upper(const StageItem& item);
  Result<void> verify_tree(int dir, const std::string& name, std::size_t change, const std::string& path);
  Result<void> copy_tree(int from, const std::string& name, int to, const std::string& new_name,
                         std::size_t change, const std::string& path);
  Result<void> check_copy(int dir, const std::string& name, const effects::Change& record) const;
  template <class Visit>
  Result<void> each_below(int directory, std::size_t change, const std::string& path, const Visit& visit);
  [[nodiscard]] bool is_whole_directory(const StageItem& item) const;
  Result<Staged> staged(Place place);
  void index();

  std::span<const effects::Change> changes_;
  const LayerPlan& plan_;
  Volume& volume_;
  int upper_;
  bool adopted_;
  std::string tag_;
  std::int64_t time_grain_ns_ = 1;
  ParentCache upper_parents_;
  std::vector<std::optional<Result<struct stat>>> checked_;  ///< ahead, by number
  std::size_t count_ = 0;
  std::unordered_set<std::string> used_;                   ///< places of adopted objects
  std::unordered_map<std::string, std::size_t> now_;       ///< records with an object after, by relative path
  std::unordered_map<std::string, std::size_t> children_;  ///< how many of them a directory holds
  std::string where_;  ///< copy: the place of the item being copied, and its path in the upper
  std::string top_;
  std::unordered_map<std::uint64_t, Place> links_;  ///< staged objects with several names, by upper inode
};

}  // namespace rehearse::promote
