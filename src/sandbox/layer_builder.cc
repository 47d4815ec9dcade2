#include "sandbox/layer_builder.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string_view>

#include "base/clock.h"
#include "base/sys.h"
#include "base/tree.h"
#include "sandbox/copy_tree.h"
#include "sandbox/filesystems.h"
#include "sandbox/layer_mask.h"
#include "sandbox/private_namespace.h"
#include "sandbox/side_by_side.h"

namespace rehearse::sandbox {
namespace {

constexpr const char* kShownAgain = "again";  // work directories in the bundle of a run that is shown again
constexpr std::uint64_t kInRoot = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return "/";
  return path.substr(0, slash);
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Result<UniqueFd> open_directory(int base, const char* path) {
  return sys::open_beneath(base, path, O_RDONLY | O_DIRECTORY);
}

/// Makes bundle/<kind>/<index> and opens it.
Result<UniqueFd> make_bundle_directory(int bundle, const char* kind, std::uint32_t index) {
  if (auto made = sys::mkdir_at(bundle, kind, 0700); !made && made.error().err != EEXIST) {
    return tl::make_unexpected(made.error());
  }
  const std::string path = std::string(kind) + '/' + std::to_string(index);
  RH_CHECK(sys::mkdir_at(bundle, path.c_str(), 0700));
  return open_directory(bundle, path.c_str());
}

/// A writable layer's mount attributes, as the host's mount has them. Device nodes never work.
unsigned attributes_of(const MountPlan& mount) {
  unsigned attributes = MOUNT_ATTR_NODEV;
  if (mount.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (mount.nosuid) attributes |= MOUNT_ATTR_NOSUID;
  if (mount.noexec) attributes |= MOUNT_ATTR_NOEXEC;
  return attributes;
}

/// Options of the overlays in a mountinfo table, by upperdir.
std::map<std::string_view, std::string_view> overlays_in(std::string_view table) {
  constexpr std::string_view kMark = "upperdir=";
  std::map<std::string_view, std::string_view> found;
  while (!table.empty()) {
    const std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(line.size() + 1, table.size()));
    const auto dash = line.find(" - ");
    const auto upper = line.find(kMark, dash);
    if (dash == std::string_view::npos || upper == std::string_view::npos) continue;
    const std::string_view name = line.substr(upper + kMark.size());
    found[name.substr(0, name.find(','))] = line.substr(dash);
  }
  return found;
}

}  // namespace

Result<void> LayerBuilder::clone_host() {
  RH_TRY(auto root, sys::open("/", O_PATH | O_DIRECTORY));
  RH_CHECK(sys::mkdir_at(bundle_, "uppers", 0700));
  sources_.resize(plan_.layers.size());
  built_.resize(plan_.layers.size());
  evidence_.resize(plan_.layers.size());
  RH_CHECK(side_by_side(static_cast<std::uint32_t>(plan_.layers.size()),
                        [&](std::uint32_t index) { return clone_layer(root.get(), index); }));
  for (const MountPlan& mount : plan_.mounts) {
    if (mount.show == Show::kAlias) evidence_[mount.layer].aliases.push_back(mount.mountpoint);
  }
  RH_TRY(bundle_clone_, sys::clone_mount(bundle_, ""));
  if (base_ >= 0) {
    RH_TRY(base_clone_, sys::clone_mount(base_, ""));
  }
  return {};
}

Result<void> LayerBuilder::clone_layer(int root, std::uint32_t index) {
  const MountPlan& mount = plan_.mounts[plan_.layers[index].mount];
  LayerEvidence& evidence = evidence_[index];
  evidence.index = index;
  evidence.fstype = mount.fstype;
  evidence.mountpoint = mount.mountpoint;
  evidence.hidden = plan_.layers[index].hidden;
  evidence.scratch = mount.scratch;
  const char* path = mount.mountpoint.c_str() + 1;
  auto object = sys::open_at2(root, *path == '\0' ? "." : path, O_PATH | O_NOFOLLOW, 0, kInRoot);
  if (!object) return with_context(object.error(), "mount " + mount.mountpoint);
  RH_TRY(const auto st, sys::stat_fd(object->get()));
  auto cloned = sys::clone_mount(object->get(), "");
  if (!cloned && cloned.error().err == EPERM)
    return fail_errno(EPERM, "mount " + mount.mountpoint + " cannot be shown in a sandbox",
                      ExitCode::kUnavailable, "rehearse needs CAP_SYS_ADMIN; see `rehearse doctor`");
  if (!cloned) return with_context(cloned.error(), "mount " + mount.mountpoint);
  UniqueFd lower = std::move(*cloned);
  RH_CHECK(
      sys::set_mount_attributes(lower.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODEV, 0));
  const std::string number = std::to_string(index);
  const std::string upper_path = "uppers/" + number + "/upper";
  RH_CHECK(sys::mkdir_at(bundle_, ("uppers/" + number).c_str(), 0700));
  RH_CHECK(sys::mkdir_at(bundle_, upper_path.c_str(), 0700));
  RH_CHECK(sys::mkdir_at(bundle_, ("uppers/" + number + "/work").c_str(), 0700));
  if (!S_ISDIR(st.st_mode)) {
    // A bind-mounted file cannot be a layer: a copy of it becomes one, in a directory of its own.
    built_[index].file = base_name(mount.mountpoint);
    evidence.mountpoint = parent_of(mount.mountpoint);
    evidence.file = built_[index].file;
    evidence.copied_since_ns = earliest_stamp_ns();
    RH_TRY(auto copies, make_bundle_directory(bundle_, "copies", index));
    if (!S_ISREG(st.st_mode)) {
      built_[index].replacement = "neither a directory nor a regular file";
      return {};
    }
    auto file = sys::open_at2(lower.get(), "", O_RDONLY | O_NONBLOCK, 0, 0);
    if (!file) file = sys::open(sys::fd_path(lower.get()).c_str(), O_RDONLY | O_NONBLOCK);
    if (!file) return with_context(file.error(), "mount " + mount.mountpoint);
    if (auto copied = copy_file(file->get(), copies.get(), built_[index].file.c_str(), kCopyLimit); !copied) {
      built_[index].replacement = copied.error().what;
      return {};
    }
    evidence.lower = std::move(copies);
    RH_TRY(auto upper, open_directory(bundle_, upper_path.c_str()));
    RH_CHECK(copy_attributes(evidence.lower.get(), upper.get()));
    return {};
  }
  if (st.st_nlink == 0) {
    built_[index].replacement = "the directory was removed from its filesystem";
    return {};
  }
  RH_TRY(evidence.lower, sys::open_at2(lower.get(), ".", O_RDONLY | O_DIRECTORY, 0, 0));
  RH_TRY(auto upper, open_directory(bundle_, upper_path.c_str()));
  RH_CHECK(copy_attributes(evidence.lower.get(), upper.get()));
  RH_TRY(sources_[index].clone, sys::clone_mount(object->get(), ""));
  sources_[index].walk = std::move(lower);
  return {};
}

Result<void> LayerBuilder::attach_in_stage(int mount, const std::string& name) const {
  RH_CHECK(sys::mkdir_at(stage_, name.c_str(), 0700));
  return sys::attach_mount(mount, stage_, name.c_str());
}

Result<UniqueFd> LayerBuilder::open_in_bundle(const std::string& path) const {
  return sys::open_beneath(bundle_clone_.get(), path.c_str(), O_PATH | O_DIRECTORY);
}

Result<void> LayerBuilder::prepare() {
  if (auto mapped =
          sys::set_mount_attributes(bundle_clone_.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, userns_);
      !mapped) {
    return fail_errno(mapped.error().err, "the state directory's filesystem cannot be idmapped",
                      ExitCode::kUnavailable, "use --state on ext4, xfs or btrfs, or --profile=root");
  }
  RH_CHECK(attach_in_stage(bundle_clone_.get(), "bundle"));
  if (base_ >= 0) {
    RH_CHECK(sys::set_mount_attributes(base_clone_.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, userns_));
    RH_CHECK(attach_in_stage(base_clone_.get(), "base"));
  }
  RH_CHECK(side_by_side(static_cast<std::uint32_t>(sources_.size()),
                        [this](std::uint32_t index) { return prepare_layer(index); }));
  // In the order of the plan, so that two runs have the same list of gaps.
  for (std::uint32_t i = 0; i < sources_.size(); ++i) {
    if (!evidence_[i].xattrs_not_shown.empty())
      gap("extended attributes of what holds a masked file",
          "a mask is made in memory, which does not take them all on this kernel; a directory shows without "
          "them",
          verdict::Level::kYellow);
    if (sources_[i].cannot_be_mapped)
      RH_CHECK(with_mountpoint(i, fall_back(i, "this kernel cannot idmap it")));
  }
  return {};
}

Result<void> LayerBuilder::with_mountpoint(std::uint32_t index, Result<void> done) const {
  if (done) return done;
  return with_context(done.error(), "mount " + plan_.mounts[plan_.layers[index].mount].mountpoint);
}

Result<void> LayerBuilder::prepare_layer(std::uint32_t index) {
  // Closing a detached mount waits for a grace period each; attached, all of them end with the stage, at
  // once.
  if (sources_[index].walk.valid()) {
    RH_CHECK(attach_in_stage(sources_[index].walk.get(), "walk" + std::to_string(index)));
    sources_[index].walk.reset();
  }
  return built_[index].replacement.empty() ? with_mountpoint(index, prepare_source(index)) : Result<void>{};
}

Result<void> LayerBuilder::prepare_source(std::uint32_t index) {
  Source& source = sources_[index];
  const std::string number = std::to_string(index);
  RH_TRY(source.upper, open_in_bundle("uppers/" + number + "/upper"));
  RH_TRY(source.work, open_in_bundle("uppers/" + number + "/work"));
  if (base_ >= 0) RH_CHECK(prepare_base(index));
  if (!built_[index].file.empty()) {
    RH_TRY(source.lower_root, open_in_bundle("copies/" + number));
    source.lowerdir = sys::fd_path(source.lower_root.get());
    return {};
  }
  RH_CHECK(mask_layer(index));
  auto mapped =
      sys::set_mount_attributes(source.clone.get(), MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME, 0, userns_);
  source.cannot_be_mapped = !mapped;
  if (!mapped) return {};
  source.owners_shown = true;
  RH_CHECK(attach_in_stage(source.clone.get(), number));
  source.lowerdir += sys::fd_path(source.clone.get());
  return {};
}

Result<void> LayerBuilder::mask_layer(std::uint32_t index) {
  Source& source = sources_[index];
  LayerEvidence& evidence = evidence_[index];
  RH_TRY(auto mask, make_mask(plan_.layers[index], evidence.lower.get(), stage_,
                              "mask" + std::to_string(index), userns_ >= 0 ? kIdShift : 0));
  if (!mask.root.valid()) return {};
  evidence.masked = std::move(mask.masked);
  evidence.mask_handles = std::move(mask.handles);
  evidence.hidden.insert(evidence.hidden.end(), mask.hidden.begin(), mask.hidden.end());
  evidence.shadowed = std::move(mask.shadowed);
  evidence.xattrs_not_shown = std::move(mask.xattrs_not_shown);
  source.mask_root = std::move(mask.root);
  source.lowerdir = sys::fd_path(source.mask_root.get()) + ':';
  return {};
}

Result<void> LayerBuilder::fall_back(std::uint32_t index, const std::string& why) {
  const MountPlan& mount = plan_.mounts[plan_.layers[index].mount];
  switch (mount.fallback) {
    case Fallback::kRefuse:
      return fail("the root filesystem (" + mount.fstype + ") cannot be shown through a layer: " + why,
                  ExitCode::kUnavailable, "see `rehearse doctor`; --profile=root works without id mapping");
    case Fallback::kReadOnly:
      return show_image(index, mount.fstype + ": " + why);
    case Fallback::kCopy:
      return copy_layer(index, mount.fstype + ": " + why);
  }
  return {};
}

std::vector<std::string> LayerBuilder::mountpoints_of(std::uint32_t index) const {
  std::vector<std::string> all;
  for (const MountPlan& mount : plan_.mounts) {
    if ((mount.show == Show::kOverlay || mount.show == Show::kAlias) && mount.layer == index)
      all.push_back(mount.mountpoint);
  }
  return all;
}

/// Nothing can write there, but pipes on it are live: through an overlay, which has pipes of its own. Without
/// an upper that takes two layers; the second is empty.
Result<void> LayerBuilder::show_image(std::uint32_t index, const std::string& why) {
  Source& source = sources_[index];
  if (source.read_only) {
    built_[index].replacement = why;
    return {};
  }
  source.read_only = true;
  const std::string number = std::to_string(index);
  if (!source.owners_shown) {
    RH_CHECK(attach_in_stage(source.clone.get(), number));
    source.lowerdir += sys::fd_path(source.clone.get());
  }
  if (!source.mask_root.valid()) {
    const std::string empty = "empty" + number;
    RH_CHECK(sys::mkdir_at(stage_, empty.c_str(), 0700));
    RH_TRY(source.lower_root, sys::open_beneath(stage_, empty.c_str(), O_PATH | O_DIRECTORY));
    source.lowerdir += ':' + sys::fd_path(source.lower_root.get());
  }
  gaps_.push_back({"mount " + plan_.mounts[plan_.layers[index].mount].mountpoint + " read-only",
                   why + (source.owners_shown ? "" : "; owners show as nobody"), verdict::Level::kYellow,
                   Concern::kAlways, mountpoints_of(index)});
  return {};
}

/// The host's own mount: what should be masked there could be read.
void LayerBuilder::show_read_only(std::uint32_t index, const std::string& why) {
  BuiltLayer& built = built_[index];
  if (sources_[index].mask_root.valid()) {
    built.replacement = why + "; and files on it are to be masked";
    return;
  }
  built.mount = std::move(sources_[index].clone);
  gaps_.push_back({"mount " + plan_.mounts[plan_.layers[index].mount].mountpoint + " read-only", why,
                   verdict::Level::kYellow, Concern::kDiffers, mountpoints_of(index)});
}

Result<void> LayerBuilder::copy_layer(std::uint32_t index, const std::string& why) {
  const MountPlan& mount = plan_.mounts[plan_.layers[index].mount];
  Source& source = sources_[index];
  LayerEvidence& evidence = evidence_[index];
  // The host's own mount has the host's own pipes and sockets: only where there can be none.
  const bool can_be_shown = source.owners_shown && holds_plain_files_only(mount.fstype);
  const std::uint64_t limit = can_be_shown ? kCopyLimit : kOnlyCopyLimit;
  struct statvfs usage = {};
  const bool fits = ::fstatvfs(evidence.lower.get(), &usage) != 0 ||
                    (usage.f_blocks - usage.f_bfree) * usage.f_frsize <= limit;
  if (!fits) {
    if (can_be_shown)
      show_read_only(index, why + ", and it is too large to copy");
    else
      built_[index].replacement = why + ", and it is too large to copy";
    return {};
  }
  evidence.copied_since_ns = earliest_stamp_ns();
  RH_TRY(auto copies, make_bundle_directory(bundle_, "copies", index));
  if (auto copied = copy_tree(evidence.lower.get(), copies.get(), limit); !copied) {
    evidence.copied_since_ns.reset();
    built_[index].replacement = why + ", and it cannot be copied: " + copied.error().what;
    copies.reset();
    return remove_tree(bundle_, ("copies/" + std::to_string(index)).c_str());
  }
  evidence.host = std::move(evidence.lower);
  evidence.lower = std::move(copies);
  RH_TRY(source.lower_root, open_in_bundle("copies/" + std::to_string(index)));
  source.lowerdir = source.mask_root.valid() ? sys::fd_path(source.mask_root.get()) + ':' : "";
  source.lowerdir += sys::fd_path(source.lower_root.get());
  RH_CHECK(clear_work_directories(index));
  // What can be done there can be done to the copy, and the other way round: not if it is FAT, or has names
  // that mean the same in capitals, for which overlayfs refuses a layer.
  const bool alike = takes_all_attributes(mount.fstype) && !source.owners_shown;
  gaps_.push_back({"mount " + mount.mountpoint + " copied", why,
                   alike ? verdict::Level::kGreen : verdict::Level::kYellow,
                   alike ? Concern::kAlways : Concern::kDiffers, mountpoints_of(index)});
  return {};
}

/// An overlay that was refused late has marked its work directory as in use by a `volatile` one.
Result<void> LayerBuilder::clear_work_directories(std::uint32_t index) const {
  const auto clear = [](int directory, const std::string& path) -> Result<void> {
    RH_TRY(const auto work, open_directory(directory, path.c_str()));
    (void)sys::unlink_at(work.get(), "work/incompat/volatile/dirty", 0);
    for (const char* made : {"work/incompat/volatile", "work/incompat", "work", "index"}) {
      auto removed = sys::unlink_at(work.get(), made, AT_REMOVEDIR);
      if (!removed && removed.error().err != ENOENT) return removed;
    }
    return {};
  };
  RH_CHECK(clear(bundle_, "uppers/" + std::to_string(index) + "/work"));
  if (base_ < 0) return {};
  return clear(base_, std::string(kShownAgain) + '/' + std::to_string(index));
}

/// With a work directory of its own: that of the run says that it was mounted `volatile`.
Result<void> LayerBuilder::prepare_base(std::uint32_t index) {
  Source& source = sources_[index];
  const std::string number = std::to_string(index);
  RH_CHECK(make_bundle_directory(base_, kShownAgain, index));
  const auto open = [&](const std::string& path) {
    return sys::open_beneath(base_clone_.get(), path.c_str(), O_PATH | O_DIRECTORY);
  };
  RH_TRY(source.base_upper, open("uppers/" + number + "/upper"));
  RH_TRY(source.base_work, open(std::string(kShownAgain) + '/' + number));
  const std::string place = "base" + number;
  RH_CHECK(sys::mkdir_at(stage_, place.c_str(), 0700));
  RH_TRY(source.base_place, sys::open_beneath(stage_, place.c_str(), O_PATH | O_DIRECTORY));
  return {};
}

/// The host with the run's changes, as a lower layer. A run's upper cannot be one of several lower layers
/// itself: it lies inside the host's root, which is another (ELOOP). Without an index: that is bound to the
/// lower layers that the run had, and a mask is made anew.
Result<void> LayerBuilder::mount_base(Source& source) const {
  RH_TRY(auto context, sys::fs_open("overlay"));
  const int fs = context.get();
  RH_CHECK(sys::fs_set_string(fs, "lowerdir", source.lowerdir.c_str()));
  RH_CHECK(sys::fs_set_string(fs, "upperdir", sys::fd_path(source.base_upper.get()).c_str()));
  RH_CHECK(sys::fs_set_string(fs, "workdir", sys::fd_path(source.base_work.get()).c_str()));
  RH_CHECK(sys::fs_set_string(fs, "redirect_dir", "on"));
  RH_CHECK(sys::fs_set_string(fs, "index", "off"));
  RH_CHECK(sys::fs_set_string(fs, "metacopy", "off"));
  RH_CHECK(sys::fs_set_flag(fs, "volatile"));
  RH_CHECK(sys::fs_create(fs));
  RH_TRY(source.base_mount, sys::fs_mount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME));
  RH_CHECK(sys::attach_mount(source.base_mount.get(), source.base_place.get()));
  source.lowerdir = sys::fd_path(source.base_mount.get());
  return {};
}

