#include "rehearsal/outside_gaps.h"

#include <fmt/format.h>
#include <sys/ipc.h>

#include <string>
#include <string_view>

#include "rehearsal/some.h"

namespace rehearse {
namespace {

std::string_view name_of(trace::IpcKind kind) {
  switch (kind) {
    case trace::IpcKind::kShm:
      return "shared memory";
    case trace::IpcKind::kSem:
      return "semaphores";
    case trace::IpcKind::kMsg:
      return "message queue";
  }
  return "";
}

/// Numbers are the run's own; a key is what others find it by.
std::string describe(const trace::IpcObjects::Object& object, std::int32_t key) {
  const std::string text = fmt::format("{} {}", name_of(object.first), object.second);
  return key == IPC_PRIVATE ? text : fmt::format("{} (key {:#x})", text, static_cast<std::uint32_t>(key));
}

}  // namespace

std::vector<verdict::Gap> outside_gaps(const trace::OutsideWrites& writes, const trace::IpcObjects& ipc,
                                       const HostRoot* host) {
  std::vector<verdict::Gap> gaps;
  const auto add = [&gaps](std::string what, const char* why) {
    gaps.push_back({std::move(what), why, verdict::Level::kYellow});
  };
  if (!writes.paths().empty())
    add("written where no layer is: " + some(writes.paths()),
        "it is gone after the run and not in the list of changes");
  std::vector<std::string> met;
  for (const std::string& path : writes.removed())
    if (host == nullptr || host->find(path, false)) met.push_back(path);
  if (!met.empty())
    add("made and removed again, and this host has it: " + some(met),
        "the clone does not show it; on the host the action may have changed and removed that");
  std::vector<std::string> left;
  for (const auto& [object, key] : ipc.left()) left.push_back(describe(object, key));
  if (!left.empty())
    add("made and not removed: " + some(left),
        "on the host they are there until somebody removes them; here they went with the run, and are not in "
        "the list of changes");
  if (ipc.cut()) add("System V objects", "more were made than are followed: some of them may be left");
  return gaps;
}

}  // namespace rehearse
