// Whether an object of the host is still as a promotion left it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "effects/attributes.h"
#include "effects/change.h"
#include "promote/operation.h"
#include "promote/volume.h"

namespace rehearse::promote {

/// Filesystems stamp with the last timer tick's time: a change may seem so much older than it is, in
/// nanoseconds (CONFIG_HZ of at least 100).
inline constexpr std::int64_t kStampTick = 10'000'000;

/// Everything is borrowed.
struct PromotedObject {
  Volume& volume;
  const Place& place;
  const std::string& shown;  ///< for people
  const struct stat& now;
  effects::FileType type;  ///< that the manifest has for it, as the next
  const effects::Attributes& after;
  std::int64_t settled_ns = 0;  ///< when the promotion was over
};

/// Nobody has changed the object since then.
bool is_settled(const struct stat& now, std::int64_t settled_ns);

/// What is different about it, in words; empty if it is as it was promoted: by its type, attributes and
/// content; of a directory neither its time nor what it holds. kStale: it is moved while it is looked at.
Result<std::string> edits_of(const PromotedObject& object);

/// The content alone, always read: who was given a file may have written to it and put its time back, and it
/// must not get rights back that its content does not deserve any more.
Result<bool> has_content(const PromotedObject& object);

}  // namespace rehearse::promote
