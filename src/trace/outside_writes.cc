#include "trace/outside_writes.h"

#include <sys/stat.h>

#include <array>
#include <string_view>

#include "trace/device_names.h"
#include "trace/directories.h"
#include "trace/file_change.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 100;

/// The kernel's own; what is tried there is an attempt, and in their list. Terminals are nobody else's.
bool is_pseudo(std::string_view path) {
  return path.starts_with("/proc/") || path.starts_with("/sys/") || is_within(path, "/dev/pts") ||
         is_within(path, "/dev/fd");
}

}  // namespace

bool OutsideWrites::has_layer(std::string_view path) const {
  for (std::string at(path); !at.empty(); at.resize(at.rfind('/'))) {
    if (const auto found = layers_.find(at); found != layers_.end()) return found->second;
    if (at.front() != '/') break;  // from a directory that is not known
  }
  return true;
}

void OutsideWrites::note(std::string path) {
  if (!path.empty() && !is_pseudo(path) && paths_.size() < kMost) paths_.insert(std::move(path));
}

/// Nothing is opened: the kernel does not tell where it was.
void OutsideWrites::changed(const TraceEvent& event, const EventStream& events) {
  if (changes_times(event.record->head().nr)) return;
  for (std::string& place : changed_places(event, events)) {
    if (!has_layer(place) && !is_device(place)) note(std::move(place));
  }
}

void OutsideWrites::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || paths_.size() >= kMost) return;
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags) return changed(event, events);
  if (!opens_for_writing(*flags) || event.fd == nullptr || !event.fd->known_file) return;
  const struct rh_file& file = event.fd->file;
  if ((file.flags & RH_ON_OVERLAY) == 0 && S_ISREG(file.mode)) note(events.place(event));
}

}  // namespace rehearse::trace
