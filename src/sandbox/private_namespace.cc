#include "sandbox/private_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

/// Sets the effective capabilities to the permitted ones without `without`.
Result<void> raise_effective(std::uint64_t without) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return sys::last_error("capget");
  data[0].effective = data[0].permitted & ~static_cast<std::uint32_t>(without);
  data[1].effective = data[1].permitted & ~static_cast<std::uint32_t>(without >> 32U);
  if (::syscall(SYS_capset, &header, data) != 0) return sys::last_error("capset");
  return {};
}

}  // namespace

Result<PrivateNamespace> PrivateNamespace::enter(int working_directory) {
  PrivateNamespace made;
  RH_TRY(made.root_, sys::open("/", O_PATH | O_DIRECTORY));
  RH_TRY(made.directory_, sys::open(".", O_PATH | O_DIRECTORY));
  RH_TRY(auto host, sys::open("/proc/self/ns/mnt", O_RDONLY));
  if (::fchdir(working_directory) != 0) return sys::last_error("fchdir", "the run's directory");
  if (auto done = sys::unshare(CLONE_NEWNS); !done) {
    (void)::fchdir(made.directory_.get());
    return fail_errno(done.error().err, "cannot make a private mount namespace", ExitCode::kUnavailable,
                      "see `rehearse doctor`");
  }
  made.namespace_ = std::move(host);  // from here on there is something to leave
  RH_CHECK(sys::make_private_recursive());
  return made;
}

PrivateNamespace::~PrivateNamespace() {
  (void)leave();
}

Result<void> PrivateNamespace::leave() {
  if (!namespace_.valid()) return {};
  RH_CHECK(sys::set_namespace(namespace_.get(), CLONE_NEWNS));
  namespace_.reset();
  if (::fchdir(root_.get()) != 0 || ::chroot(".") != 0 || ::fchdir(directory_.get()) != 0) {
    return sys::last_error("cannot return to the host's root");
  }
  return {};
}

Result<MounterIdentity> MounterIdentity::assume(std::uint32_t shift) {
  RH_CHECK(sys::set_fs_ids(shift, shift));
  MounterIdentity made;
  // setfsuid(2) away from 0 drops the file capabilities from the effective set.
  RH_CHECK(raise_effective(std::uint64_t{1} << CAP_SYS_RESOURCE));
  return made;
}

Result<void> MounterIdentity::drop() {
  if (!active_) return {};
  active_ = false;
  RH_CHECK(sys::set_fs_ids(0, 0));
  return raise_effective(0);
}

}  // namespace rehearse::sandbox
