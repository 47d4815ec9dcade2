#include "trace/outside_writes.h"

#include <sys/stat.h>

#include <array>
#include <string_view>

#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kMost = 100;

/// The kernel's own; what is tried there is an attempt, and in their list.
bool is_pseudo(std::string_view path) {
  return path.starts_with("/proc/") || path.starts_with("/sys/");
}

}  // namespace

void OutsideWrites::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.failed() || event.fd == nullptr ||
      !event.fd->known_file || paths_.size() >= kMost)
    return;
  const struct rh_file& file = event.fd->file;
  if ((file.flags & RH_ON_OVERLAY) != 0 || !S_ISREG(file.mode)) return;
  const auto flags = open_flags(*event.record, event.entry);
  if (!flags || !opens_for_writing(*flags)) return;
  std::string path = events.place(event);
  if (!path.empty() && !is_pseudo(path)) paths_.insert(std::move(path));
}

}  // namespace rehearse::trace
