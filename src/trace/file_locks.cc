#include "trace/file_locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <utility>

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 10'000;

std::uint8_t kind_of(const Record& call) {
  if (call.head().nr == SYS_flock) {
    const std::uint64_t operation = call.argument(1) & (LOCK_SH | LOCK_EX);
    return operation == LOCK_EX ? FileLocks::kFlock : operation == LOCK_SH ? FileLocks::kFlockShared : 0;
  }
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
      event.fd == nullptr || !event.fd->known_file)
    return;
  const std::uint8_t kind = kind_of(*event.record);
  const struct rh_file& file = event.fd->file;
  if (kind == 0 || (file.flags & RH_ON_OVERLAY) == 0) return;
  std::string path = paths_.origin(event.fd->name);
  if (const auto known = locked_.find(path); known != locked_.end())
    known->second |= kind;
  else if (locked_.size() < kMost)
    locked_.emplace(std::move(path), kind);
  else
    cut_ = true;
}

}  // namespace rehearse::trace
