#include "rehearsal/gap_concerns.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/sys.h"
#include "rehearsal/host_root.h"
#include "rehearsal/read_settlement.h"

namespace rehearse {
namespace {

using Concern = verdict::Gap::Concern;

constexpr int kMostLinks = 40;  ///< as path_resolution(7)
constexpr std::size_t kLongestInterpreter = 256;

/// Follows the host's symlinks by hand, so that it stops where a mount begins whose server may not answer.
class HostSymlinks {
 public:
  HostSymlinks(const HostRoot& host, const std::set<std::string>& mounts) : host_(host), mounts_(mounts) {}

  /// The mount among those that the path leads to or into; "" if it leads elsewhere. "?": round in circles.
  std::string leads_into(const std::string& path) {
    std::string resolved = "/";
    std::string rest = path;
    int links = 0;
    while (!rest.empty()) {
      const std::size_t slash = rest.find('/');
      const std::string part = rest.substr(0, slash);
      rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
      if (part.empty() || part == ".") continue;
      if (part == "..") {
        resolved.resize(std::max<std::size_t>(resolved.rfind('/'), 1));
        continue;
      }
      std::string at = resolved == "/" ? "" : resolved;
      at += '/';
      at += part;
      if (mounts_.contains(at)) return at;
      const Object& object = look(at);
      if (!object.there) return {};
      if (!object.link) {
        resolved = std::move(at);
        continue;
      }
      if (++links > kMostLinks) return "?";
      if (object.link->starts_with('/')) resolved = "/";
      rest.insert(0, *object.link + '/');
    }
    return {};
  }

 private:
  struct Object {
    bool there = false;
    std::optional<std::string> link;
  };

  const Object& look(const std::string& path) {
    const auto [known, fresh] = known_.try_emplace(path);
    if (!fresh) return known->second;
    const auto object = host_.find(path, false);
    known->second.there = object.has_value();
    if (!object) return known->second;
    const auto st = sys::stat_fd(object->get());
    if (!st || !S_ISLNK(st->st_mode)) return known->second;
    auto target = sys::read_link_at(object->get(), "");
    if (target)
      known->second.link = std::move(*target);
    else
      known->second.there = false;
    return known->second;
  }

  const HostRoot& host_;
  const std::set<std::string>& mounts_;
  std::map<std::string, Object> known_;
};

/// What a file of the host is executed by: of a script, or of a program.
std::string interpreter_of(const HostRoot& host, const std::string& path) {
  const auto object = host.find(path);
  if (!object) return {};
  const auto st = sys::stat_fd(object->get());
  if (!st || !S_ISREG(st->st_mode)) return {};
  const auto file = sys::open(sys::fd_path(object->get()).c_str(), O_RDONLY | O_NOATIME);
  if (!file) return {};
  std::string head(kLongestInterpreter, '\0');
  const ssize_t size = ::pread(file->get(), head.data(), head.size(), 0);
  head.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!head.starts_with("#!")) return elf_interpreter(file->get());
  const std::size_t begin = head.find_first_not_of(" \t", 2);
  if (begin == std::string::npos) return {};
  std::string word = head.substr(begin, head.find_first_of(" \t\n", begin) - begin);
  return word.starts_with('/') ? word : std::string();
}

/// The mounts that names lead to which failed elsewhere, by symlinks of the host or as interpreters.
std::set<std::string> led_to(const trace::MountTouches& touches, const std::set<std::string>& mounts) {
  std::set<std::string> found;
  const auto host = HostRoot::open();
  if (!host || touches.cut()) return mounts;
  HostSymlinks symlinks(*host, mounts);
  const auto follow = [&](const std::string& path) {
    if (path.empty()) return;
    std::string mount = symlinks.leads_into(path);
    if (mount == "?")
      found = mounts;
    else if (!mount.empty())
      found.insert(std::move(mount));
  };
  for (const std::string& name : touches.failed_names()) follow(name);
  for (const std::string& name : touches.not_executed()) {
    if (symlinks.leads_into(name).empty()) follow(interpreter_of(*host, name));
  }
  return found;
}

bool is_concerned(const verdict::Gap& gap, const trace::MountTouches& touches) {
  return std::ranges::any_of(gap.mountpoints, [&](const std::string& mountpoint) {
    const trace::MountTouches::Touch touch = touches.at(mountpoint);
    if (gap.concern == Concern::kDiffers) return touch.changed || touch.failed;
    return touch.looked || touch.failed || (gap.concern == Concern::kFile && touch.named);
  });
}

const char* unconcerned(Concern concern) {
  return concern == Concern::kDiffers ? "; nothing was changed there, and nothing failed"
                                      : "; the command did not look there";
}

}  // namespace

void settle_concerns(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                     const Recording* recording, report::RunRecord& record) {
  if (recording == nullptr) return;
  const auto changed = [&](const verdict::Gap& gap) {
    return gap.concern == Concern::kDiffers &&
           std::ranges::any_of(evidence.layers, [&](const sandbox::LayerEvidence& layer) {
             return changes.layers.contains(layer.index) &&
                    std::ranges::find(gap.mountpoints, layer.mountpoint) != gap.mountpoints.end();
           });
  };
  std::set<std::string> all;   // mount points that are shown otherwise: none of them is asked what it holds
  std::set<std::string> open;  // those that nothing is known to concern yet
  for (const verdict::Gap& gap : record.gaps) {
    if (gap.concern == Concern::kAlways) continue;
    all.insert(gap.mountpoints.begin(), gap.mountpoints.end());
    if (!changed(gap) && !is_concerned(gap, recording->touches()))
      open.insert(gap.mountpoints.begin(), gap.mountpoints.end());
  }
  if (open.empty()) return;
  const std::set<std::string> led = led_to(recording->touches(), all);
  for (verdict::Gap& gap : record.gaps) {
    const auto is_open = [&](const std::string& mountpoint) {
      return open.contains(mountpoint) && !led.contains(mountpoint);
    };
    if (gap.concern == Concern::kAlways || !std::ranges::all_of(gap.mountpoints, is_open)) continue;
    gap.cap = verdict::Level::kGreen;
    gap.why += unconcerned(gap.concern);
  }
}

}  // namespace rehearse