Result<UniqueFd> LayerBuilder::mount_overlay(const Source& source) const {
  RH_TRY(auto context, sys::fs_open("overlay"));
  const int fs = context.get();
  RH_CHECK(sys::fs_set_string(fs, "lowerdir", source.lowerdir.c_str()));
  RH_CHECK(sys::fs_set_string(fs, "metacopy", "off"));
  RH_CHECK(sys::fs_set_string(fs, "xino", "auto"));
  if (!source.read_only) {
    RH_CHECK(sys::fs_set_string(fs, "upperdir", sys::fd_path(source.upper.get()).c_str()));
    RH_CHECK(sys::fs_set_string(fs, "workdir", sys::fd_path(source.work.get()).c_str()));
    RH_CHECK(sys::fs_set_string(fs, "redirect_dir", "on"));
    // A layer over a layer has no file handles to keep an index by.
    RH_CHECK(sys::fs_set_string(fs, "index", base_ >= 0 ? "off" : "on"));
    RH_CHECK(sys::fs_set_flag(fs, "volatile"));
  }
  const auto index = static_cast<std::size_t>(&source - sources_.data());
  const MountPlan& mount = plan_.mounts[plan_.layers[index].mount];
  RH_CHECK(sys::fs_set_string(fs, "source", mount.source.empty() ? "none" : mount.source.c_str()));
  RH_CHECK(sys::fs_create(fs));
  return sys::fs_mount(fs, attributes_of(mount));
}

