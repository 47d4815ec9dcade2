#include "sandbox/plan.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "base/escape.h"
#include "base/own_names.h"
#include "base/path.h"
#include "sandbox/capabilities.h"
#include "sandbox/filesystems.h"

namespace rehearse::sandbox {
namespace {

using host::Mount;

constexpr const char* kOwnState = "rehearse's own state";
constexpr const char* kOnRequest = "hidden on request";

constexpr const char* kCredentials = "/run/credentials";
constexpr const char* kCredentialsWhy = "credentials that systemd passes to a service";

/// The part of `path` below `prefix`, without a leading slash.
std::string below(std::string_view path, std::string_view prefix) {
  if (prefix != "/") path.remove_prefix(prefix.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return std::string(path);
}

std::string join(std::string_view directory, std::string_view rest) {
  std::string path(directory);
  if (rest.empty()) return path;
  if (!path.empty() && path.back() != '/') path += '/';
  return path.append(rest);
}

/// Objects of one superblock share a key. The subvolumes of btrfs share a device number but have inode
/// numbers of their own, so each is a filesystem here.
std::string superblock_key(const Mount& mount) {
  std::string key = std::to_string(mount.major) + ':' + std::to_string(mount.minor);
  if (mount.fstype == "btrfs") {
    const auto at = mount.super_options.find("subvolid=");
    if (at != std::string::npos)
      key += '/' + mount.super_options.substr(at, mount.super_options.find(',', at) - at);
  }
  return key;
}

class Planner {
 public:
  Planner(Request request, const host::HostFacts& facts) : facts_(facts) {
    plan_.request = std::move(request);
  }

  Result<Plan> make() {
    RH_CHECK(classify_mounts());
    if (plan_.request.read_only) place_scratch();
    drop_orphans();
    assign_layers();
    RH_CHECK(hide_all());
    if (plan_.request.read_only) make_read_only();
    place_masks();
    decide_limits();
    name_gaps();
    return std::move(plan_);
  }

 private:
  Result<void> classify_mounts();
  void classify_kernel(const Mount& mount, MountPlan& shown) const;
  void assign_layers();
  void place_scratch();
  void make_read_only();
  Result<void> hide(const std::string& path, const char* why);
  Result<void> hide_all();
  void drop_orphans();
  void place_masks();
  void place_stores();
  void place_service_manager();
  void decide_limits();
  void name_gaps();
  [[nodiscard]] std::string lost_rights() const;

  /// Index of the shown mount that a path walk to `path` ends in.
  [[nodiscard]] std::size_t mount_of(std::string_view path) const;
  struct Place {
    std::uint32_t layer;
    std::string path;  ///< relative to the layer
  };
  [[nodiscard]] std::optional<Place> place_of(std::string_view path) const;
  /// A path within a filesystem, whatever mounts show it. Several layers may: btrfs shows a subvolume by
  /// itself and below its parent.
  struct Object {
    unsigned major;
    unsigned minor;
    std::string path;  ///< from the filesystem's own root
  };
  [[nodiscard]] std::optional<Object> object_at(std::string_view path) const;
  /// True if `object` lies below what mount number `mount` shows.
  [[nodiscard]] bool holds(std::size_t mount, const Object& object) const;
  void gap(std::string what, std::string why, verdict::Level cap) {
    plan_.gaps.push_back({std::move(what), std::move(why), cap});
  }

  const host::HostFacts& facts_;
  Plan plan_;
  std::vector<const Mount*> sources_;  ///< parallel to plan_.mounts
  std::deque<Mount> made_;             ///< those that the host does not have
};

void Planner::classify_kernel(const Mount& mount, MountPlan& shown) const {
  const std::string& at = mount.mountpoint;
  if (mount.fstype == "proc" && at == "/proc") {
    shown.show = Show::kProc;
    if (plan_.request.profile == Profile::kRoot) shown.why = "read-only but for processes";
  } else if (mount.fstype == "sysfs" && at == "/sys") {
    shown.show = Show::kSysfs;
  } else if (mount.fstype == "mqueue" && at == "/dev/mqueue") {
    shown.show = Show::kMqueue;
  } else if (mount.fstype == "devpts" && at == "/dev/pts") {
    shown.show = Show::kDevpts;
  } else if (mount.fstype == "cgroup2" && at == "/sys/fs/cgroup" &&
             plan_.request.profile == Profile::kShifted) {
    shown.show = Show::kCgroup;
  } else {
    // Elsewhere, as in a jail, what it covers would show in its place.
    const bool among = is_within(at, "/dev") || is_within(at, "/proc") || is_within(at, "/sys");
    shown.show = among ? Show::kAbsent : Show::kHidden;
    shown.why = "kernel interface of the host (" + mount.fstype + ")";
  }
}

Result<void> Planner::classify_mounts() {
  if (facts_.mounts.empty() || facts_.mounts.front().mountpoint != "/") {
    return fail(
        "cannot rehearse: / is not in the mount table of this process", ExitCode::kUnavailable,
        "run rehearse outside of a chroot, or make the new root a mount point (mount --bind DIR DIR)");
  }
  for (const Mount& mount : facts_.mounts) {
    MountPlan shown;
    shown.mountpoint = mount.mountpoint;
    shown.fstype = mount.fstype;
    shown.source = mount.source;
    shown.read_only = mount.read_only();
    shown.nosuid = mount.has_option("nosuid");
    shown.noexec = mount.has_option("noexec");
    const FilesystemKind kind = filesystem_kind(mount.fstype);
    if (mount.mountpoint == "/dev") {
      shown.show = Show::kDev;
    } else if (mount.mountpoint == "/dev/shm") {
      shown.show = Show::kShm;
    } else if (kind == FilesystemKind::kKernel) {
      classify_kernel(mount, shown);
    } else if (is_within(mount.mountpoint, "/dev") || is_within(mount.mountpoint, "/proc") ||
               is_within(mount.mountpoint, "/sys")) {
      shown.show = Show::kAbsent;
      shown.why = "lies in a tree of kernel interfaces";
    } else if (is_within(mount.mountpoint, kCredentials)) {
      // Secrets by definition; where their ramfs cannot be idmapped a copy would even put them on disk.
      shown.show = Show::kHidden;
      shown.why = kCredentialsWhy;
    } else if (kind == FilesystemKind::kRemote) {
      shown.show = Show::kHidden;
      shown.why = mount.fstype + " would send requests out of the sandbox";
    } else if (mount.unbindable) {
      shown.show = Show::kHidden;
      shown.why = "the mount is unbindable; see mount --make-private in mount(8)";
    } else {
      shown.show = Show::kOverlay;
      // udf(5) is one that can be written, too.
      shown.fallback = kind == FilesystemKind::kReadOnly && mount.has_super_option("ro") ? Fallback::kReadOnly
                                                                                         : Fallback::kCopy;
    }
    plan_.mounts.push_back(std::move(shown));
    sources_.push_back(&mount);
  }
  MountPlan& root = plan_.mounts.front();
  if (facts_.mounts.front().unbindable) {
    return fail("cannot rehearse: the root mount is unbindable", ExitCode::kUnavailable,
                "mount --make-private /");
  }
  if (root.show != Show::kOverlay) {
    return fail("cannot rehearse: the root filesystem is " + root.fstype, ExitCode::kUnavailable,
                "no layer can be put over it; see `rehearse doctor`");
  }
  root.fallback = Fallback::kRefuse;
  return {};
}

/// A directory that is a mount already is scratch as a whole; any other becomes one.
void Planner::place_scratch() {
  for (const std::string& path : plan_.request.scratch) {
    const std::size_t at = mount_of(path);
    MountPlan& above = plan_.mounts[at];
    if (above.show != Show::kOverlay || above.read_only || above.scratch) continue;
    if (above.mountpoint == path) {
      above.scratch = at != 0;
      continue;
    }
    Mount& source = made_.emplace_back(*sources_[at]);
    source.mountpoint = path;
    source.root = join(source.root, below(path, above.mountpoint));
    MountPlan shown = above;
    shown.mountpoint = path;
    shown.scratch = true;
    const auto after = static_cast<std::ptrdiff_t>(at) + 1;  // what is mounted below it comes later
    plan_.mounts.insert(plan_.mounts.begin() + after, std::move(shown));
    sources_.insert(sources_.begin() + after, &source);
  }
}

/// Everything that would outlive the run. What the host shows read-only already stays so.
void Planner::make_read_only() {
  for (MountPlan& mount : plan_.mounts) {
    if (mount.show == Show::kOverlay || mount.show == Show::kAlias) mount.read_only |= !mount.scratch;
  }
}

/// What lies on a mount that is not shown has no place to be mounted on.
void Planner::drop_orphans() {
  for (std::size_t i = 1; i < plan_.mounts.size(); ++i) {
    MountPlan& mount = plan_.mounts[i];
    for (std::size_t parent = 0; parent < i; ++parent) {
      const MountPlan& above = plan_.mounts[parent];
      if (above.show != Show::kHidden || mount.mountpoint == above.mountpoint ||
          !is_within(mount.mountpoint, above.mountpoint))
        continue;
      const std::string why = "lies on " + above.mountpoint + ", which is hidden";
      const bool intended = above.why == kOwnState || above.why == kOnRequest;
      if (!intended && (mount.show == Show::kOverlay || mount.show == Show::kAlias))
        plan_.gaps.push_back({"mount " + mount.mountpoint + " absent",
                              why,
                              verdict::Level::kInconclusive,
                              verdict::Gap::Concern::kLooked,
                              {mount.mountpoint}});
      mount.show = Show::kAbsent;
      mount.why = why;
    }
  }
}

/// One overlay for each (superblock, visible root); what lies inside another visible root is a bind of its
/// overlay, so that two names of one object stay two names of one object.
void Planner::assign_layers() {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    if (plan_.mounts[i].show != Show::kOverlay) continue;
    std::string key = superblock_key(*sources_[i]);
    // What is mounted is at no path of its filesystem any more.
    if (sources_[i]->source_removed()) key += " removed " + plan_.mounts[i].mountpoint;
    if (plan_.mounts[i].scratch) key += " scratch " + plan_.mounts[i].mountpoint;
    groups[key].push_back(i);
  }
  std::vector<std::size_t> owner(plan_.mounts.size(), SIZE_MAX);
  for (auto& [key, members] : groups) {
    std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
      return sources_[a]->root.size() < sources_[b]->root.size();
    });
    std::vector<std::size_t> overlays;
    for (const std::size_t i : members) {
      const auto covering = std::find_if(overlays.begin(), overlays.end(), [&](std::size_t o) {
        return is_within(sources_[i]->root, sources_[o]->root);
      });
      owner[i] = covering == overlays.end() ? i : *covering;
      if (covering == overlays.end()) overlays.push_back(i);
    }
  }
  std::map<std::size_t, std::uint32_t> layer_of;
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    if (owner[i] != i) continue;
    layer_of[i] = static_cast<std::uint32_t>(plan_.layers.size());
    plan_.mounts[i].layer = layer_of[i];
    LayerPlan layer;
    layer.mount = i;
    plan_.layers.push_back(std::move(layer));
  }
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    if (owner[i] == SIZE_MAX || owner[i] == i) continue;
    MountPlan& alias = plan_.mounts[i];
    alias.show = Show::kAlias;
    alias.layer = layer_of[owner[i]];
    alias.subpath = below(sources_[i]->root, sources_[owner[i]]->root);
  }
}

