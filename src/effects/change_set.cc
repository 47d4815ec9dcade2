#include "effects/change_set.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_set>

#include "base/sys.h"
#include "effects/allocation.h"
#include "effects/attributes.h"
#include "effects/copied_time.h"
#include "effects/layer_walk.h"
#include "effects/link_aliases.h"
#include "effects/ordered_pool.h"
#include "effects/overlay.h"
#include "effects/package_index.h"

namespace rehearse::effects {
namespace {

constexpr std::size_t kMaxUnobserved = 100;

/// What a worker makes of a Pair: a record, or trouble.
struct Outcome {
  std::optional<Change> change;
  std::string trouble;
  std::string host;                   ///< where the host has what was there before, if that is another path
  std::optional<struct stat> origin;  ///< what a hard-linked upper object was copied from
  std::uint64_t blocks = 0;           ///< of the upper object
  std::uint64_t inode = 0;            ///< of one with several names, to count its blocks once
  bool is_other_object = false;       ///< of as many names: whether of the same ones, all names together tell
};

/// It is an effect after all.
void make_metadata(Change& change, const char* word) {
  std::erase(change.also, "touched");
  if (std::ranges::find(change.also, word) == change.also.end()) change.also.emplace_back(word);
  if (change.kind == ChangeKind::kIdentical) change.kind = ChangeKind::kMetadata;
}

class Comparer {
 public:
  Comparer(const Layer& layer, const ChangeSetOptions& options)
      : layer_(layer), options_(options), window_{options.earliest_stamp_ns, options.finished_ns} {}

  void operator()(Pair& pair, std::vector<Outcome>& outcomes) const {
    Outcome outcome;
    if (auto done = compare_pair(pair, outcome); !done)
      outcome.trouble = pair.path + ": " + done.error().what;
    if (pair.after && pair.after->st) {
      const struct stat& st = *pair.after->st;
      if (st.st_nlink > 1 && !S_ISDIR(st.st_mode)) outcome.inode = st.st_ino;
      outcome.blocks = static_cast<std::uint64_t>(st.st_blocks);
      if (pair.after->name == ".") outcome.blocks -= std::min(outcome.blocks, layer_.root_blocks);
    }
    outcomes.push_back(std::move(outcome));
  }

  [[nodiscard]] Result<Change> compare_alias(const LinkAlias& alias) const {
    Change change;
    change.path = alias.path;
    change.layer = layer_.number;
    change.masked = alias.masked;
    change.type = file_type(alias.st);
    std::optional<struct stat> st = alias.st;
    RH_TRY(change.before, read_attributes(alias.directory->get(), alias.name.c_str(), st,
                                          alias.masked ? Content::kSkip : Content::kHash));
    change.base_moved = change.before->ctime_ns > options_.started_ns;
    change.after = alias.after;
    change.kind = classify(change, false, window_).value_or(ChangeKind::kIdentical);
    if (change.before->nlink == change.after->nlink) change.also.emplace_back("hardlink");
    compare_allocation(alias.directory->get(), alias.name, layer_.index.get(), alias.object, change);
    return change;
  }

 private:
  Result<void> compare_pair(Pair& pair, Outcome& outcome) const {
    Change change;
    change.path = std::move(pair.path);
    change.from = pair.from;
    change.layer = layer_.number;
    change.masked = pair.masked;
    struct Restore {  // for the caller's error line
      Pair& pair;
      Change& change;
      ~Restore() {
        if (pair.path.empty()) pair.path = change.path;
      }
    } restore{pair, change};
    if (pair.before) {
      RH_TRY(change.before, read_attributes(pair.before->directory->get(), pair.before->name.c_str(),
                                            pair.before->st, pair.masked ? Content::kSkip : Content::kHash));
      change.base_moved = change.before->ctime_ns > options_.started_ns;
    }
    if (pair.after) {
      RH_TRY(change.after, read_attributes(pair.after->directory->get(), pair.after->name.c_str(),
                                           pair.after->st, Content::kHash, Store::kUpper));
      if (change.after->link_group) count_links(*pair.after, *change.after, outcome);
      if (change.before) keep_what_was_not_shown(change);
    }
    change.type = file_type(*(pair.after ? pair.after->st : pair.before->st));
    RH_CHECK(digest_alike(pair, change));
    if (!pair.before) {
      change.kind = ChangeKind::kCreated;
    } else if (!pair.after) {
      change.kind = ChangeKind::kDeleted;
    } else if (file_type(*pair.before->st) != change.type) {
      change.kind = ChangeKind::kType;
    } else {
      const auto kind = classify(change, pair.replaced, window_);
      if (!kind) return {};
      change.kind = *kind;
      compare_links(*pair.after, change, outcome);
      compare_allocation(pair.before->directory->get(), pair.before->name, pair.after->directory->get(),
                         pair.after->name, change);
      if (is_only_a_time(change) && has_copied_time(pair, change, options_.earliest_stamp_ns)) return {};
    }
    outcome.host = std::move(pair.from.empty() ? pair.host : pair.from);
    outcome.change = std::move(change);
    return {};
  }

