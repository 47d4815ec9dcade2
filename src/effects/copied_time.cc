#include "effects/copied_time.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/overlay.h"

namespace rehearse::effects {
namespace {

/// A copy is put in its place, and then its directory gets its time back: two stamps of one clock, an instant
/// apart.
constexpr std::int64_t kInstant = 20'000'000;

std::int64_t to_ns(const struct statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

struct Times {
  std::int64_t born = 0;
  std::int64_t changed = 0;
  std::int64_t read = 0;
};

std::optional<Times> times_of(int directory, const char* name) {
  constexpr unsigned kWanted = STATX_BTIME | STATX_CTIME | STATX_ATIME;
  struct statx st = {};
  if (::statx(directory, name, AT_SYMLINK_NOFOLLOW, kWanted, &st) != 0) return std::nullopt;
  if ((st.stx_mask & kWanted) != kWanted) return std::nullopt;
  return Times{to_ns(st.stx_btime), to_ns(st.stx_ctime), to_ns(st.stx_atime)};
}

/// Both times of a copy are the host's. One from before the copy was made that is not, while the host's has
/// not moved, was set.
bool has_other_access_time(const Pair& pair, const Times& upper) {
  struct stat host = {};
  if (::fstatat(pair.before->directory->get(), pair.before->name.c_str(), &host, AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  const std::int64_t read = rehearse::to_ns(host.st_atim);
  return upper.read < upper.born && read < upper.born - clock_tick_ns() && upper.read != read;
}

/// Copying an entry up changes the directory and gives it its time back. True if everything in it was copied
/// there, and one of these copies, or its own, was the last that happened to it. (It is empty where a file
/// without a name was opened in it.)
bool was_last_changed_by_a_copy(const UniqueFd& directory, const Times& upper) {
  const auto names = Listing::read(directory.get());
  if (!names) return false;
  const std::int64_t changed = upper.changed;
  bool explained = changed <= upper.born + kInstant;
  for (const Listed& entry : *names) {
    const std::string name(entry.name);
    if (!overlay_xattr(directory.get(), name.c_str(), kOriginXattr)) return false;
    if (explained) continue;
    const auto times = times_of(directory.get(), name.c_str());
    explained = times && times->born <= changed && changed <= times->changed + kInstant;
  }
  return explained;
}

}  // namespace

bool has_copied_time(const Pair& pair, const Change& change, std::int64_t earliest_stamp_ns) {
  // The root of a layer is made before the action starts.
  if (change.after->ctime_ns < earliest_stamp_ns) return true;
  const auto upper = times_of(pair.after->directory->get(), pair.after->name.c_str());
  if (!upper) return false;
  const bool host_moved = change.before->ctime_ns >= upper->born - clock_tick_ns();
  const bool older_than_itself = change.after->mtime_ns < upper->born;  // else something was made in it
  if (!host_moved || !older_than_itself || has_other_access_time(pair, *upper)) return false;
  const auto directory = open_subdirectory(*pair.after->directory, pair.after->name);
  return directory && was_last_changed_by_a_copy(**directory, *upper);
}

}  // namespace rehearse::effects