std::size_t Planner::mount_of(std::string_view path) const {
  std::size_t best = 0;
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    const std::string& at = plan_.mounts[i].mountpoint;
    if (is_within(path, at) && at.size() >= plan_.mounts[best].mountpoint.size()) best = i;
  }
  return best;
}

std::optional<Planner::Place> Planner::place_of(std::string_view path) const {
  const MountPlan& mount = plan_.mounts[mount_of(path)];
  if (mount.show != Show::kOverlay && mount.show != Show::kAlias) return std::nullopt;
  return Place{mount.layer, join(mount.subpath, below(path, mount.mountpoint))};
}

std::optional<Planner::Object> Planner::object_at(std::string_view path) const {
  const std::size_t i = mount_of(path);
  return Object{sources_[i]->major, sources_[i]->minor,
                join(sources_[i]->root, below(path, sources_[i]->mountpoint))};
}

bool Planner::holds(std::size_t mount, const Object& object) const {
  const Mount& source = *sources_[mount];
  return source.major == object.major && source.minor == object.minor && is_within(object.path, source.root);
}

/// The object at `path` is covered wherever it can be seen; mounts of it or below it are not shown at all.
Result<void> Planner::hide(const std::string& path, const char* why) {
  const auto object = object_at(path);
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    MountPlan& mount = plan_.mounts[i];
    const bool layered = mount.show == Show::kOverlay || mount.show == Show::kAlias;
    const bool shows_inside = object && layered && sources_[i]->major == object->major &&
                              sources_[i]->minor == object->minor &&
                              is_within(sources_[i]->root, object->path);
    if (!shows_inside && !is_within(mount.mountpoint, path)) continue;
    if (i == 0) {
      return fail(path + " holds the root filesystem: it cannot be hidden (" + why + ")", ExitCode::kUsage,
                  "name another directory");
    }
    mount.show =
        is_within(mount.mountpoint, path) && mount.mountpoint != path ? Show::kAbsent : Show::kHidden;
    mount.why = why;
  }
  if (!object) return {};
  for (LayerPlan& layer : plan_.layers) {
    if (!holds(layer.mount, *object)) continue;
    if (std::string inside = below(object->path, sources_[layer.mount]->root); !inside.empty())
      layer.hidden.push_back(std::move(inside));
  }
  for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
    const MountPlan& mount = plan_.mounts[i];
    if ((mount.show != Show::kOverlay && mount.show != Show::kAlias) || !holds(i, *object)) continue;
    const std::string at = join(mount.mountpoint, below(object->path, sources_[i]->root));
    if (mount_of(at) == i) plan_.covered.push_back(at);
  }
  return {};
}

