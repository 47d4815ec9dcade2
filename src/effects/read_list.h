// The read set of a run: every path of the host that the action's result rests on, with what the object was
// when it was used first. Promotion compares it with the host.
//
// Format "rehearse.reads/1": a record file (record_file.h), sorted by path in byte order. The root covers
// every record whole.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace rehearse::effects {

/// What was done with the path; a set.
enum ReadUse : std::uint8_t {
  kReadOpened = 1,
  kReadExecuted = 2,    ///< also the interpreter that the kernel opened for it
  kReadListed = 4,      ///< the names in a directory
  kReadAttributes = 8,  ///< stat and its like
  kReadPresent = 16,    ///< access, readlink and their like: that there is something
  kReadAbsent = 32,     ///< a lookup that found nothing
};

/// Where the identity comes from.
enum class ReadSource : std::uint8_t {
  kNone,    ///< there is none: an absent path
  kKernel,  ///< the object itself, in the kernel, when it was used
  kCaller,  ///< what the kernel told the action, read from the action's memory when the call returned
  kHost,    ///< the host's object when the run was read; its ctime is older than the run
};

/// Of an object of the host, in host ids.
struct ReadIdentity {
  std::uint64_t dev = 0;  ///< as stat(2) gives it; 0: not known
  std::uint64_t ino = 0;
  std::optional<std::uint32_t> generation;
  std::int64_t ctime_ns = 0;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  ///< with the type
};

struct HostRead {
  std::string path;  ///< as the action saw it, absolute
  std::uint8_t uses = 0;
  ReadSource source = ReadSource::kNone;
  bool link = false;   ///< a symlink that the path ends with was not followed
  bool moved = false;  ///< the host's object changed while the run lasted
  ReadIdentity identity;
  std::optional<Sha256> sha256;  ///< of what was executed
};

/// Writes `reads`, which are sorted; returns the root.
Result<Sha256> write_read_list(UniqueFd file, std::span<const HostRead> reads);

/// Calls `visit` for each in order until it returns false. kDataError naming the offset if the file is
/// damaged. The file may be hostile.
Result<void> read_read_list(int fd, const std::function<bool(const HostRead&)>& visit);

}  // namespace rehearse::effects
