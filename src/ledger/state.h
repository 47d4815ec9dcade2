// The state directory: everything that rehearse keeps, readable by root alone.
//
//   rehearse-state       empty; says that the directory is rehearse's own
//   ledger.db            the index of runs (ledger.h), rebuilt from run.json files when lost
//   active/ID            empty marker of a run in progress; what a dead supervisor leaves is found by it
//   intake/ID            empty marker of a finished run the ledger has not taken in yet
//   packages.cache       which package owns which path, as of the last change of dpkg's lists
//   trash/ID             bundles on their way out
//   runs/ID/             one bundle: run.json, manifest, frozen, output/{stdout,stderr},
//   uppers/N/{upper,work}
//
// A run is live while an exclusive flock(2) on the descriptor of runs/ID is held. The lock belongs to the
// open file description: it passes on to children that inherit the descriptor and ends with the last of them.
// The timed path of a run makes no fsync: `Bundle::freeze` makes durable what is kept, later.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "report/run_record.h"

namespace rehearse::ledger {

/// True for a full run id: "YYYYMMDD-HHMMSS-xxxxxx". Nothing else ever becomes part of a path.
bool is_run_id(std::string_view text);
/// The id of a run that begins at that time (UTC; the last part is the fraction of the second in steps of
/// 2^-24), so that ids sort as the runs began: "last" would otherwise be any of those of one second.
std::string run_id_of(std::int64_t epoch_ns);
/// The time a run id carries, to 60 ns; nanoseconds since the epoch.
std::int64_t time_of_run(const std::string& id);

/// Empty file in a bundle: everything in it was durable when it was made.
inline constexpr const char* kFrozenMark = "frozen";

/// One run's directory. Owns the descriptor that carries the lock (if it was taken) and copies of the state
/// directory's own. Move only.
class Bundle {
 public:
  [[nodiscard]] const std::string& id() const { return id_; }
  /// O_RDONLY|O_DIRECTORY of runs/ID.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// A new file (0600, O_RDWR, O_EXCL) or directory (0700, opened O_RDONLY) at `rel`, whose parent exists.
  [[nodiscard]] Result<UniqueFd> create_file(const char* rel) const;
  [[nodiscard]] Result<UniqueFd> make_dir(const char* rel) const;
  /// A new file with that content.
  [[nodiscard]] Result<void> write_file(const char* rel, std::string_view content) const;
  /// An existing regular file, or directory, read only; no symlink is followed and the bundle is never left.
  [[nodiscard]] Result<UniqueFd> open_file(const char* rel) const;
  [[nodiscard]] Result<UniqueFd> open_dir(const char* rel) const;
  /// As open_file, of what a finished run has: kDataError, naming the run, where it is not there.
  [[nodiscard]] Result<UniqueFd> open_kept(const char* rel) const;

  /// run.json, parsed. kDataError when it is damaged; err ENOENT when the run never finished.
  [[nodiscard]] Result<report::RunRecord> read_record() const;
  /// SHA-256 of run.json, in hexadecimal.
  [[nodiscard]] Result<std::string> report_digest() const;
  [[nodiscard]] bool finished() const;
  [[nodiscard]] bool frozen() const;

  /// Takes the lock without waiting: false if somebody lives there.
  [[nodiscard]] Result<bool> try_lock();
  /// As try_lock; of a finished run it waits, a few seconds at most, for the child that freezes it.
  [[nodiscard]] Result<bool> lock_when_over();

  /// Writes run.json (temporary file and rename) and turns the `active` marker into an `intake` one: from
  /// here on the run is finished. No fsync. May be called again to replace run.json.
  [[nodiscard]] Result<void> finish(const report::RunRecord& record) const;
  /// syncfs of the state's filesystem, then the mark `frozen`. Slow: call off the timed path.
  [[nodiscard]] Result<void> freeze() const;

  /// Removes one part of the bundle (such as "uppers") with everything below; fine if it is not there.
  [[nodiscard]] Result<void> remove_part(const char* rel) const;
  /// Removes the bundle: moved to trash in one step, then removed. The caller holds the lock.
  [[nodiscard]] Result<void> remove();

  /// Disk space of everything in the bundle (blocks, each inode once). Walks the tree.
  [[nodiscard]] Result<std::uint64_t> disk_usage() const;

 private:
  friend class StateDir;
  Bundle(std::string id, UniqueFd fd, UniqueFd state)
      : id_(std::move(id)), fd_(std::move(fd)), state_(std::move(state)) {}
  std::string id_;
  UniqueFd fd_;
  UniqueFd state_;  ///< of the state directory
};

enum class Create { kNo, kYes };

class StateDir {
 public:
  /// `path` must be absolute and name a real directory (no symlink as last component), owned by root with
  /// mode 0700. kCreate makes it (one level). Refusals are one line: kUsage for a bad path, kConfig for wrong
  /// owner or mode, kCantCreate when it cannot be made or written (read-only, full), kNoPermission without
  /// root.
  static Result<StateDir> open(const std::string& path, Create create);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// A fresh, locked run directory. Any number of processes may do so at once.
  /// `argv`: what `list` shows of it until it has ended.
  [[nodiscard]] Result<Bundle> create_run(std::span<const std::string> argv = {}) const;
  /// The one run whose id starts with `prefix` ("last": the newest finished one). kUsage when none or several
  /// match.
  [[nodiscard]] Result<Bundle> open_run(std::string_view prefix) const;
  /// All ids under runs/, oldest first.
  [[nodiscard]] Result<std::vector<std::string>> run_ids() const;
  struct Unfinished {
    std::string id;
    bool going_on = false;          ///< else it was cut off, and nobody has cleaned up yet
    std::vector<std::string> argv;  ///< the first words of its command
  };
  /// Runs that have not finished, oldest first.
  [[nodiscard]] Result<std::vector<Unfinished>> unfinished_runs() const;
  /// Ids of runs that did not finish and whose lock is free, from the `active` markers: two system calls when
  /// empty.
  [[nodiscard]] Result<std::vector<std::string>> interrupted_runs() const;

 private:
  [[nodiscard]] Result<Bundle> open_exactly(const std::string& id) const;
  StateDir(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace rehearse::ledger
