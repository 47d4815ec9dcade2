#include "promote/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <sstream>

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

/// The process that took the lock, as the kernel lists it; 0 if it cannot be told, or is no more: then some
/// process that it has left behind has it.
int locker_of(const UniqueFd& file) {
  const auto st = sys::stat_fd(file.get());
  const auto list = sys::read_file("/proc/locks");
  if (!st || !list) return 0;
  const std::string object =
      fmt::format(" {:02x}:{:02x}:{} ", major(st->st_dev), minor(st->st_dev), st->st_ino);
  std::istringstream lines(*list);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string advisory;
    std::string access;
    int pid = 0;
    if (line.find(object) == std::string::npos || !(words >> number >> kind >> advisory >> access >> pid) ||
        kind != "FLOCK")
      continue;
    return pid > 0 && ::kill(pid, 0) == 0 ? pid : 0;
  }
  return 0;
}

/// What its holder has written into the file: "pid 12, run X".
std::string signature(const UniqueFd& file) {
  std::string line(256, '\0');
  const ssize_t n = ::pread(file.get(), line.data(), line.size(), 0);
  line.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

/// Who holds the lock, one sentence. What is written in the file may be of somebody who had it before.
std::string holder_of(const UniqueFd& file) {
  const int pid = locker_of(file);
  const std::string written = signature(file);
  if (pid != 0 && written.starts_with(fmt::format("pid {},", pid)))
    return "another promotion (" + written + ") is going on";
  const std::string lock = fmt::format("the lock of promotions, {}/{}, is held by ", kDirectory, kName);
  if (pid == 0) return lock + "a process that is not known";
  auto comm = sys::read_file(("/proc/" + std::to_string(pid) + "/comm").c_str(), 64);
  if (!comm) return lock + fmt::format("pid {}", pid);
  while (!comm->empty() && comm->back() == '\n') comm->pop_back();
  return lock + fmt::format("pid {} ({})", pid, *comm);
}

/// What others are told; failing to say it is no reason to stop.
void sign(const UniqueFd& file, const std::string& run) {
  const std::string line = fmt::format("pid {}, run {}\n", ::getpid(), run);
  if (::ftruncate(file.get(), 0) == 0) (void)!::pwrite(file.get(), line.data(), line.size(), 0);
}

}  // namespace

Result<std::optional<HostLock>> HostLock::try_take(const std::string& run, std::string* holder) {
  RH_TRY(UniqueFd file, open_lock_file());
  RH_TRY(const bool mine, lock_now(file));
  if (!mine) {
    if (holder != nullptr) *holder = holder_of(file);
    return std::optional<HostLock>();
  }
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
    RH_CHECK(stop_request::check("it was waiting for another promotion; nothing was changed"));
    if (monotonic_ns() >= until)
      return fail(holder_of(file), ExitCode::kTryLater,
                  "try again when it is over, or wait longer: --wait 5m");
    if (waiting) waiting("waiting: " + holder_of(file));
    struct timespec pause = {};
    pause.tv_nsec = kPauseNs;
    ::nanosleep(&pause, nullptr);
  }
  sign(file, run);
  return HostLock(std::move(file));
}

}  // namespace rehearse::promote
