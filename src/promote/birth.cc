#include "promote/birth.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace rehearse::promote {

bool is_born_since(int dir, const std::string& name, std::int64_t since_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  struct statx found = {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(dir, name.c_str(), flags, STATX_BTIME, &found) != 0 || (found.stx_mask & STATX_BTIME) == 0)
    return false;
  return found.stx_btime.tv_sec * kSecond + found.stx_btime.tv_nsec >= since_ns;
}

}  // namespace rehearse::promote
