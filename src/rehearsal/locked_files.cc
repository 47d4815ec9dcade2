#include "rehearsal/locked_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sys.h"
#include "host/file_locks.h"
#include "rehearsal/host_root.h"

namespace rehearse {
namespace {

std::string holder_of(const host::FileLock& lock) {
  if (lock.pid == 0) return "somebody";
  auto comm = sys::read_file(fmt::format("/proc/{}/comm", lock.pid).c_str(), 64);
  if (!comm) return fmt::format("process {}", lock.pid);
  if (comm->ends_with('\n')) comm->pop_back();
  return fmt::format("{} (pid {})", *comm, lock.pid);
}

bool meets(const host::FileLock& lock, std::uint8_t kinds) {
  switch (lock.kind) {
    case host::FileLock::Kind::kFlock:
      return (kinds & trace::FileLocks::kFlock) != 0 ||
             (lock.write && (kinds & trace::FileLocks::kFlockShared) != 0);
    case host::FileLock::Kind::kPosix:
      return (kinds & trace::FileLocks::kPosix) != 0;
    case host::FileLock::Kind::kLease:
      break;
  }
  return false;
}

}  // namespace

std::vector<verdict::Gap> locked_files(const trace::FileLocks& locks) {
  std::vector<verdict::Gap> gaps;
  if (locks.cut())
    gaps.push_back({"files that were locked", "more than can be asked for locks of the host's",
                    verdict::Level::kYellow});
  if (locks.paths().empty()) return gaps;
  const auto host = HostRoot::open();
  const auto held = host ? host::file_locks() : std::vector<host::FileLock>();
  if (held.empty()) return gaps;
  for (const auto& [path, asked] : locks.paths()) {
    const std::uint8_t kinds = asked;
    const auto object = host->find(path);
    const auto st = object ? sys::stat_fd(object->get()) : tl::make_unexpected(object.error());
    if (!st) continue;
    const auto found = std::ranges::find_if(held, [&](const host::FileLock& lock) {
      return lock.ino == st->st_ino && lock.dev == st->st_dev && meets(lock, kinds);
    });
    if (found == held.end()) continue;
    gaps.push_back({fmt::format("{} is locked by {}", path, holder_of(*found)),
                    "inside nobody holds the lock: there, the command would have waited for it or been "
                    "turned away",
                    verdict::Level::kYellow});
  }
  return gaps;
}

}  // namespace rehearse
