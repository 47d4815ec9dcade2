#include "trace/file_change.h"

#include <fcntl.h>

#include <string_view>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/network_attempts.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr syscalls::NrSet kTimes(Nr::utime, Nr::utimes, Nr::futimesat, Nr::utimensat);
constexpr syscalls::NrSet kChanges =
    kTimes | syscalls::NrSet(Nr::truncate, Nr::rename, Nr::renameat, Nr::renameat2, Nr::mkdir, Nr::mkdirat,
                             Nr::rmdir, Nr::link, Nr::linkat, Nr::unlink, Nr::unlinkat, Nr::symlink,
                             Nr::symlinkat, Nr::chmod, Nr::fchmod, Nr::fchmodat, Nr::fchmodat2, Nr::chown,
                             Nr::fchown, Nr::lchown, Nr::fchownat, Nr::mknod, Nr::mknodat, Nr::setxattr,
                             Nr::lsetxattr, Nr::fsetxattr, Nr::setxattrat, Nr::removexattr, Nr::lremovexattr,
                             Nr::fremovexattr, Nr::removexattrat, Nr::file_setattr);

/// Of the first name of a link nothing changes but how many it has.
bool links(std::uint32_t nr) {
  return nr == Nr::link || nr == Nr::linkat;
}

/// Where a local socket gets its name; "" for other sockets, and names of no file system.
std::string bound_place(const TraceEvent& event, const EventStream& events) {
  const auto address = event.call().blobs[1];
  const std::string path = address ? unix_path(*address) : std::string();
  if (path.empty() || path.front() == '@') return {};
  return events.spell(event, AT_FDCWD, path).value_or(std::string());
}

}  // namespace

bool changes_times(std::uint32_t nr) {
  return kTimes.contains(nr);
}

bool changes_file(std::uint32_t nr) {
  return kChanges.contains(nr);
}

std::vector<std::string> changed_places(const TraceEvent& event, const EventStream& events) {
  std::vector<std::string> places;
  if (event.type != EventType::kCall || event.record->head().abi != 0) return places;
  const std::uint32_t nr = event.record->head().nr;
  const auto note = [&](std::string place) {
    if (!place.empty()) places.push_back(std::move(place));
  };
  if (nr == Nr::bind) note(bound_place(event, events));
  const syscalls::Syscall* call = changes_file(nr) ? syscalls::find_syscall(nr) : nullptr;
  if (call == nullptr) return places;
  for (unsigned arg = 0; arg < call->count; ++arg) {
    if (call->args[arg] == syscalls::Arg::kPath) note(events.place(event, arg));
  }
  if (links(nr) && places.size() == 2) places.erase(places.begin());
  if (places.empty()) note(events.place(event));
  return places;
}

}  // namespace rehearse::trace