  /// What was a hole may be zeros now, or the other way round: then one digest says nothing of the other.
  static Result<void> digest_alike(Pair& pair, Change& change) {
    if (!change.before || !change.after || !change.before->sha256 || !change.after->sha256 ||
        change.before->sparse == change.after->sparse || change.before->size != change.after->size)
      return {};
    const bool host = !change.before->sparse;
    const Pair::Side& side = host ? *pair.before : *pair.after;
    std::optional<struct stat> st = side.st;
    RH_TRY(const Attributes again,
           read_attributes(side.directory->get(), side.name.c_str(), st, Content::kHashSparse));
    Attributes& plain = host ? *change.before : *change.after;
    plain.sha256 = again.sha256;
    plain.sparse = true;
    return {};
  }

  /// Whether the name stands for another object, one of which has further names: what is written to it would
  /// reach others than before. Only an index tells a copied-up object from a new one.
  void compare_links(const Pair::Side& side, Change& change, Outcome& outcome) const {
    if (change.kind != ChangeKind::kIdentical || change.type == FileType::kDir || change.masked ||
        !layer_.index.valid())
      return;
    const Attributes& before = *change.before;
    const Attributes& after = *change.after;
    if (before.nlink == 1 && after.nlink == 1) return;
    const char* name = side.name.c_str();
    if (origin_key(side.directory->get(), name)) {
      const auto origin =
          outcome.origin ? outcome.origin : origin_stat(layer_.lower.get(), side.directory->get(), name);
      if (!origin || origin->st_ino == before.ino) return;
    } else if (before.nlink == 1) {
      return;  // a new object: its other names are new too, and records
    }
    outcome.is_other_object = before.nlink == after.nlink;
    if (!outcome.is_other_object) make_metadata(change, "hardlink");
  }

  static void compare_allocation(int before_dir, const std::string& before_name, int after_dir,
                                 const std::string& after_name, Change& change) {
    const Attributes& before = *change.before;
    const Attributes& after = *change.after;
    if (change.type != FileType::kFile || change.masked || !after.sha256 || before.sha256 != after.sha256 ||
        before.size != after.size)
      return;
    if (is_allocated_otherwise(before_dir, before_name.c_str(), before, after_dir, after_name.c_str(), after))
      make_metadata(change, "blocks");
  }

  void keep_what_was_not_shown(Change& change) const {
    const auto names = layer_.xattrs_not_shown.find(change.path);
    if (names == layer_.xattrs_not_shown.end()) return;
    for (const std::string& name : names->second) {
      const auto value = change.before->xattrs.find(name);
      if (value != change.before->xattrs.end()) change.after->xattrs.insert(*value);
    }
  }

  /// The names an object has as the action saw it, and where it came from.
  void count_links(const Pair::Side& side, Attributes& after, Outcome& outcome) const {
    outcome.origin = origin_stat(layer_.lower.get(), side.directory->get(), side.name.c_str());
    after.nlink = merged_nlink(side.directory->get(), side.name.c_str(), *side.st, outcome.origin);
    if (after.nlink == 1) after.link_group.reset();
  }

  const Layer& layer_;
  const ChangeSetOptions& options_;
  Window window_;
};

/// Names that stand for another object of as many names. Where all names of one object are now those of one
/// other, as after a package was installed again, nothing has come of it.
class Regrouped {
 public:
  /// False: there are too many, and it is not taken.
  bool take(Change& change, std::string& host) {
    if (held_.size() >= kMost) return false;
    ++names_[{change.before->ino, change.after->ino}];
    held_.emplace_back(std::move(change), std::move(host));
    return true;
  }