Result<void> Planner::hide_all() {
  if (!plan_.request.state_dir.empty()) RH_CHECK(hide(plan_.request.state_dir, kOwnState));
  for (const std::string& path : plan_.request.hide) {
    RH_CHECK(hide(path, kOnRequest));
    gap(path + " hidden", kOnRequest, verdict::Level::kYellow);
  }
  drop_orphans();
  return {};
}

void Planner::place_masks() {
  for (const std::string& path : plan_.request.mask) {
    const auto object = object_at(path);
    for (LayerPlan& layer : plan_.layers) {
      if (!object || !holds(layer.mount, *object)) continue;
      if (std::string inside = below(object->path, sources_[layer.mount]->root); !inside.empty())
        layer.placeholders.push_back(std::move(inside));
    }
  }
  for (const Addition& addition : plan_.request.additions) {
    if (auto place = place_of(addition.path); place)
      plan_.layers[place->layer].additions.push_back({std::move(place->path), addition.text, addition.fresh});
  }
  place_stores();
  place_service_manager();
}

/// What promotions keep in the root of a mount is rehearse's own: it is not there for an action.
void Planner::place_stores() {
  for (const MountPlan& mount : plan_.mounts) {
    if (mount.show != Show::kOverlay && mount.show != Show::kAlias) continue;
    std::vector<std::string>& stores = plan_.layers[mount.layer].stores;
    std::string path = join(mount.subpath, kStoreDirectory);
    if (std::find(stores.begin(), stores.end(), path) == stores.end()) stores.push_back(std::move(path));
  }
}

