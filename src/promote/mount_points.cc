#include "promote/mount_points.h"

#include "promote/selection.h"

namespace rehearse::promote {
namespace {

MountPoint::Shows shows(const host::Mount& mount, const host::Mount& own) {
  const bool same =
      mount.major == own.major && mount.minor == own.minor &&
      mount.root == path_within(own, std::string(below_mount(mount.mountpoint, own.mountpoint)));
  // An idmapped one shows other owners.
  if (!same || mount.has_option("idmapped") != own.has_option("idmapped")) return MountPoint::Shows::kOther;
  return mount.read_only() && !own.read_only() ? MountPoint::Shows::kReadOnly : MountPoint::Shows::kSame;
}

}  // namespace

std::string path_within(const host::Mount& mount, const std::string& path) {
  return (mount.root == "/" ? "" : mount.root) + '/' + path;
}

std::vector<MountPoint> points_within(const Volume& volume, const std::vector<host::Mount>& mounts) {
  const std::vector<std::size_t> visible = host::visible_mounts(mounts);
  const host::Mount* own = nullptr;
  for (const std::size_t i : visible)
    if (mounts[i].mountpoint == volume.mountpoint()) own = &mounts[i];
  std::vector<MountPoint> points;
  for (const std::size_t i : visible) {
    const host::Mount& mount = mounts[i];
    if (mount.mountpoint == volume.mountpoint() || !is_below(mount.mountpoint, volume.mountpoint())) continue;
    points.push_back({mount.mountpoint, own == nullptr ? MountPoint::Shows::kOther : shows(mount, *own)});
  }
  return points;
}

}  // namespace rehearse::promote