  void settle(const std::function<bool(Change, const std::string&)>& add) {
    for (auto& [change, host] : held_) {
      const std::uint64_t names = names_[{change.before->ino, change.after->ino}];
      if (names != change.before->nlink || names != change.after->nlink) make_metadata(change, "hardlink");
      if (!add(std::move(change), host)) return;
    }
  }

 private:
  static constexpr std::size_t kMost = 10'000;
  std::vector<std::pair<Change, std::string>> held_;                        ///< and where the host has it
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> names_;  ///< by inode before and after
};

bool lost_setid(const Change& change) {
  constexpr std::uint32_t kSetid = 06000;
  return change.before && change.after && change.type == FileType::kFile &&
         change.kind != ChangeKind::kType && (change.before->mode & ~change.after->mode & kSetid) != 0 &&
         change.before->sha256 && change.before->sha256 != change.after->sha256;
}

void count(Counts& counts, ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kType:
      ++counts.type;
      break;
    case ChangeKind::kCreated:
      ++counts.created;
      break;
    case ChangeKind::kDeleted:
      ++counts.deleted;
      break;
    case ChangeKind::kRenamed:
      ++counts.renamed;
      break;
    case ChangeKind::kModified:
      ++counts.modified;
      break;
    case ChangeKind::kMetadata:
      ++counts.metadata;
      break;
    case ChangeKind::kIdentical:
      ++counts.identical;
      break;
  }
}

/// What a layer's changes take on the host's filesystem, and give back.
struct Room {
  std::uint64_t taken_bytes = 0;
  std::uint64_t given_bytes = 0;
  std::uint64_t taken_files = 0;
  std::uint64_t given_files = 0;

  /// `first_name`: of the object after, which may have several.
  void note(const Change& change, bool first_name) {
    if (change.after && first_name) taken_bytes += change.after->blocks * 512;
    if (change.kind == ChangeKind::kCreated) ++taken_files;
    if (change.kind == ChangeKind::kDeleted) ++given_files;
    const bool has_more_names = change.before && change.before->nlink > 1 && change.type != FileType::kDir;
    if (change.before && !has_more_names) given_bytes += change.before->blocks * 512;
  }
};

class Collector {
 public:
  Collector(std::span<const Layer> layers, const ChangeSetOptions& options, ManifestWriter& out)
      : layers_(layers), options_(options), out_(out) {}

  Result<ChangeSet> collect() {
    for (const Layer& layer : layers_) {
      RH_CHECK(collect_layer(layer));
    }
    RH_TRY(result_.root, out_.finish());
    return std::move(result_);
  }

 private:
  Result<void> collect_layer(const Layer& layer) {
    std::unordered_set<std::uint64_t> counted;  // upper inodes with several names
    Room room;
    LinkAliases aliases;
    Regrouped regrouped;
    const Comparer compare_pair(layer, options_);
    OrderedPool<Pair, Outcome> pool(
        threads(), [&](Pair& pair, std::vector<Outcome>& outcomes) { compare_pair(pair, outcomes); },
        [&](std::vector<Outcome>& outcomes) {
          for (Outcome& outcome : outcomes) {
            if (!outcome.trouble.empty()) report(std::move(outcome.trouble));
            const bool first_name = outcome.inode == 0 || counted.insert(outcome.inode).second;
            if (first_name) result_.written_bytes += outcome.blocks * 512;
            if (!outcome.change) continue;
            room.note(*outcome.change, first_name);
            aliases.note(*outcome.change, outcome.origin);
            if (outcome.is_other_object) {
              if (regrouped.take(*outcome.change, outcome.host)) continue;
              make_metadata(*outcome.change, "hardlink");
            }
            if (!add(std::move(*outcome.change), outcome.host)) return false;
          }
          return true;
        });
    LayerWalk walk(
        layer, [&](Pair pair) { return pool.submit(std::move(pair)); },
        [&](std::string line) { report(std::move(line)); });
    walk.run();
    pool.finish();
    if (!error_)
      regrouped.settle([&](Change change, const std::string& host) { return add(std::move(change), host); });
    if (!error_) {
      aliases.complete(
          layer, walk.renames(),
          [&](const LinkAlias& alias) {
            auto change = compare_pair.compare_alias(alias);
            if (change) return add(std::move(*change), alias.host);
            report(alias.path + ": " + change.error().what);
            return true;
          },
          [&](std::string line) { report(std::move(line)); });
    }
    if (error_) return tl::make_unexpected(*error_);
    compare_room(layer, room);
    return {};
  }