/// Where rehearse cannot stand in for it, its directory is hidden: tools that ask sd_booted(3) take their
/// offline path.
void Planner::place_service_manager() {
  const auto booted = place_of("/run/systemd/system");
  if (!facts_.systemd || !booted) return;
  if (const auto socket = place_of(kManagerSocket); socket && facts_.manager_socket_mode) {
    plan_.layers[socket->layer].stands.push_back(socket->path);
    plan_.service_manager = facts_.manager_socket_mode;
  } else {
    plan_.layers[booted->layer].absent.push_back(booted->path);
    plan_.systemd_hidden = true;
  }
}

void Planner::decide_limits() {
  const Limits& asked = plan_.request.limits;
  plan_.memory_bytes = asked.memory_bytes.value_or(facts_.memory_available_bytes / 4 * 3);
  if (facts_.memory_limit_bytes)
    plan_.memory_bytes = std::min(plan_.memory_bytes, *facts_.memory_limit_bytes);
  plan_.pids = asked.pids.value_or(kDefaultPids);
  if (facts_.pids_limit) plan_.pids = std::min(plan_.pids, *facts_.pids_limit);
  plan_.cpus = asked.cpus;
  if (facts_.cpu_limit) plan_.cpus = std::min(plan_.cpus.value_or(*facts_.cpu_limit), *facts_.cpu_limit);
  plan_.dropped_capabilities = dropped_capabilities(plan_.request.profile);
  plan_.hostname = facts_.hostname;
}

std::string Planner::lost_rights() const {
  std::string names;
  for (const CapabilityRule& rule : capability_rules()) {
    if ((plan_.dropped_capabilities >> static_cast<unsigned>(rule.number) & 1U) != 0)
      names += std::string(names.empty() ? "" : ", ") + rule.name;
  }
  return std::string(plan_.request.profile == Profile::kShifted ? "/proc and /sys belong to nobody; " : "") +
         "root has no capability of these: " + names;
}