/// What overlayfs takes for no layer (a case-insensitive filesystem, vfat) comes back, with the reason.
Result<std::vector<LayerBuilder::Refused>> LayerBuilder::mount_remaining_overlays(std::uint32_t shift) {
  RH_TRY(auto mounter, MounterIdentity::assume(shift));
  std::vector<std::string> why(sources_.size());
  RH_CHECK(side_by_side(static_cast<std::uint32_t>(sources_.size()), [&](std::uint32_t i) -> Result<void> {
    BuiltLayer& built = built_[i];
    if (!built.replacement.empty() || built.mount.valid()) return {};
    Result<void> below;
    if (base_ >= 0 && !sources_[i].read_only) below = mount_base(sources_[i]);
    auto overlay = below ? mount_overlay(sources_[i]) : tl::make_unexpected(std::move(below).error());
    if (!overlay && evidence_[i].copied_since_ns)
      return with_context(overlay.error(), "layer over " + plan_.mounts[plan_.layers[i].mount].mountpoint);
    if (!overlay) {
      why[i] = overlay.error().what;
      return {};
    }
    built.mount = std::move(*overlay);
    built.is_overlay = !sources_[i].read_only;
    return {};
  }));
  RH_CHECK(mounter.drop());
  std::vector<Refused> refused;
  for (std::uint32_t i = 0; i < sources_.size(); ++i) {
    if (!why[i].empty()) refused.push_back({i, std::move(why[i])});
  }
  return refused;
}