  /// What is written lies on the state directory's filesystem, which may have room where the host's has none.
  void compare_room(const Layer& layer, const Room& room) {
    const int place = layer.host.valid() ? layer.host.get() : layer.lower.get();
    struct statvfs host = {};
    // One in memory without a size says that it has no blocks.
    if (::fstatvfs(place, &host) != 0 || host.f_blocks == 0) return;
    // What was written to this very filesystem is not free any more, and would be.
    const auto lower = sys::stat_fd(place);
    const auto upper = sys::stat_fd(layer.upper.get());
    struct statvfs own = {};
    // Subvolumes of btrfs have device numbers of their own.
    const bool subvolume = ::fstatvfs(layer.upper.get(), &own) == 0 && own.f_fsid == host.f_fsid &&
                           own.f_fsid != 0 && own.f_blocks == host.f_blocks;
    const bool same = (lower && upper && lower->st_dev == upper->st_dev) || subvolume;
    const auto more = [](std::uint64_t taken, std::uint64_t given) {
      return taken > given ? taken - given : 0;
    };
    Overfull found;
    found.mountpoint = layer.mountpoint;
    found.more_bytes = more(room.taken_bytes, room.given_bytes);
    // What is reserved is root's to use.
    found.free_bytes = host.f_bfree * host.f_frsize + (same ? room.taken_bytes : 0);
    found.more_files = more(room.taken_files, room.given_files);
    found.free_files = host.f_files == 0 ? std::numeric_limits<std::uint64_t>::max()
                                         : host.f_ffree + (same ? room.taken_files : 0);
    if (found.more_bytes > found.free_bytes || found.more_files > found.free_files)
      result_.overfull.push_back(std::move(found));
  }

  bool add(Change change, const std::string& host) {
    if (!packages_) packages_ = load_packages();
    change.package = packages_->owner(change.path);
    if (change.package.empty() && !host.empty() && host != change.path)
      change.package = packages_->owner(host);
    // Whoever has it, has it no more.
    if (change.package.empty() && change.kind == ChangeKind::kRenamed && change.type == FileType::kDir)
      change.package = packages_->owners(change.from);
    count(result_.counts, change.kind);
    result_.layers.insert(change.layer);
    result_.base_moved += change.base_moved && !is_others_time(change) ? 1 : 0;
    result_.masked += change.masked && change.after ? 1 : 0;
    if (lost_setid(change) && result_.setid_lost.size() < kMaxUnobserved)
      result_.setid_lost.push_back(change.path);
    if (options_.observe) options_.observe(change);
    if (auto written = out_.add(change); !written) {
      error_ = written.error();
      return false;
    }
    if (options_.progress && (++records_ & 1023U) == 0) options_.progress(records_);
    return true;
  }

  /// Something is not in the list that ought to be.
  void report(std::string line) {
    if (result_.missing.size() < kMaxUnobserved) result_.missing.push_back(line);
    note(std::move(line));
  }
  void note(std::string line) {
    if (result_.unobserved.size() < kMaxUnobserved)
      result_.unobserved.push_back(std::move(line));
    else if (result_.unobserved.size() == kMaxUnobserved)
      result_.unobserved.emplace_back("more objects could not be read");
  }

  [[nodiscard]] unsigned threads() const {
    return options_.threads != 0 ? options_.threads
                                 : std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
  }

  [[nodiscard]] std::unique_ptr<PackageIndex> load_packages() const {
    for (const Layer& layer : layers_) {
      if (layer.mountpoint == "/")
        return std::make_unique<PackageIndex>(
            PackageIndex::load(layer.lower.get(), layer.upper.get(), options_.cache));
    }
    return std::make_unique<PackageIndex>();
  }

  std::span<const Layer> layers_;
  const ChangeSetOptions& options_;
  ManifestWriter& out_;
  ChangeSet result_;
  std::unique_ptr<PackageIndex> packages_;
  std::uint64_t records_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<ChangeSet> collect_changes(std::span<const Layer> layers, const ChangeSetOptions& options,
                                  ManifestWriter& out) {
  return Collector(layers, options, out).collect();
}

}  // namespace rehearse::effects
