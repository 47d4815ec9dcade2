#include "promote/differences.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "base/clock.h"
#include "promote/operation.h"

namespace rehearse::promote {
namespace {

void compare_xattrs(const Settings& then, const Settings& now, std::vector<std::string>& words) {
  for (const auto& [name, value] : then.xattrs) {
    const auto other = now.xattrs.find(name);
    if (other == now.xattrs.end())
      words.push_back(name + " removed");
    else if (other->second != value)
      words.push_back(name + " changed");
  }
  for (const auto& [name, value] : now.xattrs)
    if (!then.xattrs.contains(name)) words.push_back(name + " added");
}

}  // namespace

std::string differences(const effects::Attributes& then, const effects::Attributes& now, bool written) {
  std::vector<std::string> words;
  if (then.mode != now.mode) words.push_back(fmt::format("mode {:04o} -> {:04o}", then.mode, now.mode));
  if (then.uid != now.uid) words.push_back(fmt::format("owner {} -> {}", then.uid, now.uid));
  if (then.gid != now.gid) words.push_back(fmt::format("group {} -> {}", then.gid, now.gid));
  compare_xattrs(settings_of(then), settings_of(now), words);
  if ((then.flags & kKeptFlags) != (now.flags & kKeptFlags)) words.emplace_back("inode flags");
  if (then.size != now.size) words.push_back(fmt::format("size {} -> {}", then.size, now.size));
  if (then.sha256 && now.sha256 && then.sha256 != now.sha256) words.emplace_back("content");
  if (then.target != now.target) words.push_back("target -> " + now.target);
  if (then.rdev != now.rdev) words.emplace_back("device number");
  if (written && then.mtime_ns != now.mtime_ns)
    words.push_back(fmt::format("written {} -> {}", rfc3339(then.mtime_ns), rfc3339(now.mtime_ns)));
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace rehearse::promote