Result<void> LayerBuilder::mount_overlays(std::uint32_t shift) {
  RH_TRY(const auto refused, mount_remaining_overlays(shift));
  for (const Refused& one : refused) RH_CHECK(fall_back(one.layer, one.why));
  if (!refused.empty()) {
    RH_TRY(const auto again, mount_remaining_overlays(shift));
    for (const Refused& one : again) {
      if (!sources_[one.layer].read_only)
        return fail("layer over " + plan_.mounts[plan_.layers[one.layer].mount].mountpoint + ": " + one.why);
      built_[one.layer].replacement = one.why;
    }
  }
  for (std::uint32_t i = 0; i < built_.size(); ++i) {
    if (built_[i].replacement.empty()) continue;
    for (const MountPlan& mount : plan_.mounts) {
      const bool shows = mount.show == Show::kOverlay || mount.show == Show::kAlias;
      if (!shows || mount.layer != i) continue;
      // What is shown of it may be a file.
      const bool directory = built_[i].file.empty() && mount.subpath.empty();
      gaps_.push_back({"mount " + mount.mountpoint + " hidden",
                       built_[i].replacement,
                       verdict::Level::kInconclusive,
                       directory ? Concern::kLooked : Concern::kFile,
                       {mount.mountpoint}});
    }
  }
  return {};
}

