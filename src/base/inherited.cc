#include "base/inherited.h"

#include <csignal>

namespace rehearse {
namespace {

Inherited look() {
  Inherited found = {};
  ::getrlimit(RLIMIT_NOFILE, &found.open_files);
  ::getrlimit(RLIMIT_FSIZE, &found.file_size);
  ::getrlimit(RLIMIT_CORE, &found.core_size);
  for (int number = 1; number <= SIGRTMAX; ++number) {
    struct sigaction action = {};
    if (::sigaction(number, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
        action.sa_handler == SIG_IGN)
      found.ignored_signals |= std::uint64_t{1} << static_cast<unsigned>(number - 1);
  }
  return found;
}

}  // namespace

const Inherited& inherited() {
  static const Inherited found = look();
  return found;
}

void raise_limits() {
  const Inherited& before = inherited();
  ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  const struct rlimit most = {before.file_size.rlim_max, before.file_size.rlim_max};
  if (::setrlimit(RLIMIT_FSIZE, &none) != 0) ::setrlimit(RLIMIT_FSIZE, &most);
  // A layer takes half a dozen descriptors, and hosts have hundreds of mounts.
  const struct rlimit files = {before.open_files.rlim_max, before.open_files.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace rehearse
