// What an object is like, settings and content, as one digest: by this an edit is noticed that moves neither
// its size nor its time.
#pragma once

#include <cstdint>
#include <string>

#include "base/codec.h"
#include "base/digest.h"
#include "base/result.h"
#include "effects/change.h"

namespace rehearse::promote {

struct ObjectPrint {
  enum class Content : std::uint8_t { kLeftOut, kPlain, kSparse };  ///< how it was read: effects::Content
  Content content = Content::kLeftOut;
  Sha256 digest = {};
  bool operator==(const ObjectPrint&) const = default;
};

/// Of an object by its recorded attributes. Not of directories' modification times, which whoever works in
/// them moves; nor of the content of a file that has no digest on record.
ObjectPrint print_of(effects::FileType type, const effects::Attributes& attributes);

struct Settings;

/// For a digest. Not the modification time of a directory.
void encode_settings(Encoder& out, effects::FileType type, const Settings& settings);

/// Of `name` in `dir` as it is now; a file is read.
Result<ObjectPrint> take_print(int dir, const std::string& name);

/// `name` in `dir` is like that: it is read as the print was.
Result<bool> has_print(int dir, const std::string& name, effects::FileType type, const ObjectPrint& print);

}  // namespace rehearse::promote
