// Locks that processes of this host hold on files: /proc/locks (proc(5)).
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

namespace rehearse::host {

struct FileLock {
  enum class Kind { kFlock, kPosix, kLease } kind = Kind::kFlock;
  bool write = false;
  int pid = 0;  ///< 0: of an open file description (F_OFD_SETLK), or of another pid namespace
  dev_t dev = 0;
  ino_t ino = 0;
};

/// Of the text of /proc/locks; lines of those who wait and what cannot be read are left out.
std::vector<FileLock> parse_locks(std::string_view text);
/// None if it cannot be read.
std::vector<FileLock> file_locks();

}  // namespace rehearse::host