void LayerBuilder::leave_out(const std::string& mountpoint, std::string why) {
  left_out_.insert(mountpoint);
  gaps_.push_back({"mount " + mountpoint + " absent",
                   std::move(why),
                   verdict::Level::kInconclusive,
                   Concern::kLooked,
                   {mountpoint}});
}

std::vector<UniqueFd> LayerBuilder::take_mounts() {
  std::vector<UniqueFd> mounts;
  for (std::size_t i = 0; i < built_.size(); ++i) {
    Source& source = sources_[i];
    // Above first.
    for (UniqueFd* fd : {&built_[i].mount, &source.base_mount, &source.clone, &source.upper, &source.work,
                         &source.base_upper, &source.base_work}) {
      if (fd->valid()) mounts.push_back(std::move(*fd));
    }
  }
  return mounts;
}

Result<void> LayerBuilder::verify() const {
  RH_TRY(const auto table, sys::read_file("/proc/self/mountinfo"));
  const auto mounted = overlays_in(table);
  for (std::uint32_t i = 0; i < built_.size(); ++i) {
    if (!built_[i].is_overlay) continue;
    const std::string& at = plan_.mounts[plan_.layers[i].mount].mountpoint;
    const auto found = mounted.find(sys::fd_path(sources_[i].upper.get()));
    // What is hidden is not attached, unless another mount shows it.
    if (found == mounted.end() &&
        (plan_.mounts[plan_.layers[i].mount].show != Show::kOverlay || left_out_.contains(at)))
      continue;
    if (found == mounted.end())
      return fail("layer over " + at + " is not in the mount table after mounting it");
    const std::string_view options = found->second;
    if (options.find(" rw,") == std::string::npos) {
      return fail(
          "layer over " + at + " came up read-only", ExitCode::kUnavailable,
          "see the kernel log for overlayfs; the state directory must be on a filesystem that takes layers");
    }
    for (const char* feature : {"redirect_dir", "index"}) {
      if (base_ >= 0 && std::string_view(feature) == "index") continue;
      if (options.find(std::string(",") + feature + "=on") != std::string::npos) continue;
      // Not shown when it is the module's default.
      const auto standard =
          sys::read_file((std::string("/sys/module/overlay/parameters/") + feature).c_str());
      if (standard && standard->starts_with('Y') &&
          options.find(std::string(",") + feature + '=') == std::string::npos)
        continue;
      return fail("layer over " + at + " came up without " + feature, ExitCode::kUnavailable,
                  "the filesystem there or the state directory's lacks what overlayfs needs for it (file "
                  "handles, trusted attributes); ext4, xfs and btrfs have it");
    }
  }
  return {};
}

}  // namespace rehearse::sandbox
