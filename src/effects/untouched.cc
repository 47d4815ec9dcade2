#include "effects/untouched.h"

#include "base/clock.h"
#include "base/sys.h"
#include "effects/directory.h"

namespace rehearse::effects {

/// Whatever is changed below makes a name in the root, whatever is changed of the root itself a change time.
bool is_untouched(int upper, std::int64_t ctime_ns) {
  const auto st = sys::stat_fd(upper);
  if (!st || to_ns(st->st_ctim) != ctime_ns) return false;
  // The host's clock may be set back: names are looked for all the same.
  const auto names = Listing::read(upper);
  return names && names->size() == 0;
}

}  // namespace rehearse::effects
