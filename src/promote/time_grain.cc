#include "promote/time_grain.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/clock.h"
#include "base/sys.h"

namespace rehearse::promote {

Result<std::int64_t> time_grain(int directory, const std::string& name) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr struct timespec kTried = {1'000'000'001, 987'654'321};
  constexpr std::int64_t kTriedNs = kTried.tv_sec * kSecond + kTried.tv_nsec;
  (void)sys::unlink_at(directory, name.c_str(), 0);
  RH_TRY(const UniqueFd file,
         sys::open_beneath(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  const struct timespec times[2] = {{0, UTIME_OMIT}, kTried};
  const int set = ::futimens(file.get(), times);
  const int err = errno;
  const auto st = sys::stat_fd(file.get());
  RH_CHECK(sys::unlink_at(directory, name.c_str(), 0));
  if (set != 0) return fail_errno(err, "futimens");
  if (!st) return tl::make_unexpected(st.error());
  for (const std::int64_t grain : {std::int64_t{1}, std::int64_t{100}, std::int64_t{1000},
                                   std::int64_t{1'000'000}, std::int64_t{10'000'000}, kSecond, 2 * kSecond})
    if (on_grain(kTriedNs, grain) == to_ns(st->st_mtim)) return grain;
  return 1;
}

}  // namespace rehearse::promote
