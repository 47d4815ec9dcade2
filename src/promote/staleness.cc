#include "promote/staleness.h"

#include <fcntl.h>

#include <cerrno>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "host/mounts.h"
#include "promote/mount_points.h"
#include "promote/staleness_facts.h"

namespace rehearse::promote {
namespace {

using effects::Change;

constexpr const char* kEntries = "; an entry came, went or has got another name";

/// Walks one mount for what changed since a moment.
class MountCheck {
 public:
  MountCheck(Volume& volume, std::int64_t since_ns, const StalenessRules& rules,
             const std::string& state_path, const std::unordered_set<std::string>& about, Staleness& result)
      : volume_(volume),
        since_ns_(since_ns),
        rules_(rules),
        state_path_(state_path),
        about_(about),
        result_(result) {}

  Result<void> check() {
    RH_TRY(const auto mounts, host::read_mounts());
    for (MountPoint& point : points_within(volume_, mounts))
      if (point.shows == MountPoint::Shows::kOther) hidden_.insert(std::move(point.path));
    RH_TRY(const struct stat root, sys::stat_fd(volume_.root()));
    const std::string& top = volume_.mountpoint();
    if (to_ns(root.st_mtim) > since_ns_ && !rules_.own.explain(top, to_ns(root.st_mtim)))
      note(rules_, result_,
           {top, "on its mount", "no entry of it changed after the rehearsal began",
            describe(root) + kEntries, owner_of(root)});
    std::vector<std::string> waiting = {""};  // relative to the mount
    while (!waiting.empty()) {
      const std::string path = std::move(waiting.back());
      waiting.pop_back();
      auto directory = open_below(volume_.root(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
      if (!directory) {
        if (directory.error().err != ENOENT)
          result_.ignored.push_back({volume_.shown({Area::kHost, path}), directory.error().what});
        continue;
      }
      RH_TRY(const auto names, effects::Listing::read(directory->get()));
      for (const effects::Listed& entry : names)
        look(directory->get(), path, std::string(entry.name), waiting);
    }
    return {};
  }

 private:
  void look(int directory, const std::string& parent, const std::string& name,
            std::vector<std::string>& waiting) {
    const std::string path = parent.empty() ? name : parent + '/' + name;
    const std::string full = volume_.shown({Area::kHost, path});
    struct stat st = {};
    if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) return;
    if (st.st_dev != volume_.device() || full == state_path_ || path == kStoreDirectory ||
        hidden_.contains(full) || ignored_by(rules_, full, result_) != nullptr)
      return;
    if (S_ISDIR(st.st_mode)) waiting.push_back(path);
    if (has_moved(full, st))
      note(rules_, result_,
           {full, "on its mount", "not changed after the rehearsal began", describe(st) + how_moved(st),
            owner_of(st)});
  }

  [[nodiscard]] const char* how_moved(const struct stat& st) const {
    if (!S_ISDIR(st.st_mode)) return "";
    return to_ns(st.st_mtim) > since_ns_ ? kEntries : "; its attributes were changed, not its entries";
  }

  [[nodiscard]] bool has_moved(const std::string& full, const struct stat& st) const {
    const bool about = about_.contains(full);
    const std::int64_t ctime_ns = to_ns(st.st_ctim);
    if (rules_.own.explain(full, ctime_ns)) return false;
    if (!S_ISDIR(st.st_mode)) return !about && ctime_ns > since_ns_;
    // Of one that the run changed the attributes are compared by themselves; a rollback gives the time back.
    const bool entries = to_ns(st.st_mtim) > since_ns_;
    return entries || (!about && !rules_.own.worked_in(full) && ctime_ns > since_ns_);
  }

  Volume& volume_;
  std::int64_t since_ns_;
  const StalenessRules& rules_;
  const std::string& state_path_;
  const std::unordered_set<std::string>& about_;
  Staleness& result_;
  std::set<std::string> hidden_;  ///< what others are mounted upon: nobody sees what the volume has there
};

}  // namespace

std::vector<StaleIgnore> default_stale_ignore() {
  std::vector<StaleIgnore> all;
  for (const char* glob :
       {"/var/log/**", "/var/cache/**", "/run/utmp", "/var/run/utmp", "/run/log/**", "/run/rehearse/**"})
    all.push_back({glob, "built in"});
  return all;
}

bool glob_matches(std::string_view glob, std::string_view path) {
  while (!glob.empty()) {
    if (glob.starts_with("**")) {
      glob.remove_prefix(2);
      for (std::size_t at = 0; at <= path.size(); ++at) {
        if (glob_matches(glob, path.substr(at))) return true;
      }
      return false;
    }
    if (glob.front() == '*') {
      glob.remove_prefix(1);
      for (std::size_t at = 0; at <= path.size(); ++at) {
        if (glob_matches(glob, path.substr(at))) return true;
        if (at < path.size() && path[at] == '/') return false;
      }
      return false;
    }
    if (path.empty() || (glob.front() == '?' ? path.front() == '/' : glob.front() != path.front()))
      return false;
    glob.remove_prefix(1);
    path.remove_prefix(1);
  }
  return path.empty();
}

Result<void> check_mounts(std::span<const Change> changes, const Plan& plan, std::span<Volume> volumes,
                          std::int64_t since_ns, const StalenessRules& rules, const std::string& state_path,
                          Staleness& result) {
  std::unordered_set<std::string> about;
  for (std::size_t v = 0; v < volumes.size(); ++v) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (changes[i].layer != plan.layers[v].layer) continue;
      about.insert(changes[i].path);
      if (changes[i].before) about.insert(volumes[v].shown({Area::kHost, plan.origins[i]}));
    }
  }
  for (Volume& volume : volumes)
    RH_CHECK(MountCheck(volume, since_ns, rules, state_path, about, result).check());
  return {};
}

}  // namespace rehearse::promote
