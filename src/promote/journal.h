// The journal of one promotion or rollback: what it is, which filesystems, which operations, and how far it
// came. On disk before the first rename; read by whoever finds it after a crash.
//
// Format "rehearse.journal/1": 8 bytes of magic, then records: a varint length, so many bytes, and the first
// 16 bytes of SHA-256 over the check of the record before and these bytes. Appended only. A torn or damaged
// end is not there: what counts is the last whole record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "promote/operation.h"

namespace rehearse::promote {

enum class JournalKind : std::uint8_t { kPromotion, kRollback };

struct JournalHeader {
  JournalKind kind = JournalKind::kPromotion;
  std::string run;
  std::uint32_t number = 0;  ///< of the run's journals, from 1
  std::uint32_t of = 0;      ///< kRollback: number of the promotion that it takes back
  std::string digest;        ///< "sha256:..."
  std::uint64_t decision = 0;
  bool whole = true;  ///< nothing of the run was left out
  std::int64_t begun_ns = 0;
  std::string boot_id;
};

struct JournalVolume {
  std::string mountpoint;
  std::uint32_t layer = 0;
  bool adopted = false;  ///< the store is the run's own directory uppers/<layer>
  std::string token;     ///< content of the file `token` in the store
  std::uint64_t root_inode = 0;
  bool memory = false;             ///< a filesystem that does not outlive the boot (tmpfs)
  std::int64_t time_grain_ns = 1;  ///< time_grain.h; known once the objects are staged

  /// The absolute path of what is at `path` below the mount.
  [[nodiscard]] std::string shown(const std::string& path) const {
    return (mountpoint == "/" ? "" : mountpoint) + '/' + path;
  }
};

/// How far it came.
enum class Stage : std::uint8_t {
  kPreparing,  ///< new objects are being staged; nothing of the host has changed
  kReady,      ///< all operations are in the journal and everything staged is durable; renames may have begun
  kCommitted,  ///< all operations are done and durable
  kUndone,     ///< all that was done is undone, durably
  kUndoneKept,  ///< the same, and something of somebody else's lies in a store
  kUndoing,     ///< it is being undone, and is to be undone to the end wherever everything stands
};

/// Something of somebody else's that was kept aside in the store of a volume.
struct Kept {
  std::uint32_t volume = 0;
  std::string path;
  std::string line;  ///< what it is and where, as it is noted with the run (kept_aside.h)
  bool operator==(const Kept&) const = default;
};

struct Journal {
  JournalHeader header;
  std::vector<JournalVolume> volumes;
  std::vector<Directory> directories;  ///< that the operations note
  std::vector<Operation> operations;
  /// kRollback: operations that it did nothing about and that no later one is to (see rollback.cc).
  std::vector<std::string> given_up;
  std::vector<Kept> kept;  ///< kRollback: when all its operations are done
  Stage stage = Stage::kPreparing;
  std::int64_t ready_ns = 0;  ///< CLOCK_REALTIME when everything was staged
  /// kCommitted: what was changed at this time (CLOCK_REALTIME) or later may be somebody's.
  std::int64_t settled_ns = 0;
};

class JournalWriter {
 public:
  /// Takes a fresh, empty file opened for writing; begins it with the header.
  static Result<JournalWriter> create(UniqueFd file, const JournalHeader& header);
  /// Goes on after the last whole record of a journal that was read.
  static Result<JournalWriter> reopen(UniqueFd file);

  Result<void> add(const JournalVolume& volume);
  /// Of the volume of that number.
  Result<void> add_time_grain(std::uint32_t volume, std::int64_t grain_ns);
  Result<void> add(const Directory& directory);
  Result<void> add(const Operation& operation);
  Result<void> add_given_up(const std::string& operation);
  Result<void> add(const Kept& kept);
  /// Writes the mark and makes everything before it durable. `at_ns`: CLOCK_REALTIME when it was so.
  Result<void> mark(Stage stage, std::int64_t at_ns = 0);
  Result<void> sync();

 private:
  explicit JournalWriter(UniqueFd file) : file_(std::move(file)) {}
  Result<void> add(std::string_view record);
  Result<void> flush();
  UniqueFd file_;
  std::string buffer_;
  Sha256 check_ = {};
};

/// Reads up to the last whole record. kDataError if not even the header can be read. The file may be hostile:
/// places never lead out of their area.
Result<Journal> read_journal(int fd);

}  // namespace rehearse::promote
