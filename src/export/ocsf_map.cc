#include "export/ocsf_map.h"

#include <fcntl.h>

#include <cerrno>

namespace rehearse::exporting {
namespace {

using syscalls::Nr;
using trace::TraceEvent;

OcsfActivity file(std::uint32_t id, unsigned path = 0) {
  return {OcsfClass::kFile, id, path};
}

/// What was asked for, not what came of it: the schema calls each activity "a request to".
std::uint32_t open_activity(std::uint64_t flags) {
  if ((flags & O_CREAT) != 0 && (flags & O_PATH) == 0) return ocsf::kFileCreate;
  return (flags & O_TRUNC) != 0 ? ocsf::kFileUpdate : ocsf::kFileOpen;
}

std::optional<OcsfActivity> by_path(const TraceEvent& event) {
  const trace::Record& record = *event.record;
  switch (record.head().nr) {
    case Nr::open:
      return file(open_activity(record.argument(1)));
    case Nr::openat:
      return file(open_activity(record.argument(2)));
    case Nr::creat:
    case Nr::mkdir:
    case Nr::mkdirat:
    case Nr::mknod:
    case Nr::mknodat:
    case Nr::symlink:
    case Nr::symlinkat:
      return file(ocsf::kFileCreate);
    case Nr::link:
    case Nr::linkat:
      return file(ocsf::kFileCreate, 1);
    case Nr::openat2:
    case Nr::open_by_handle_at:
      return file(ocsf::kFileOpen);
    case Nr::truncate:
      return file(ocsf::kFileUpdate);
    case Nr::unlink:
    case Nr::unlinkat:
    case Nr::rmdir:
      return file(ocsf::kFileDelete);
    case Nr::rename:
    case Nr::renameat:
    case Nr::renameat2:
      return file(ocsf::kFileRename);
    case Nr::chmod:
    case Nr::fchmod:
    case Nr::fchmodat:
    case Nr::fchmodat2:
    case Nr::chown:
    case Nr::lchown:
    case Nr::fchown:
    case Nr::fchownat:
    case Nr::utime:
    case Nr::utimes:
    case Nr::futimesat:
    case Nr::utimensat:
    case Nr::setxattr:
    case Nr::lsetxattr:
    case Nr::fsetxattr:
    case Nr::setxattrat:
    case Nr::removexattr:
    case Nr::lremovexattr:
    case Nr::fremovexattr:
    case Nr::removexattrat:
      return file(ocsf::kFileSetAttributes);
    case Nr::stat:
    case Nr::lstat:
    case Nr::newfstatat:
    case Nr::statx:
    case Nr::access:
    case Nr::faccessat:
    case Nr::faccessat2:
    case Nr::readlink:
    case Nr::readlinkat:
    case Nr::getxattr:
    case Nr::lgetxattr:
    case Nr::listxattr:
    case Nr::llistxattr:
      return file(ocsf::kFileGetAttributes);
    case Nr::mount:
      return file(ocsf::kFileMount);
    case Nr::umount2:
      return file(ocsf::kFileUnmount);
    default:
      return std::nullopt;
  }
}

/// Reading and writing, where the descriptor stands for something in a filesystem.
std::optional<OcsfActivity> by_descriptor(const TraceEvent& event) {
  if (event.fd == nullptr) return std::nullopt;
  const char type = event.fd->type;
  if (type != 'f' && type != 'd' && type != 'c') return std::nullopt;
  switch (event.record->head().nr) {
    case Nr::read:
    case Nr::pread64:
    case Nr::readv:
    case Nr::preadv:
    case Nr::preadv2:
    case Nr::getdents:
    case Nr::getdents64:
      return file(ocsf::kFileRead);
    case Nr::write:
    case Nr::pwrite64:
    case Nr::writev:
    case Nr::pwritev:
    case Nr::pwritev2:
    case Nr::ftruncate:
    case Nr::fallocate:
      return file(ocsf::kFileUpdate);
    case Nr::fstat:
      return file(ocsf::kFileGetAttributes);
    default:
      return std::nullopt;
  }
}

std::optional<OcsfActivity> by_network(const TraceEvent& event) {
  const auto network = [](std::uint32_t id) { return OcsfActivity{OcsfClass::kNetwork, id}; };
  switch (event.record->head().nr) {
    case Nr::connect:
      if (event.failed() && event.result() == -ECONNREFUSED) return network(ocsf::kNetworkRefuse);
      if (event.failed() && event.result() != -EINPROGRESS) return network(ocsf::kNetworkFail);
      return network(ocsf::kNetworkOpen);
    case Nr::accept:
    case Nr::accept4:
      return network(event.failed() ? ocsf::kNetworkFail : ocsf::kNetworkOpen);
    case Nr::listen:
      return network(ocsf::kNetworkListen);
    case Nr::bind:
      return network(ocsf::kOther);
    case Nr::sendto:
      // Without an address it is a write to what was connected before.
      if (event.record->argument(4) == 0) return std::nullopt;
      return network(ocsf::kNetworkTraffic);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<OcsfActivity> ocsf_activity(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  const syscalls::Syscall* known = head.abi == 0 ? syscalls::find_syscall(head.nr) : nullptr;
  if (known == nullptr) return std::nullopt;
  switch (head.nr) {
    case Nr::execve:
    case Nr::execveat:
      // One that succeeds is an event of its own.
      if (!event.failed()) return std::nullopt;
      return OcsfActivity{OcsfClass::kProcess, ocsf::kProcessLaunch};
    case Nr::setuid:
    case Nr::setreuid:
    case Nr::setresuid:
    case Nr::setfsuid:
      return OcsfActivity{OcsfClass::kProcess, ocsf::kProcessSetUser};
    case Nr::init_module:
    case Nr::finit_module:
      return OcsfActivity{OcsfClass::kModule, ocsf::kModuleLoad};
    case Nr::delete_module:
      return OcsfActivity{OcsfClass::kModule, ocsf::kModuleUnload};
    default:
      break;
  }
  if (const auto found = by_network(event)) return found;
  if (const auto found = by_path(event)) return found;
  if (const auto found = by_descriptor(event)) return found;
  if (known->privilege != syscalls::Privilege::kNone)
    return OcsfActivity{OcsfClass::kKernel, ocsf::kKernelInvoke};
  return std::nullopt;
}

}  // namespace rehearse::exporting
