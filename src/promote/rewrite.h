// Gives a file other bytes and leaves it the object that it is.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "promote/operation.h"
#include "promote/site.h"

namespace rehearse::promote {

/// What the file at `to` of a kRewrite holds.
enum class Held : std::uint8_t {
  kOld,    ///< the bytes of `saved`
  kNew,    ///< the bytes of `from`
  kOther,  ///< neither: somebody has written to it, or it was rewritten in part
};
struct Holding {
  Held held = Held::kOther;
  std::uint64_t size = 0;     ///< in bytes, before it was read
  std::int64_t ctime_ns = 0;  ///< the same
};
/// kStale if another file stands there.
Result<Holding> look_into(Site& site, const Operation& operation);

/// The bytes of `source`, in the store, into the file at `to` of a kRewrite, which has `old_size` bytes now.
/// kStale if another file stands there.
Result<void> rewrite(Site& site, const Operation& operation, const Place& source, std::uint64_t old_size);

}  // namespace rehearse::promote
