#include "base/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <mutex>
#include <utility>

#include "base/sys.h"

namespace rehearse {
namespace {

constexpr std::string_view kReady = "ready";
constexpr int kReadyPatience = 10'000;  ///< milliseconds
constexpr int kFinishPatience = 10'000;

/// Does not return: nothing of the parent's may be flushed or destroyed here.
[[noreturn]] void be_worker(const WorkerProcess::Work& work, int status) {
  int code = 1;
  try {
    const auto worked = work(status, [status] { return sys::write_all(status, kReady); });
    if (!worked) (void)sys::write_all(status, worked.error().what);
    code = worked ? 0 : 1;
  } catch (const std::exception& exception) {
    (void)sys::write_all(status, exception.what());
  }
  ::_exit(code);
}

/// Held from where a worker's pages become its own until they are so no more.
std::mutex forking;

Result<void> advise(Pages pages, int advice) {
  if (pages.size != 0 && ::madvise(pages.begin, pages.size, advice) != 0) return sys::last_error("madvise");
  return {};
}

/// True if there is something to read before the time is up.
bool wait_for(int fd, int milliseconds) {
  struct pollfd waiting = {fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

/// What the worker has said so far.
std::string hear(int status) {
  std::array<char, 1024> text{};
  const ssize_t size = ::read(status, text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      status_(std::move(other.status_)) {}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0) (void)reap(true);
}

Result<void> WorkerProcess::keep_from_workers(Pages pages) {
  return advise(pages, MADV_DONTFORK);
}

Result<WorkerProcess> WorkerProcess::start(std::string name, const Work& work, Pages own) {
  RH_TRY(auto status, sys::pipe(O_CLOEXEC));
  WorkerProcess worker(std::move(name));
  {
    const std::lock_guard alone(forking);
    RH_CHECK(advise(own, MADV_DOFORK));
    worker.pid_ = ::fork();
    if (worker.pid_ == 0) be_worker(work, status.write.get());
    const int error = errno;
    RH_CHECK(advise(own, MADV_DONTFORK));
    if (worker.pid_ < 0) return fail_errno(error, "fork: " + worker.name_);
  }
  RH_TRY(worker.process_, sys::pidfd_open(worker.pid_));
  worker.status_ = std::move(status.read);
  return worker;
}

Result<void> WorkerProcess::wait_ready() {
  if (!wait_for(status_.get(), kReadyPatience)) return fail(name_ + " does not become ready");
  const std::string said = hear(status_.get());
  if (said == kReady) return {};
  return fail(fmt::format("{} does not run: {}", name_, said.empty() ? "it was killed" : said),
              ExitCode::kUnavailable, "see `rehearse doctor`");
}

Result<void> WorkerProcess::reap(bool kill) {
  // Nobody else reaps it: the number is its own until then.
  if (kill) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return sys::last_error("waitpid", name_);
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (kill) return fail(name_ + " did not end and was killed");
  if (WIFSIGNALED(status)) return fail(fmt::format("{} was killed by signal {}", name_, WTERMSIG(status)));
  return fail(fmt::format("{} failed: {}", name_, hear(status_.get())));
}

Result<void> WorkerProcess::finish() {
  return reap(!wait_for(process_.get(), kFinishPatience));
}

}  // namespace rehearse
