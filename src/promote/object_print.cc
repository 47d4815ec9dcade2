#include "promote/object_print.h"

#include <fcntl.h>

#include <optional>
#include <string_view>

#include "base/codec.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "promote/operation.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::FileType;

effects::Content how(ObjectPrint::Content content) {
  switch (content) {
    case ObjectPrint::Content::kPlain:
      return effects::Content::kHashPlain;
    case ObjectPrint::Content::kSparse:
      return effects::Content::kHashSparse;
    case ObjectPrint::Content::kLeftOut:
      break;
  }
  return effects::Content::kSkip;
}

}  // namespace

void encode_settings(Encoder& out, FileType type, const Settings& settings) {
  for (const std::uint32_t value : {settings.mode, settings.uid, settings.gid, settings.flags})
    out.number(value);
  if (type != FileType::kDir) out.signed_number(settings.mtime_ns);
  out.number(settings.xattrs.size());
  for (const auto& [name, value] : settings.xattrs) {
    out.text(name);
    out.text(value);
  }
}

ObjectPrint print_of(FileType type, const Attributes& attributes) {
  ObjectPrint print;
  Encoder out;
  encode_settings(out, type, settings_of(attributes));
  if (attributes.sha256) {
    print.content = attributes.sparse ? ObjectPrint::Content::kSparse : ObjectPrint::Content::kPlain;
    out.raw({reinterpret_cast<const char*>(attributes.sha256->data()), attributes.sha256->size()});
  }
  print.digest = sha256(out.bytes());
  return print;
}

Result<ObjectPrint> take_print(int dir, const std::string& name) {
  RH_TRY(const struct stat found, sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW));
  std::optional<struct stat> st = found;
  RH_TRY(const Attributes now, effects::read_attributes(dir, name.c_str(), st, effects::Content::kHash));
  return print_of(effects::file_type(found), now);
}

Result<bool> has_print(int dir, const std::string& name, FileType type, const ObjectPrint& print) {
  RH_TRY(const struct stat found, sys::stat_at(dir, name.c_str(), AT_SYMLINK_NOFOLLOW));
  if (effects::file_type(found) != type) return false;
  std::optional<struct stat> st = found;
  RH_TRY(const Attributes now, effects::read_attributes(dir, name.c_str(), st, how(print.content)));
  return print_of(type, now) == print;
}

}  // namespace rehearse::promote
