#include "promote/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/clock.h"
#include "base/stop_request.h"
#include "base/sys.h"

namespace rehearse::promote {
namespace {

/// The same for all state directories of the host.
constexpr const char* kDirectory = "/run/rehearse";
constexpr const char* kName = "promotion.lock";
constexpr long kPauseNs = 20'000'000;

Result<UniqueFd> open_lock_file() {
  auto made = sys::mkdir_at(AT_FDCWD, kDirectory, 0700);
  if (!made && made.error().err != EEXIST)
    return fail_for(made.error().err, "cannot make " + std::string(kDirectory) + ": " + made.error().what,
                    ExitCode::kCantCreate, "the lock of promotions lies there");
  RH_TRY(const UniqueFd directory, sys::open(kDirectory, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const struct stat st, sys::stat_fd(directory.get()));
  if (st.st_uid != 0 || (st.st_mode & 022U) != 0)
    return fail(std::string(kDirectory) + " can be written by others than root", ExitCode::kConfig,
                "chown root " + std::string(kDirectory) + " && chmod 0700 " + kDirectory);
  return sys::open_beneath(directory.get(), kName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

Result<bool> lock_now(const UniqueFd& file) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK || errno == EINTR) return false;
  return sys::last_error("flock", kName);
}

/// " (pid 12, run X)".
std::string holder_of(const UniqueFd& file) {
  std::string holder(256, '\0');
  const ssize_t n = ::pread(file.get(), holder.data(), holder.size(), 0);
  holder.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder.empty() ? "" : " (" + holder + ")";
}

/// What others are told; failing to say it is no reason to stop.
void sign(const UniqueFd& file, const std::string& run) {
  const std::string line = fmt::format("pid {}, run {}\n", ::getpid(), run);
  if (::ftruncate(file.get(), 0) == 0) (void)!::pwrite(file.get(), line.data(), line.size(), 0);
}

}  // namespace

Result<std::optional<HostLock>> HostLock::try_take(const std::string& run) {
  RH_TRY(UniqueFd file, open_lock_file());
  RH_TRY(const bool mine, lock_now(file));
  if (!mine) return std::optional<HostLock>();
  sign(file, run);
  return std::optional<HostLock>(HostLock(std::move(file)));
}

Result<HostLock> HostLock::take(const std::string& run, std::int64_t wait_ns,
                                const std::function<void(const std::string&)>& waiting) {
  const std::int64_t until = monotonic_ns() + wait_ns;
  RH_TRY(UniqueFd file, open_lock_file());
  while (true) {
    RH_TRY(const bool mine, lock_now(file));
    if (mine) break;
    const std::string other = "another promotion" + holder_of(file);
    RH_CHECK(stop_request::check("it was waiting for another promotion; nothing was changed"));
    if (monotonic_ns() >= until)
      return fail(other + " is going on", ExitCode::kTryLater,
                  "try again when it is over, or wait longer: --wait 5m");
    if (waiting) waiting("waiting for " + other);
    struct timespec pause = {};
    pause.tv_nsec = kPauseNs;
    ::nanosleep(&pause, nullptr);
  }
  sign(file, run);
  return HostLock(std::move(file));
}

}  // namespace rehearse::promote
