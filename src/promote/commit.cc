#include "promote/commit.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <string_view>

#include "base/clock.h"
#include "base/escape.h"
#include "base/stop_request.h"
#include "base/sys.h"
#include "base/tree.h"
#include "effects/directory.h"
#include "promote/incoming.h"
#include "promote/kept_aside.h"
#include "promote/noted_directories.h"
#include "promote/outgoing.h"
#include "promote/restored.h"
#include "promote/stage.h"

namespace rehearse::promote {
namespace {

std::string upper_path(std::uint32_t layer) {
  return "uppers/" + std::to_string(layer);
}

Result<std::string> new_token() {
  char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return sys::last_error("getrandom");
  return hex(std::string_view(bytes, sizeof bytes));
}

bool is_in_memory(int root) {
  struct statfs vfs = {};
  return ::fstatfs(root, &vfs) == 0 && (vfs.f_type == TMPFS_MAGIC || vfs.f_type == 0x858458f6);  // ramfs
}

/// Names in directory `rel` of the store that begin with the tag.
std::vector<std::string> tagged(const Volume& volume, const char* rel, const std::string& tag) {
  std::vector<std::string> found;
  const auto directory = sys::open_beneath(volume.store(), rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return found;
  const auto names = effects::Listing::read(directory->get());
  if (!names) return found;
  for (const effects::Listed& entry : *names) {
    if (entry.name.starts_with(tag)) found.emplace_back(entry.name);
  }
  return found;
}

bool is_empty(const Volume& volume, const char* rel) {
  const auto directory = sys::open_beneath(volume.store(), rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return true;
  const auto names = effects::Listing::read(directory->get());
  return names && names->size() == 0;
}

Result<void> sync_volumes(std::span<UsedVolume> volumes) {
  std::vector<dev_t> done;
  for (UsedVolume& used : volumes) {
    if (std::find(done.begin(), done.end(), used.volume.device()) != done.end()) continue;
    done.push_back(used.volume.device());
    if (auto synced = sys::sync_filesystem(used.volume.store()); !synced)
      return fail_for(synced.error().err,
                      "cannot make " + used.volume.mountpoint() + " durable: " + synced.error().what,
                      ExitCode::kCantCreate, "check that filesystem");
  }
  return {};
}

}  // namespace

std::string token_of(const Volume& volume) {
  const auto file = sys::open_beneath(volume.store(), kToken, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return {};
  return sys::read_all(file->get(), 256).value_or("");
}

std::string tag_of(std::uint32_t number) {
  return "p" + std::to_string(number) + '-';
}

Result<UsedVolume> use_volume(const ledger::Bundle& bundle, const std::string& mountpoint,
                              std::uint32_t layer) {
  RH_TRY(Volume volume, Volume::open(mountpoint));
  UsedVolume used{std::move(volume), {}};
  used.entry.mountpoint = mountpoint;
  used.entry.layer = layer;
  used.entry.root_inode = used.volume.root_inode();
  used.entry.memory = is_in_memory(used.volume.root());
  RH_TRY(const UniqueFd upper, bundle.open_dir(upper_path(layer).c_str()));
  RH_TRY(used.entry.adopted, used.volume.adopt_store(upper.get()));
  if (!used.entry.adopted) {
    auto opened = used.volume.open_store(bundle.id());
    if (!opened && opened.error().err != ENOENT) return tl::make_unexpected(std::move(opened).error());
    if (opened) used.entry.token = token_of(used.volume);
  } else {
    used.entry.token = token_of(used.volume);
  }
  if (used.entry.token.empty()) {
    RH_TRY(used.entry.token, new_token());
  }
  return used;
}

Result<void> prepare_store(UsedVolume& used, const std::string& run) {
  if (!used.entry.adopted) RH_CHECK(used.volume.make_store(run));
  if (token_of(used.volume) == used.entry.token) return {};
  RH_TRY(const UniqueFd file,
         sys::open_beneath(used.volume.store(), kToken, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  return sys::write_all(file.get(), used.entry.token);
}

Result<FoundVolumes> find_volumes(const Journal& journal, const ledger::Bundle& bundle,
                                  const std::string& then) {
  FoundVolumes found;
  RH_TRY(const std::string boot, sys::read_file("/proc/sys/kernel/random/boot_id", 256));
  // Nothing but cleaning up was left to do, which may have come to an end there.
  const bool over = journal.stage == Stage::kUndone ||
                    (journal.stage == Stage::kCommitted && journal.header.kind == JournalKind::kRollback);
  for (const JournalVolume& entry : journal.volumes) {
    const bool rebooted = boot != journal.header.boot_id;
    auto volume = Volume::open(entry.mountpoint);
    bool known = false;
    bool cleaned = false;
    if (volume) {
      if (entry.adopted) {
        RH_TRY(const UniqueFd upper, bundle.open_dir(upper_path(entry.layer).c_str()));
        RH_TRY(known, volume->adopt_store(upper.get()));
      } else {
        const auto opened = volume->open_store(journal.header.run);
        known = opened.has_value();
        cleaned = over && !known && opened.error().err == ENOENT;
      }
      const std::string token = known ? token_of(*volume) : "";
      known = known && (token == entry.token || (over && token.empty()));
    }
    if (!known) {
      if (!(entry.memory && rebooted) && !cleaned && journal.stage != Stage::kPreparing)
        return fail("the filesystem that was at " + entry.mountpoint + " when run " + journal.header.run +
                        " was promoted is not there",
                    ExitCode::kTryLater, "mount it, then: " + then);
      found.gone.push_back(true);
      found.volumes.push_back({volume ? std::move(*volume) : Volume(), entry});
      continue;
    }
    found.gone.push_back(false);
    found.volumes.push_back({std::move(*volume), entry});
  }
  return found;
}

namespace {

/// What staging made beside copies of new objects: directories, copies of bytes, further names, a file to try
/// times with.
void remove_made(const Volume& volume, const std::string& path, char kind) {
  const int store = volume.store();
  if (kind == 'd') {
    (void)sys::unlink_at(store, path.c_str(), AT_REMOVEDIR);
  } else if (kind == 's' || kind == 'r' || kind == 't') {
    (void)sys::unlink_at(store, path.c_str(), 0);
  } else if (kind == 'l') {
    // The only name of an object that is yet to be promoted again stays.
    const auto st = sys::stat_at(store, path.c_str(), AT_SYMLINK_NOFOLLOW);
    if (st && st->st_nlink > 1) (void)sys::unlink_at(store, path.c_str(), 0);
  }
}

/// What journal number `number` has staged, unless it is in use.
Result<void> clear_staged(UsedVolume& used, std::uint32_t number, const StoreUse& use) {
  if (used.volume.store() < 0) return {};
  const std::string tag = tag_of(number);
  const std::string& token = used.entry.token;
  for (const std::string& name : tagged(used.volume, kKept, tag)) {
    const std::string path = std::string(kKept) + '/' + name;
    if (!use.has_name(token, path))
      remove_made(used.volume, path, name.size() > tag.size() ? name[tag.size()] : '\0');
  }
  if (used.entry.adopted) return {};
  for (const std::string& name : tagged(used.volume, kNew, tag)) {
    const std::string path = std::string(kNew) + '/' + name;
    if (!use.has_name(token, path)) RH_CHECK(remove_tree(used.volume.store(), path.c_str()));
  }
  return {};
}

}  // namespace

Result<void> clean_up(UsedVolume& used, const std::string& run, std::uint32_t number, const StoreUse& use) {
  RH_CHECK(clear_staged(used, number, use));
  if (used.volume.store() < 0 || used.entry.adopted) return {};
  const std::string& token = used.entry.token;
  if (use.has_store(token) || !is_empty(used.volume, kNew) || !is_empty(used.volume, kKept)) return {};
  return used.volume.remove_store(run);
}

void finish_committed(UsedVolume& used, std::uint32_t index, const JournalHeader& header,
                      std::span<const Operation> operations) {
  if (!used.entry.adopted || header.kind != JournalKind::kPromotion) return;
  if (header.whole) {
    (void)remove_tree(used.volume.store(), "work");
    return;
  }
  std::set<std::uint64_t> installed;
  for (const Operation& operation : operations) {
    if (operation.volume == index && operation.from.area == Area::kStore)
      installed.insert(operation.object.ino);
  }
  const auto directory =
      sys::open_beneath(used.volume.store(), "work/index", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory) return;
  const auto names = effects::Listing::read(directory->get());
  if (!names) return;
  for (const effects::Listed& entry : *names) {
    if (installed.contains(entry.ino))
      (void)sys::unlink_at(directory->get(), std::string(entry.name).c_str(), 0);
  }
}

namespace {

/// The steps of one commit, with what has to be undone if one fails.
class Commit {
 public:
  explicit Commit(const CommitOrder& order) : order_(order), journals_(*order.state) {}

  Result<CommitResult> run() {
    const std::string& run = order_.header.run;
    RH_TRY(UniqueFd file, journals_.create(run));
    auto ready = make_ready(std::move(file));
    if (!ready) {
      // What cannot be written down is left to the next recovery, with all that it is about.
      if (!order_.given_up(ready.error().what)) return tl::make_unexpected(std::move(ready).error());
      clean_up_all(order_.header.number, nullptr);
      for (const bool renamed : {false, true}) (void)journals_.discard({run, renamed});
      return tl::make_unexpected(std::move(ready).error());
    }
    volumes_.reserve(order_.volumes.size());
    for (UsedVolume& used : order_.volumes) volumes_.push_back(std::move(used.volume));
    Transaction transaction(volumes_, operations_, directories_);
    auto done = carry_out(transaction);
    result_.window_ns = transaction.window_ns();
    result_.touched = transaction.done() > 1;
    if (done) {
      result_.committed = true;
    } else {
      result_.why = done.error().what;
      result_.fix = done.error().fix;
      result_.cause = done.error().exit;
      take_back(transaction);
    }
    for (std::size_t v = 0; v < volumes_.size(); ++v) order_.volumes[v].volume = std::move(volumes_[v]);
    finish();
    return std::move(result_);
  }

 private:
  Result<void> make_ready(UniqueFd file) {
    RH_TRY(JournalWriter writer, JournalWriter::create(std::move(file), order_.header));
    for (const UsedVolume& used : order_.volumes) RH_CHECK(writer.add(used.entry));
    RH_CHECK(writer.sync());
    // After the file: where they share a filesystem, that has made its name durable too.
    RH_CHECK(journals_.make_found());
    for (UsedVolume& used : order_.volumes) RH_CHECK(prepare_store(used, order_.header.run));
    RH_CHECK(clear_leftovers());
    RH_TRY(operations_, order_.prepare());
    const std::int64_t staged_ns = realtime_ns();
    RH_CHECK(look_at_all());
    RH_CHECK(sync_volumes(order_.volumes));
    for (std::uint32_t v = 0; v < order_.volumes.size(); ++v) {
      const std::int64_t grain_ns = order_.volumes[v].entry.time_grain_ns;
      if (grain_ns != 1) RH_CHECK(writer.add_time_grain(v, grain_ns));
    }
    for (const Directory& directory : directories_) RH_CHECK(writer.add(directory));
    for (const Operation& operation : operations_) RH_CHECK(writer.add(operation));
    for (const std::string& operation : order_.dropped) RH_CHECK(writer.add_given_up(operation));
    if (order_.kept != nullptr)
      for (const Kept& kept : *order_.kept) RH_CHECK(writer.add(kept));
    // What was staged bears an earlier time; nothing is renamed before a later one is given (`begin`).
    ready_ns_ = staged_ns + 1;
    RH_CHECK(writer.mark(Stage::kReady, ready_ns_));
    RH_CHECK(stop_request::check(kNothingChanged));
    stop_request::too_late();
    if (order_.admit) RH_CHECK(order_.admit(operations_));
    writer_.emplace(std::move(writer));
    RH_CHECK(journals_.make_ready(order_.header.run));
    return begin();
  }

  /// An earlier promotion of the same number that was undone while a filesystem was away could not clean up
  /// there.
  Result<void> clear_leftovers() {
    RH_TRY(const StoreUse use, StoreUse::read(*order_.bundle));
    for (UsedVolume& used : order_.volumes) RH_CHECK(clear_staged(used, order_.header.number, use));
    return {};
  }

  /// From here on, what is made bears the time of `ready_ns_` or a later one: that tells it from what was
  /// staged. Making everything durable has mostly taken longer than a tick already.
  Result<void> begin() {
    const std::int64_t now_ns = stamp_after(ready_ns_ - 1);
    if (now_ns >= ready_ns_) return {};
    // The clock was set back: what is staged may be taken for somebody's, nothing of somebody for ours.
    ready_ns_ = now_ns;
    return writer_->mark(Stage::kReady, ready_ns_);
  }

  /// The directories that operations work in, what these take away, and what they bring.
  Result<void> look_at_all() {
    std::vector<Volume*> volumes;
    for (UsedVolume& used : order_.volumes) volumes.push_back(&used.volume);
    RH_TRY(directories_, note_directories(volumes, operations_, order_.looked_ns));
    RH_CHECK(print_outgoing(volumes, operations_, order_.looked_ns));
    return print_incoming(volumes, operations_);
  }

  Result<void> carry_out(Transaction& transaction) {
    if (order_.last_look) RH_CHECK(order_.last_look(volumes_));
    RH_CHECK(transaction.perform(order_.progress));
    const std::int64_t settled_ns = realtime_ns();
    RH_CHECK(transaction.check_displaced());
    RH_CHECK(check_outgoing(volumes_, operations_, order_.looked_ns));
    if (order_.verify) RH_CHECK(order_.verify(volumes_));
    for (Volume& volume : volumes_) RH_CHECK(sys::sync_filesystem(volume.store()));
    return writer_->mark(Stage::kCommitted, settled_ns);
  }

  void take_back(Transaction& transaction) {
    // If this cannot be written, the next recovery goes by where everything stands.
    (void)writer_->mark(Stage::kUndoing);
    result_.undone = transaction.undo_done(ready_ns_);
    if (!result_.undone.failed.empty()) return;
    for (Volume& volume : volumes_) {
      if (auto synced = sys::sync_filesystem(volume.store()); !synced)
        result_.undone.failed.push_back(volume.mountpoint() + ": " + synced.error().what);
    }
    if (auto noted = note_kept(*order_.bundle, result_.undone.kept); !noted)
      result_.undone.kept.push_back("gc will not spare the run, as this could not be written down: " +
                                    noted.error().what);
    // If this cannot be written, the next recovery finds nothing left to undo, and does what is left then.
    marked_ = writer_->mark(result_.undone.kept.empty() ? Stage::kUndone : Stage::kUndoneKept).has_value();
  }

  void finish() {
    const std::string& run = order_.header.run;
    if (result_.committed) {
      for (std::uint32_t v = 0; v < order_.volumes.size(); ++v)
        finish_committed(order_.volumes[v], v, order_.header, operations_);
      if (!order_.settled(result_)) return;
      clean_up_taken_back();
      (void)journals_.keep(run, *order_.bundle, order_.header.number);
      return;
    }
    if (!result_.undone.failed.empty() || !marked_ || !order_.given_up(result_.why)) return;
    const bool keeps = !result_.undone.kept.empty();
    if (!keeps) clean_up_all(order_.header.number, nullptr);
    std::vector<Volume*> volumes;
    for (UsedVolume& used : order_.volumes) volumes.push_back(&used.volume);
    (void)note_restored(*order_.bundle, volumes, directories_);
    // What is kept in a store is this journal's: its number is not given out again.
    (void)(keeps ? journals_.keep(run, *order_.bundle, order_.header.number)
                 : journals_.discard({run, true}));
  }

  /// A rollback takes along what its promotion had staged.
  void clean_up_taken_back() {
    if (order_.header.kind != JournalKind::kRollback) return;
    Journal journal;
    journal.header = order_.header;
    journal.stage = Stage::kCommitted;
    for (const UsedVolume& used : order_.volumes) journal.volumes.push_back(used.entry);
    journal.operations = std::move(operations_);
    journal.given_up = order_.dropped;
    if (order_.kept != nullptr) journal.kept = *order_.kept;
    clean_up_all(order_.header.of, &journal);
  }

  /// Where it cannot be told what is in use all of it stays.
  void clean_up_all(std::uint32_t number, const Journal* latest) {
    const auto use = StoreUse::read(*order_.bundle, latest);
    if (!use) return;
    for (UsedVolume& used : order_.volumes) (void)clean_up(used, order_.header.run, number, *use);
  }

  const CommitOrder& order_;
  JournalStore journals_;
  std::optional<JournalWriter> writer_;
  std::vector<Operation> operations_;
  std::vector<Directory> directories_;
  std::int64_t ready_ns_ = 0;
  bool marked_ = false;  ///< that all was undone is in the journal
  std::vector<Volume> volumes_;
  CommitResult result_;
};

}  // namespace

Result<CommitResult> commit(const CommitOrder& order) {
  return Commit(order).run();
}

}  // namespace rehearse::promote
