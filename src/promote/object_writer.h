// Sets attributes of objects and copies objects whole. Everything is done on descriptors of the object
// itself, found by its directory; no symlink is followed.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "effects/change.h"
#include "promote/operation.h"

namespace rehearse::promote {

/// What is set of the object now. `type` is its type.
Result<Settings> read_settings(int dir, const std::string& name, effects::FileType type);

/// Makes the object's settings equal to `wanted`, the modification time last. In an order in which nobody
/// gets more rights on the way than before or after. Idempotent.
Result<void> apply_settings(int dir, const std::string& name, effects::FileType type, const Settings& wanted);

/// Sets the modification time alone of `name` in `dir`, or of `dir` itself if that is empty.
Result<void> set_time(int dir, const std::string& name, std::int64_t mtime_ns);

/// Copies the regular file open as `source` into the empty file `target`: shared blocks where the filesystem
/// can, else data only, so that holes stay holes.
Result<void> copy_content(int source, int target);

/// Makes the bytes of `target` those of `source`, writing only what differs. `target` has `old_size` bytes;
/// if it has grown or shrunk by the time it is looked at, kStale.
Result<void> overwrite_content(int source, int target, std::uint64_t old_size);

/// Makes `name` in `to` as a copy of the object `source_name` in `from`, a directory without its entries.
/// `after`: its recorded attributes.
Result<void> copy_object(int from, const std::string& source_name, int to, const std::string& name,
                         effects::FileType type, const effects::Attributes& after);

/// Makes `name` in `to` with the recorded attributes and size and nothing in it.
Result<void> make_hollow(int to, const std::string& name, effects::FileType type,
                         const effects::Attributes& attributes);

}  // namespace rehearse::promote