void Planner::name_gaps() {
  using verdict::Level;
  if (plan_.request.profile == Profile::kRoot) {
    gap("root profile: no user namespace",
        "the action's root is the host's root with fewer capabilities; containment rests on masks and "
        "seccomp alone; mounting, making device nodes and setting sysctls are refused",
        Level::kYellow);
  }
  if (std::any_of(plan_.mounts.begin(), plan_.mounts.end(),
                  [](const MountPlan& mount) { return mount.why == kCredentialsWhy; })) {
    // Every host that runs systemd has some. What looks into one is named when the run has ended
    // (rehearsal/hidden_objects.h).
    gap("credentials of services shown empty",
        std::string("what systemd passes to services below ") + kCredentials, Level::kGreen);
  }
  for (const MountPlan& mount : plan_.mounts) {
    if (mount.show == Show::kHidden && mount.why != kOwnState && mount.why != kOnRequest &&
        mount.why != kCredentialsWhy) {
      plan_.gaps.push_back({"mount " + mount.mountpoint + " hidden",
                            mount.why,
                            Level::kInconclusive,
                            verdict::Gap::Concern::kLooked,
                            {mount.mountpoint}});
    }
  }
  if (!plan_.request.mask.empty()) {
    std::string names;
    for (const std::string& path : plan_.request.mask) names += (names.empty() ? "" : ", ") + path;
    // What opens one of them is named when the run has ended (rehearsal/recording.cc).
    gap(std::to_string(plan_.request.mask.size()) + " secret file(s) masked", names, Level::kGreen);
  }
  if (plan_.request.read_only) {
    std::string names;
    for (const MountPlan& mount : plan_.mounts) {
      if (mount.scratch) names += (names.empty() ? "" : ", ") + mount.mountpoint;
    }
    gap("file systems are mounted read-only",
        names.empty() ? "asked for with --read-only"
                      : "asked for with --read-only; what is new below " + names + " is thrown away",
        Level::kGreen);
  }
  if (!plan_.request.not_passed.empty()) {
    constexpr std::size_t kMostNames = 12;
    const std::vector<std::string>& all = plan_.request.not_passed;
    std::string names;
    for (std::size_t i = 0; i < std::min(all.size(), kMostNames); ++i) names += (i == 0 ? "" : ", ") + all[i];
    if (all.size() > kMostNames) names += " and " + std::to_string(all.size() - kMostNames) + " more";
    gap("variables of the caller are not passed", names + "; --env NAME passes one", Level::kGreen);
  }
  if (!plan_.request.descriptors.empty()) {
    constexpr std::size_t kMostShown = 8, kLongest = 128;
    const Descriptors& all = plan_.request.descriptors;
    std::string names;
    std::size_t shown = 0;
    for (const auto& [number, target] : all) {
      if (shown++ == kMostShown) break;
      names +=
          (names.empty() ? "" : ", ") + std::to_string(number) + " (" + escape_text(target, kLongest) + ')';
    }
    if (all.size() > kMostShown) names += " and " + std::to_string(all.size() - kMostShown) + " more";
    // What the command does with one of them is named when the run has ended (rehearsal/recording.cc).
    gap("descriptors of the caller are not passed", names, Level::kGreen);
  }
  if (plan_.systemd_hidden) {
    gap("/run/systemd/system hidden",
        "the host's service manager has no socket to be asked at: tools take their offline path",
        Level::kYellow);
  }
  gap("what the kernel gives by other numbers and rights",
      "a layer has a device number of its own, and a directory in it may count one link; " + lost_rights(),
      Level::kGreen);  // programs that show these are named when the run has ended
  gap("what lies in no layer",
      "/dev, /dev/shm and /dev/mqueue are the run's own, and so is every mount that the action makes: what "
      "is written "
      "there is gone after the run and not in the list of changes",
      Level::kGreen);  // files that were written there are named when the run has ended
}

}  // namespace

Result<Plan> make_plan(Request request, const host::HostFacts& facts) {
  return Planner(std::move(request), facts).make();
}

const char* to_string(Show show) {
  switch (show) {
    case Show::kOverlay:
      return "layer";
    case Show::kAlias:
      return "alias";
    case Show::kProc:
      return "fresh proc";
    case Show::kSysfs:
      return "fresh sysfs";
    case Show::kDev:
      return "minimal dev";
    case Show::kDevpts:
      return "private terminals";
    case Show::kShm:
      return "private tmpfs";
    case Show::kMqueue:
      return "private mqueue";
    case Show::kCgroup:
      return "own cgroup";
    case Show::kHidden:
      return "hidden";
    case Show::kAbsent:
      return "absent";
  }
  return "?";
}

}  // namespace rehearse::sandbox
