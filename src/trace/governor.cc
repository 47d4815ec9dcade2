#include "trace/governor.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/no_signals.h"
#include "base/sys.h"

namespace rehearse::trace {
namespace {

constexpr int kPriority = 10;
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::nanoseconds kPatienceWithGovernor{std::chrono::seconds{13}};

void write_text(int fd, const char* text) {
  const ssize_t written = ::pwrite(fd, text, 1, 0);
  (void)written;  // the group may be gone; then there is nothing to freeze, thaw or kill
}

std::uint64_t fill(const struct rh_ring& ring) {
  return __atomic_load_n(&ring.head, __ATOMIC_ACQUIRE) - __atomic_load_n(&ring.tail, __ATOMIC_RELAXED);
}

}  // namespace

Result<std::unique_ptr<Governor>> Governor::start(RingSlot& slot, int cgroup, std::function<void()> wake) {
  std::unique_ptr<Governor> made(new Governor(slot, std::move(wake)));
  RH_TRY(made->freeze_, sys::open_beneath(cgroup, "cgroup.freeze", O_WRONLY));
  // [5.14]; without it a run that cannot be recorded is thawed and ends inconclusive.
  if (auto kill = sys::open_beneath(cgroup, "cgroup.kill", O_WRONLY)) made->kill_ = std::move(*kill);
  made->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!made->stop_.valid()) return sys::last_error("eventfd");
  const NoSignals quiet;
  made->thread_ = std::thread([governor = made.get()] { governor->run(); });
  return made;
}

Governor::~Governor() {
  if (!thread_.joinable()) return;
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
  if (freezes_ != 0) write_text(freeze_.get(), "0");
}

void Governor::emptied(std::uint64_t asked) {
  {
    const std::lock_guard lock(mutex_);
    if (asked <= answered_for_) return;
    answered_for_ = asked;
  }
  answered_.notify_all();
}

void Governor::watch() {
  const std::int64_t since = frozen_since_;
  if (since == 0 || monotonic_ns() - since < kPatienceWithGovernor.count()) return;
  give_up();
  write_text(freeze_.get(), "0");
}

void Governor::give_up() {
  gave_up_ = true;
  if (kill_.valid()) write_text(kill_.get(), "1");
}

/// Some ring is filled to more than `parts` of 256.
bool Governor::any_above(std::uint64_t parts) const {
  for (unsigned cpu = 0; cpu < slot_.cpus(); ++cpu) {
    const struct rh_ring& ring = slot_.ring(cpu);
    if (fill(ring) * 256 > parts * (ring.mask + 1)) return true;
  }
  return false;
}

bool Governor::any_above_mark() const {
  for (unsigned cpu = 0; cpu < slot_.cpus(); ++cpu) {
    if (const struct rh_ring& ring = slot_.ring(cpu); fill(ring) > ring.mark) return true;
  }
  return false;
}

void Governor::run() {
  ::pthread_setname_np(::pthread_self(), "trace-governor");
  struct sched_param priority = {};
  priority.sched_priority = kPriority;
  real_time_ = ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) == 0;
  while (true) {
    struct pollfd polls[2] = {{slot_.bell(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(polls, 2, -1) < 0) continue;
    if (polls[1].revents != 0) return;
    slot_.hear_bell();
    relieve();
  }
}

/// A ring is past its mark, or the reader is wanted at once for something else. Large ones leave time for the
/// reader, which is woken, to catch up; the run is frozen only if it does not. Where half a ring is a
/// millisecond of a flood there is no time to wait and see.
void Governor::relieve() {
  constexpr std::uint64_t kAmple = std::uint64_t{1} << 20U;
  constexpr std::uint64_t kHalf = 128;
  constexpr std::uint64_t kFreezeAbove = 160;
  constexpr int kTries = 20;
  constexpr struct timespec kPause = {0, 200'000};
  const bool ample = slot_.ring(0).mask + 1 >= kAmple;
  if (ample || !any_above_mark()) wake_();
  if (!any_above_mark()) return;
  for (int i = 0; ample && i < kTries && !any_above(kFreezeAbove); ++i) {
    if (!any_above(kHalf)) return;
    ::nanosleep(&kPause, nullptr);
  }
  if (ample && !any_above(kHalf)) return;
  const std::int64_t begun = monotonic_ns();
  frozen_since_ = begun;
  write_text(freeze_.get(), "1");
  ++freezes_;
  const std::uint64_t mine = ++asked_;
  wake_();
  std::unique_lock lock(mutex_);
  if (!answered_.wait_for(lock, kPatience, [&] { return answered_for_ >= mine; })) give_up();
  lock.unlock();
  write_text(freeze_.get(), "0");
  frozen_since_ = 0;
  frozen_ns_ += monotonic_ns() - begun;
}

}  // namespace rehearse::trace
