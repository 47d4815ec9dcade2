// The manifest: every Change of a run, streamed to and from one file.
//
// Format "rehearse.manifest/1": a record file (record_file.h). File
// order is layer by layer (mount points in byte order), depth first, siblings in byte order. ctime, inode
// numbers and device numbers of `after`, and mtimes that fall inside the run, are not part of what the root
// covers: they differ between two runs that did the same.
#pragma once

#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "effects/change.h"

namespace rehearse::effects {

class ManifestWriter {
 public:
  /// Takes a fresh, empty file opened for writing. Memory is one block.
  static Result<std::unique_ptr<ManifestWriter>> create(UniqueFd file);
  virtual ~ManifestWriter() = default;
  virtual Result<void> add(const Change& change) = 0;
  /// Writes the footer; returns the root. Call once.
  virtual Result<Sha256> finish() = 0;
};

/// Calls `visit` for each record in file order; stops early when it returns false. A truncated, malformed or
/// changed file is kDataError naming the offset (changed: found at the end). Memory is one record. The file
/// may be hostile.
Result<void> read_manifest(int fd, const std::function<bool(const Change&)>& visit);

}  // namespace rehearse::effects
