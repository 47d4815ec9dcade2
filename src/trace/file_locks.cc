#include "trace/file_locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 10'000;

std::uint8_t kind_of(const Record& call) {
  if (call.head().nr == SYS_flock) return FileLocks::kFlock;
  if (call.head().nr != SYS_fcntl) return 0;
  switch (call.argument(1)) {
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return FileLocks::kPosix;
    default:
      return 0;
  }
}

}  // namespace

void FileLocks::add(const TraceEvent& event) {
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0 ||
      event.fd == nullptr || !event.fd->known_file || locked_.size() >= kMost)
    return;
  const std::uint8_t kind = kind_of(*event.record);
  const struct rh_file& file = event.fd->file;
  if (kind == 0 || (file.flags & RH_ON_OVERLAY) == 0) return;
  locked_[paths_.origin(event.fd->name)] |= kind;
}

}  // namespace rehearse::trace
