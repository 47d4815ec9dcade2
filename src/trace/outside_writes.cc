#include "trace/outside_writes.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <string_view>
#include <vector>

#include "syscalls/table.h"
#include "trace/device_names.h"
#include "trace/directories.h"
#include "trace/file_change.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && is_within(path, directory);
}

/// The kernel's own; what is tried there is an attempt, and in their list. Terminals are nobody else's.
bool is_pseudo(std::string_view path) {
  return is_below(path, "/proc") || is_below(path, "/sys") || is_below(path, "/dev/pts") ||
         is_below(path, "/dev/fd");
}

bool removes(std::uint32_t nr) {
  return nr == Nr::unlink || nr == Nr::unlinkat || nr == Nr::rmdir;
}

bool renames(std::uint32_t nr) {
  return nr == Nr::rename || nr == Nr::renameat || nr == Nr::renameat2;
}

/// It has no name: it gets one by a link, or goes with its descriptor.
bool is_nameless(std::uint64_t flags) {
  return (flags & O_TMPFILE) == O_TMPFILE;
}

bool works_on_descriptor(std::uint32_t nr) {
  return nr == Nr::fchmod || nr == Nr::fchown || nr == Nr::fsetxattr || nr == Nr::fremovexattr;
}

}  // namespace

bool OutsideWrites::has_layer(std::string_view path) const {
  for (std::string at(path); !at.empty(); at.resize(at.rfind('/'))) {
    if (const auto found = layers_.find(at); found != layers_.end()) return found->second;
    if (at.front() != '/') break;  // from a directory that is not known
  }
  return true;
}

bool OutsideWrites::begins_empty(std::string_view path) const {
  return (is_below(path, "/dev/shm") || is_below(path, "/dev/mqueue")) && !has_layer(path);
}

void OutsideWrites::note(std::string path) {
  if (path.empty() || is_pseudo(path) || paths_.size() >= kMost) return;
  paths_.insert(std::move(path));
}

/// False: it stays among the paths, since not all of them are known, or what it was is not.
bool OutsideWrites::forget(const std::string& path) {
  if (!begins_empty(path) || paths_.size() >= kMost || removed_.size() >= kMost) return false;
  if (paths_.erase(path) == 0) return false;
  removed_.insert(path);
  return true;
}

/// Nothing is opened: the kernel does not tell where it was.
void OutsideWrites::changed(const TraceEvent& event, const EventStream& events) {
  const std::uint32_t nr = event.record->head().nr;
  if (changes_times(nr)) return;
  std::vector<std::string> places = changed_places(event, events);
  // Of two that are exchanged both are there afterwards, and where a mark is left the first is.
  constexpr std::uint64_t kBothStay = RENAME_EXCHANGE | RENAME_WHITEOUT;
  const bool moves = renames(nr) && places.size() == 2 &&
                     (nr != Nr::renameat2 || (event.record->argument(4) & kBothStay) == 0);
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::string& place = places[i];
    if (has_layer(place) || is_device(place)) continue;
    // The name that it was opened by is gone: so is the object, or it has another that is known.
    if (works_on_descriptor(nr) && removed_.contains(place) && !paths_.contains(place)) continue;
    const bool gone = removes(nr) || (moves && i == 0);
    if (!gone || !forget(place)) note(std::move(place));
  }
}

/// POSIX message queues have a namespace of their own, mounted or not.
void OutsideWrites::queue(const TraceEvent& event) {
  const auto name = event.text(0);
  if (!name) return;
  std::string path = "/dev/mqueue/" + std::string(*name);
  const bool made = event.record->head().nr == Nr::mq_open;
  if (made && (event.record->argument(1) & O_CREAT) != 0)
    note(std::move(path));
  else if (!made)
    forget(path);
}

void OutsideWrites::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || paths_.size() >= kMost) return;
  if (event.record->head().abi != 0) return;
  const std::uint32_t nr = event.record->head().nr;
  if (nr == Nr::mq_open || nr == Nr::mq_unlink) return queue(event);
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags) return changed(event, events);
  if (!opens_for_writing(*flags) || event.fd == nullptr || !event.fd->known_file) return;
  const struct rh_file& file = event.fd->file;
  if ((file.flags & RH_ON_OVERLAY) != 0 || !S_ISREG(file.mode)) return;
  std::string place = events.place(event);
  if (!is_nameless(*flags) || !begins_empty(place)) note(std::move(place));
}

}  // namespace rehearse::trace
