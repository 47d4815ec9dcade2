#include "promote/rewrite.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "promote/object_writer.h"

namespace rehearse::promote {

namespace {

constexpr std::uint64_t kHow = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
constexpr std::size_t kRoom = std::size_t{256} << 10U;

Result<UniqueFd> open_stored(Site& site, const Operation& operation, const Place& place) {
  RH_TRY(const int dir, site.volume(operation).parent(place));
  return sys::open_beneath(dir, std::string(leaf_of(place.path)).c_str(), O_RDONLY | kHow);
}

Result<UniqueFd> open_target(Site& site, const Operation& operation, std::uint64_t how) {
  RH_TRY(const Spot at, site.spot(operation, End::kTo));
  RH_TRY(UniqueFd file, sys::open_beneath(at.dir, at.name.c_str(), how | kHow));
  RH_TRY(const struct stat st, sys::stat_fd(file.get()));
  if (st.st_ino != operation.object.ino || !S_ISREG(st.st_mode))
    return fail(site.shown(operation, End::kTo) + " is another file by now", ExitCode::kStale,
                "rehearse again");
  return file;
}

/// The file's next bytes from `at` on, as many as there are and fit.
Result<std::string_view> read_at(int file, std::vector<char>& room, off_t at) {
  std::size_t have = 0;
  while (have < room.size()) {
    const ssize_t n = ::pread(file, room.data() + have, room.size() - have, at + static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys::last_error("read");
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return std::string_view(room.data(), have);
}

Result<bool> are_equal(int file, int other) {
  RH_TRY(const struct stat one, sys::stat_fd(file));
  RH_TRY(const struct stat two, sys::stat_fd(other));
  if (one.st_size != two.st_size) return false;
  std::vector<char> rooms[2] = {std::vector<char>(kRoom), std::vector<char>(kRoom)};
  for (off_t at = 0;; at += static_cast<off_t>(kRoom)) {
    RH_TRY(const std::string_view bytes, read_at(file, rooms[0], at));
    RH_TRY(const std::string_view others, read_at(other, rooms[1], at));
    if (bytes != others) return false;
    if (bytes.empty()) return true;
  }
}

}  // namespace

Result<Holding> look_into(Site& site, const Operation& operation) {
  RH_TRY(const UniqueFd target, open_target(site, operation, O_RDONLY));
  RH_TRY(const UniqueFd fresh, open_stored(site, operation, operation.from));
  RH_TRY(const UniqueFd saved, open_stored(site, operation, operation.saved));
  RH_TRY(const struct stat now, sys::stat_fd(target.get()));
  Holding holding{Held::kOld, static_cast<std::uint64_t>(now.st_size), to_ns(now.st_ctim)};
  RH_TRY(const bool old, are_equal(target.get(), saved.get()));
  if (old) return holding;
  RH_TRY(const bool ours, are_equal(target.get(), fresh.get()));
  holding.held = ours ? Held::kNew : Held::kOther;
  return holding;
}

Result<void> rewrite(Site& site, const Operation& operation, const Place& source, std::uint64_t old_size) {
  RH_TRY(const UniqueFd from, open_stored(site, operation, source));
  RH_TRY(const UniqueFd to, open_target(site, operation, O_RDWR));
  return overwrite_content(from.get(), to.get(), old_size);
}

}  // namespace rehearse::promote
