#include "sandbox/write_limit.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "base/sys.h"
#include "base/units.h"
#include "sandbox/written_bytes.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kFullBlocks = 32;
constexpr off_t kBallast = off_t{4} << 20U;
constexpr int kProjectQuota = 2;
constexpr int kSysQuotactlFd = 443;

int quota_command(int command) {
  return static_cast<int>((static_cast<unsigned>(command) << 8U) | kProjectQuota);
}

/// A tmpfs without a size says that it has no blocks.
std::uint64_t free_of(const struct statvfs& usage) {
  return usage.f_blocks == 0 ? std::numeric_limits<std::uint64_t>::max() : usage.f_bavail * usage.f_frsize;
}

std::uint64_t free_bytes(int fd) {
  struct statvfs usage = {};
  return ::fstatvfs(fd, &usage) == 0 ? free_of(usage) : 0;
}

/// 0 would be no limit at all.
bool allow(int uppers, std::uint32_t project, std::uint64_t bytes) {
  struct if_dqblk block = {};
  block.dqb_bhardlimit = std::max<std::uint64_t>(1, (bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE);
  block.dqb_valid = QIF_BLIMITS;
  return ::syscall(kSysQuotactlFd, uppers, quota_command(Q_SETQUOTA), project, &block) == 0;
}

/// New objects below `fd` get project `id`.
bool set_project(int fd, std::uint32_t id) {
  struct fsxattr attributes = {};
  if (::ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return false;
  attributes.fsx_projid = id;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  return ::ioctl(fd, FS_IOC_FSSETXATTR, &attributes) == 0;
}

bool set_project_tree(int fd, std::uint32_t id, int depth) {
  if (!set_project(fd, id)) return false;
  if (depth == 0) return true;
  auto listing = sys::open_beneath(fd, ".", O_RDONLY | O_DIRECTORY);
  if (!listing) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(listing->release()), ::closedir);
  while (const dirent* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] == '.') continue;
    auto child = sys::open_beneath(fd, entry->d_name, O_RDONLY | O_DIRECTORY);
    if (child && !set_project_tree(child->get(), id, depth - 1)) return false;
  }
  return true;
}

}  // namespace

Result<WriteLimit> WriteLimit::create(int uppers, std::optional<std::uint64_t> limit) {
  WriteLimit made;
  RH_TRY(made.uppers_, sys::dup(uppers));
  RH_TRY(made.bundle_, sys::open_at2(uppers, "..", O_RDONLY | O_DIRECTORY, 0, 0));
  made.limit_ = limit;
  struct statvfs usage = {};
  if (::fstatvfs(uppers, &usage) != 0) return sys::last_error("statvfs", "the state directory");
  made.free_at_start_ = free_of(usage);
  made.sized_ = usage.f_blocks != 0;
  made.floor_ = std::min(usage.f_blocks * usage.f_frsize / 20, std::uint64_t{1} << 30U);
  if (made.free_at_start_ <= made.floor_) {
    return fail("the state directory's filesystem has " + format_bytes(made.free_at_start_) +
                    " free, its reserve is " + format_bytes(made.floor_),
                ExitCode::kCantCreate,
                "free some space (`rehearse gc`) or use --state on another filesystem");
  }
  if (limit) made.set_quota(uppers, *limit);
  made.lay_ballast();
  if (limit) made.measure_below_ = made.free_at_start_ > *limit ? made.free_at_start_ - *limit : 0;
  return made;
}

bool WriteLimit::set_quota(int uppers, std::uint64_t limit) {
  // Any unused project will do; the inode number of this run's directory is as good as unique.
  const auto st = sys::stat_fd(uppers);
  if (!st) return false;
  const std::uint32_t id = 0x52000000U | (static_cast<std::uint32_t>(st->st_ino) & 0x00ffffffU);
  struct if_dqblk block = {};
  if (::syscall(kSysQuotactlFd, uppers, quota_command(Q_GETQUOTA), id, &block) == 0 &&
      block.dqb_curspace != 0)
    return false;
  if (!allow(uppers, id, limit)) return false;
  if (!set_project_tree(uppers, id, 2)) return false;
  project_ = id;
  return true;
}

