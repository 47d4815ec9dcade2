#include "trace/trusted_looks.h"

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/path_argument.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 131072;  ///< some 20 MB

constexpr syscalls::NrSet kLists(Nr::listxattr, Nr::llistxattr, Nr::flistxattr, Nr::listxattrat);
constexpr syscalls::NrSet kGets(Nr::getxattr, Nr::lgetxattr, Nr::fgetxattr, Nr::getxattrat);

bool asks_for_trusted(const TraceEvent& event) {
  const std::uint32_t nr = event.record->head().nr;
  if (kLists.contains(nr)) return true;
  if (!kGets.contains(nr)) return false;
  const auto name = event.text(nr == Nr::getxattrat ? 3 : 1);
  return name && name->starts_with("trusted.");
}

}  // namespace

void TrustedLooks::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0) return;
  if (!asks_for_trusted(event) || event.result() == -ENOENT || event.result() == -ENOTDIR) return;
  const std::uint32_t nr = event.record->head().nr;
  std::string path;
  if (nr == Nr::flistxattr || nr == Nr::fgetxattr) {
    path = events.place(event);
    path = paths_.origin(path);
  } else {
    const syscalls::Syscall* call = syscalls::find_syscall(nr);
    const auto arg = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
    const auto name = arg ? path_argument(*call, *event.record, *arg) : std::nullopt;
    const auto spelled = name ? events.spell(event, name->directory, name->path) : std::nullopt;
    if (spelled) path = paths_.leads_to(*spelled);
  }
  const auto lies_below = [&](const std::string& top) { return is_within(path, top); };
  if (!path.starts_with('/') || std::ranges::any_of(apart_, lies_below)) return;
  const bool of_link = nr == Nr::llistxattr || nr == Nr::lgetxattr;
  if (const auto known = looked_.find(path); known != looked_.end()) {
    known->second = known->second && of_link;
  } else if (looked_.size() < kMost) {
    looked_.emplace(std::move(path), of_link);
  } else {
    cut_ = true;
  }
}

}  // namespace rehearse::trace
