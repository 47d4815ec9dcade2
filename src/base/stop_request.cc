#include "base/stop_request.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

namespace rehearse::stop_request {
namespace {

std::atomic<int> received = 0;
std::atomic<bool> late = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

constexpr std::string_view kTooLate = "\nrehearse: too late to stop: it goes on to its end\n";

/// Only what signal-safety(7) allows.
void note(int number) {
  const int err = errno;
  if (late.load())
    (void)!::write(STDERR_FILENO, kTooLate.data(), kTooLate.size());
  else
    received.store(number);
  errno = err;
}

}  // namespace

void listen() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction before = {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    (void)::sigaction(number, &action, nullptr);
  }
}

Result<void> check(const char* so_far) {
  const int number = received.load();
  if (number == 0) return {};
  return fail(std::string("stopped by SIG") + ::sigabbrev_np(number) + ": " + so_far,
              static_cast<ExitCode>(128 + number), "say it again when it may go on");
}

void too_late() {
  late.store(true);
}

}  // namespace rehearse::stop_request