void WriteLimit::begin() {
  if (!limit_) return;
  struct if_dqblk block = {};
  if (project_ == 0) {
    made_ = named_bytes(uppers_.get()).value_or(0);
  } else if (::syscall(kSysQuotactlFd, uppers_.get(), quota_command(Q_GETQUOTA), project_, &block) == 0) {
    made_ = block.dqb_curspace;
    (void)allow(uppers_.get(), project_, made_ + *limit_);  // without it the first limit holds
  }
}

WriteLimit::~WriteLimit() {
  if (project_ == 0 || !uppers_.valid()) return;
  struct if_dqblk none = {};
  none.dqb_valid = QIF_BLIMITS;
  ::syscall(kSysQuotactlFd, uppers_.get(), quota_command(Q_SETQUOTA), project_, &none);
}

/// One call can take all that is free, faster than any sample: what became of it still has to be written
/// down.
void WriteLimit::lay_ballast() {
  ballast_.reset(::openat(bundle_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (ballast_.valid() && ::fallocate(ballast_.get(), 0, 0, kBallast) != 0) ballast_.reset();
}

void WriteLimit::observe_fullness() {
  struct statvfs usage = {};
  // A write that failed gives back what it had reserved: full is a handful of blocks left.
  if (::fstatvfs(bundle_.get(), &usage) == 0 && ((usage.f_blocks != 0 && usage.f_bavail <= kFullBlocks) ||
                                                 (usage.f_files != 0 && usage.f_favail == 0))) {
    was_full_ = true;
  }
  struct if_dqblk block = {};
  if (project_ != 0 &&
      ::syscall(kSysQuotactlFd, uppers_.get(), quota_command(Q_GETQUOTA), project_, &block) == 0 &&
      block.dqb_curspace > made_ && block.dqb_curspace + 8192 >= block.dqb_bhardlimit * QIF_DQBLKSIZE) {
    was_full_ = true;
  }
}

WriteLimit::State WriteLimit::check(const Processes& processes) {
  observe_fullness();
  const std::uint64_t now = free_bytes(bundle_.get());
  if (now < floor_) return State::kBelowFloor;
  if (!limit_ || project_ != 0) return State::kFine;
  // Others write to this filesystem too: measure before accusing, and not again before that could change it.
  if (sized_ && now >= measure_below_) return State::kFine;
  const std::uint64_t written = measure(processes(), now);
  if (written > *limit_) return State::kOverLimit;
  const std::uint64_t left = std::max(*limit_ - written, *limit_ / 16);
  measure_below_ = now > left ? now - left : 0;
  return State::kFine;
}

/// What cannot be measured is all that is missing; where nothing tells that, too much.
std::uint64_t WriteLimit::measure(const std::vector<pid_t>& processes, std::uint64_t free) const {
  const auto named = named_bytes(uppers_.get());
  const auto nameless = named ? nameless_bytes(processes) : std::nullopt;
  if (nameless) return (*named > made_ ? *named - made_ : 0) + *nameless;
  if (!sized_) return std::numeric_limits<std::uint64_t>::max();
  return free_at_start_ > free ? free_at_start_ - free : 0;
}

std::uint64_t WriteLimit::room() const {
  if (!sized_) return std::numeric_limits<std::uint64_t>::max();
  return std::min(free_at_start_ - floor_, limit_.value_or(std::numeric_limits<std::uint64_t>::max()));
}

std::vector<GivenBack> WriteLimit::give_back() const {
  if (!sized_ || free_bytes(bundle_.get()) >= floor_) return {};
  const std::uint64_t wanted = floor_ + (free_at_start_ - floor_) / 2;
  return empty_largest_files(uppers_.get(), [&] { return free_bytes(bundle_.get()) >= wanted; });
}

std::string WriteLimit::note() const {
  const std::string floor = sized_ ? "reserve of " + format_bytes(floor_) +
                                         " free kept by sampling (soft), and by refusing to "
                                         "allocate more than there is room in one call"
                                   : std::string("no reserve: the state directory's filesystem has no size");
  if (!limit_) return "writes: no limit; " + floor;
  if (project_ != 0) return "writes: " + format_bytes(*limit_) + " by project quota; " + floor;
  return "writes: " + format_bytes(*limit_) + " by sampling (soft: this filesystem has no project quota); " +
         floor;
}

}  // namespace rehearse::sandbox
