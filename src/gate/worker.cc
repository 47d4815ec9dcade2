#include "gate/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/sys.h"
#include "gate/confinement.h"

namespace rehearse::gate {
namespace {

constexpr std::string_view kReady = "ready";
constexpr int kReadyPatience = 10'000;  ///< milliseconds
constexpr int kFinishPatience = 10'000;
constexpr std::uint64_t kMemoryLimit = std::uint64_t{1} << 30U;  ///< twice what Engine lets be used

/// Descriptors of the worker, and the one it reports on.
std::vector<int> descriptors(const EngineSetup& setup, int status) {
  std::vector<int> kept = {setup.log, setup.control, status};
  if (setup.exchanges >= 0) kept.push_back(setup.exchanges);
  const RunSockets& sockets = *setup.sockets;
  for (const UniqueFd* socket :
       {&sockets.tcp4, &sockets.tcp6, &sockets.udp4, &sockets.udp6, &sockets.raw4, &sockets.raw6}) {
    if (socket->valid()) kept.push_back(socket->get());
  }
  return kept;
}

Result<void> work(const EngineSetup& setup, int supervisor, int status) {
  std::vector<int> kept = descriptors(setup, status);
  RH_CHECK(close_others(kept));
  RH_TRY(const std::uint64_t descriptors, limit_descriptors(Engine::kDescriptors));
  RH_TRY(const auto engine, Engine::create(setup, descriptors));
  RH_CHECK(confine(supervisor, kMemoryLimit));
  RH_CHECK(sys::write_all(status, kReady));
  return engine->run();
}

/// Does not return: nothing of the supervisor's may be flushed or destroyed here.
[[noreturn]] void be_worker(const EngineSetup& setup, int supervisor, int status) {
  int code = 1;
  try {
    const auto worked = work(setup, supervisor, status);
    if (!worked) (void)sys::write_all(status, worked.error().what);
    code = worked ? 0 : 1;
  } catch (const std::exception& exception) {
    (void)sys::write_all(status, exception.what());
  }
  ::_exit(code);
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

Worker::Worker(Worker&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      control_(std::move(other.control_)),
      status_(std::move(other.status_)) {}

Worker::~Worker() {
  if (pid_ > 0) (void)reap(true);
}

Result<Worker> Worker::start(const EngineSetup& setup) {
  RH_TRY(auto control, sys::pipe(O_CLOEXEC));
  RH_TRY(auto status, sys::pipe(O_CLOEXEC));
  EngineSetup made = setup;
  made.control = control.read.get();
  const pid_t supervisor = ::getpid();
  Worker worker;
  worker.pid_ = ::fork();
  if (worker.pid_ < 0) return sys::last_error("fork", "the gate's worker");
  if (worker.pid_ == 0) be_worker(made, supervisor, status.write.get());
  RH_TRY(worker.process_, sys::pidfd_open(worker.pid_));
  worker.control_ = std::move(control.write);
  worker.status_ = std::move(status.read);
  return worker;
}

Result<void> Worker::wait_ready() {
  if (!wait_for(status_.get(), kReadyPatience)) return fail("the gate's worker does not become ready");
  const std::string said = hear(status_.get());
  if (said == kReady) return {};
  return fail(fmt::format("the gate's worker does not run: {}", said.empty() ? "it was killed" : said),
              ExitCode::kUnavailable, "see `rehearse doctor`");
}

Result<void> Worker::reap(bool kill) {
  // Nobody else reaps it: the number is its own until then.
  if (kill) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return sys::last_error("waitpid", "the gate's worker");
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (kill) return fail("the gate's worker did not end and was killed");
  if (WIFSIGNALED(status))
    return fail(fmt::format("the gate's worker was killed by signal {}", WTERMSIG(status)));
  return fail(fmt::format("the gate's worker failed: {}", hear(status_.get())));
}

Result<void> Worker::finish() {
  control_.reset();
  return reap(!wait_for(process_.get(), kFinishPatience));
}

}  // namespace rehearse::gate
