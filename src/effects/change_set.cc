#include "effects/change_set.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_set>

#include "effects/attributes.h"
#include "effects/layer_walk.h"
#include "effects/link_aliases.h"
#include "effects/ordered_pool.h"
#include "effects/package_index.h"

namespace rehearse::effects {
namespace {

constexpr std::int64_t kTickNs = 10'000'000;  ///< timestamps may be a timer tick old (before Linux 6.13)
constexpr std::size_t kMaxUnobserved = 100;

/// What a worker makes of a Pair: a record, or trouble.
struct Outcome {
  std::optional<Change> change;
  std::string trouble;
  std::uint64_t blocks = 0;  ///< of the upper object
  std::uint64_t inode = 0;   ///< of one with several names, to count its blocks once
};

bool erase_word(std::vector<std::string>& words, const char* word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return false;
  words.erase(found);
  return true;
}

/// The rules of ChangeKind for two objects of the same type. Nothing: not worth a record.
std::optional<ChangeKind> classify(const Pair& pair, Change& change, const Window& window) {
  change.also = compare(*change.before, *change.after, change.type, window);
  const bool touched = erase_word(change.also, "touched");
  if (pair.replaced) change.also.emplace_back("replaced");
  if (!pair.from.empty()) return ChangeKind::kRenamed;
  if (erase_word(change.also, "modified")) return ChangeKind::kModified;
  if (!change.also.empty()) return ChangeKind::kMetadata;
  if (touched) change.also.emplace_back("touched");
  // A directory is copied up whenever something below changes: only its own time says that it was written.
  if (change.type == FileType::kDir && !touched) return std::nullopt;
  return ChangeKind::kIdentical;
}

class Comparer {
 public:
  Comparer(std::uint32_t layer, const ChangeSetOptions& options)
      : layer_(layer),
        options_(options),
        window_{options.started_ns - kTickNs, options.finished_ns + kTickNs} {}

  void operator()(Pair& pair, std::vector<Outcome>& outcomes) const {
    Outcome outcome;
    if (pair.after) {
      if (pair.after->st.st_nlink > 1 && !S_ISDIR(pair.after->st.st_mode))
        outcome.inode = pair.after->st.st_ino;
      outcome.blocks = static_cast<std::uint64_t>(pair.after->st.st_blocks);
    }
    if (auto done = compare_pair(pair, outcome); !done)
      outcome.trouble = pair.path + ": " + done.error().what;
    outcomes.push_back(std::move(outcome));
  }

 private:
  Result<void> compare_pair(Pair& pair, Outcome& outcome) const {
    Change change;
    change.path = std::move(pair.path);
    change.from = pair.from;
    change.layer = layer_;
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
                                           pair.after->st, Content::kHash));
    }
    change.type = file_type(pair.after ? pair.after->st : pair.before->st);
    if (!pair.before) {
      change.kind = ChangeKind::kCreated;
    } else if (!pair.after) {
      change.kind = ChangeKind::kDeleted;
    } else if (file_type(pair.before->st) != change.type) {
      change.kind = ChangeKind::kType;
    } else {
      const auto kind = classify(pair, change, window_);
      if (!kind) return {};
      change.kind = *kind;
    }
    outcome.change = std::move(change);
    return {};
  }

  std::uint32_t layer_;
  const ChangeSetOptions& options_;
  Window window_;
};

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
    LinkAliases aliases;
    const Comparer compare_pair(layer.number, options_);
    OrderedPool<Pair, Outcome> pool(
        threads(), [&](Pair& pair, std::vector<Outcome>& outcomes) { compare_pair(pair, outcomes); },
        [&](std::vector<Outcome>& outcomes) {
          for (Outcome& outcome : outcomes) {
            if (!outcome.trouble.empty()) report(std::move(outcome.trouble));
            if (outcome.inode == 0 || counted.insert(outcome.inode).second)
              result_.written_bytes += outcome.blocks * 512;
            if (!outcome.change) continue;
            aliases.note(*outcome.change);
            if (!add(std::move(*outcome.change))) return false;
          }
          return true;
        });
    LayerWalk walk(
        layer, [&](Pair pair) { return pool.submit(std::move(pair)); },
        [&](std::string line) { report(std::move(line)); });
    walk.run();
    pool.finish();
    if (!error_) aliases.complete(layer, [&](Change change) { return add(std::move(change)); });
    if (error_) return tl::make_unexpected(*error_);
    return {};
  }

  bool add(Change change) {
    if (!packages_) packages_ = load_packages();
    change.package = packages_->owner(change.path);
    count(result_.counts, change.kind);
    result_.base_moved += change.base_moved ? 1 : 0;
    result_.masked += change.masked && change.after ? 1 : 0;
    if (auto written = out_.add(change); !written) {
      error_ = written.error();
      return false;
    }
    if (options_.progress && (++records_ & 1023U) == 0) options_.progress(records_);
    return true;
  }

  void report(std::string line) {
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
        return std::make_unique<PackageIndex>(PackageIndex::load(layer.lower.get(), layer.upper.get()));
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
