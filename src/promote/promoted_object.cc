#include "promote/promoted_object.h"

#include <optional>

#include "base/clock.h"
#include "promote/differences.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Content;
using effects::FileType;

Result<Attributes> attributes_now(const PromotedObject& object, Content content) {
  RH_TRY(const int dir, unless_moved(object.volume.parent(object.place), object.shown));
  std::optional<struct stat> opened = object.now;
  return unless_moved(
      effects::read_attributes(dir, std::string(leaf_of(object.place.path)).c_str(), opened, content),
      object.shown);
}

}  // namespace

bool is_settled(const struct stat& now, std::int64_t settled_ns) {
  return to_ns(now.st_ctim) < settled_ns - kStampTick;
}

Result<std::string> edits_of(const PromotedObject& object) {
  const bool is_directory = S_ISDIR(object.now.st_mode);
  const bool written = !is_directory && to_ns(object.now.st_mtim) != object.after.mtime_ns;
  if (!written && is_settled(object.now, object.settled_ns)) return std::string();
  // Of the promotion's last tick, that it has the promoted time proves its content.
  const bool read = written || to_ns(object.now.st_ctim) > object.settled_ns;
  RH_TRY(const Attributes now,
         attributes_now(object, read ? effects::content_as(object.after) : Content::kSkip));
  if (effects::file_type(object.now) != object.type) return std::string("another kind of object");
  Attributes then = object.after;
  if (is_directory || !read) then.size = now.size;
  if (read && object.type == FileType::kFile && !then.sha256) return std::string("of unknown content");
  return differences(then, now, !is_directory);
}

Result<bool> has_content(const PromotedObject& object) {
  if (!object.after.sha256) return false;
  RH_TRY(const Attributes now, attributes_now(object, effects::content_as(object.after)));
  return now.sha256 == object.after.sha256;
}

}  // namespace rehearse::promote
