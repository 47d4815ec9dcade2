#include "base/report_room.h"

#include <sys/statvfs.h>

#include <cerrno>

namespace rehearse {

bool has_room(int fd, std::uint64_t bytes) {
  struct statvfs usage = {};
  // A filesystem in memory without a limit has no blocks at all.
  if (::fstatvfs(fd, &usage) != 0 || usage.f_blocks == 0) return true;
  return usage.f_bavail * usage.f_frsize >= bytes;
}

bool is_no_space(int err) {
  return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

}  // namespace rehearse
