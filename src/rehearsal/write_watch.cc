#include "rehearsal/write_watch.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/sys.h"

namespace rehearse {
namespace {

constexpr std::size_t kMost = 16;  // it is ended at the first: more come in between

}  // namespace

Result<std::unique_ptr<WriteWatch>> WriteWatch::create() {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return sys::last_error("eventfd");
  return std::unique_ptr<WriteWatch>(new WriteWatch(std::move(stop)));
}

void WriteWatch::note(trace::WriteAttempt attempt) {
  const std::lock_guard lock(mutex_);
  if (attempts_.size() < kMost) attempts_.push_back(std::move(attempt));
  if (++total_ > 1) return;
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
}

}  // namespace rehearse
