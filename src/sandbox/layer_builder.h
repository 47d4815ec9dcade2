// Copy-on-write layers: one overlay a (superblock, visible root), on idmapped clones of the host's mounts.
//
// Runs in the builder's private mount namespace. Host ids: everything in the bundle and in the lowers keeps
// the host's own ids on disk; the idmapped clones shift what the overlay sees (mount_setattr(2)
// MOUNT_ATTR_IDMAP, 5.12).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// What the change set needs of a layer after the run.
struct LayerEvidence {
  std::uint32_t index = 0;
  std::string mountpoint;  ///< directory whose content the layer is: for a file mount, its parent
  std::string fstype;
  std::vector<std::string> aliases;
  UniqueFd lower;  ///< un-idmapped, read-only, detached clone of what lies below
  std::vector<std::string> masked;
  std::map<std::string, std::string> mask_handles;  ///< LayerMask::handles
  std::vector<std::string> hidden;
  std::vector<std::string>
      shadowed;  ///< directories that the mask layer shows in place of the host's own; "" is the root
  std::map<std::string, std::vector<std::string>>
      xattrs_not_shown;  ///< what the mask layer could not take over (tmpfs before 6.6: `user.*`), by path
  /// What is shown is a copy, made since then (earliest_stamp_ns()).
  std::optional<std::int64_t> copied_since_ns;
  UniqueFd host;                  ///< of a copied mount: the host's own directory
  std::string file;               ///< of a file mount: its name in the layer
  bool scratch = false;           ///< what is in it is thrown away
  std::uint64_t root_blocks = 0;  ///< of its upper's root, as the action found it
  /// The same; only if whatever is done to it from then on gives it another (effects/untouched.h).
  std::optional<std::int64_t> root_ctime_ns;

  /// Where the action sees `path` of this layer; "" is the layer's root.
  [[nodiscard]] std::string seen_at(const std::string& path) const {
    return path.empty() ? mountpoint : (mountpoint == "/" ? "" : mountpoint) + '/' + path;
  }
};

/// A layer ready to be attached.
struct BuiltLayer {
  UniqueFd mount;           ///< not attached yet; invalid if nothing could be shown
  std::string file;         ///< set if the mount point is a file: its name inside the layer
  bool is_overlay = false;  ///< with an upper; else read-only
  std::string replacement;  ///< why it is not a layer
};

class LayerBuilder {
 public:
  /// `bundle` is the run's directory on the state filesystem; borrowed. `base`: that of a run of the same
  /// mounts that has ended, or -1: what is shown is the host with its changes, which stay as they are.
  LayerBuilder(const Plan& plan, int bundle, int base) : plan_(plan), bundle_(bundle), base_(base) {}
  /// A private tmpfs of the builder's namespace; borrowed.
  void use_stage(int stage) { stage_ = stage; }
  /// The run's user namespace, or -1 for the root profile; borrowed.
  void use_user_namespace(int userns) { userns_ = userns; }

  /// Before the mount namespace is left: clones of the host's mounts, and the directories of the bundle.
  Result<void> clone_host();
  /// In the private namespace: masks, idmapped clones. Ids and capabilities are the supervisor's own.
  Result<void> prepare();
  /// In the private namespace: the overlays, mounted by an identity with filesystem ids from `shift` on.
  Result<void> mount_overlays(std::uint32_t shift);
  /// What is mounted there is not shown, because what it lies on is not.
  void leave_out(const std::string& mountpoint, std::string why);
  /// Reads the options back: overlayfs falls back silently from what it was asked for.
  Result<void> verify() const;

  [[nodiscard]] std::vector<BuiltLayer>& layers() { return built_; }
  /// When the tree stands: what holds the overlays, wherever they are mounted.
  std::vector<UniqueFd> take_mounts();
  [[nodiscard]] std::vector<LayerEvidence>& evidence() { return evidence_; }
  [[nodiscard]] const std::vector<verdict::Gap>& gaps() const { return gaps_; }

 private:
  struct Source {
    UniqueFd clone;        ///< of the host's mount, later idmapped
    UniqueFd walk;         ///< another, read-only, that evidence.lower lies in
    std::string lowerdir;  ///< option value
    UniqueFd lower_root;   ///< keeps what lowerdir names open
    UniqueFd mask_root;
    bool owners_shown = false;  ///< the clone is idmapped, or needs not be
    bool read_only = false;     ///< an overlay without an upper
    bool cannot_be_mapped = false;
    UniqueFd upper;
    UniqueFd work;
    // Of the run that is shown below: a layer of its own, which nobody sees but the one above it.
    UniqueFd base_upper;
    UniqueFd base_work;
    UniqueFd base_place;
    UniqueFd base_mount;
  };

  struct Refused {
    std::uint32_t layer;
    std::string why;
  };

  Result<void> clone_layer(int root, std::uint32_t index);
  Result<void> prepare_layer(std::uint32_t index);
  Result<void> prepare_source(std::uint32_t index);
  [[nodiscard]] Result<void> with_mountpoint(std::uint32_t index, Result<void> done) const;
  Result<void> mask_layer(std::uint32_t index);
  using Concern = verdict::Gap::Concern;
  Result<void> fall_back(std::uint32_t index, const std::string& why);
  [[nodiscard]] std::vector<std::string> mountpoints_of(std::uint32_t index) const;
  Result<void> show_image(std::uint32_t index, const std::string& why);
  void show_read_only(std::uint32_t index, const std::string& why);
  Result<void> copy_layer(std::uint32_t index, const std::string& why);
  [[nodiscard]] Result<void> clear_work_directories(std::uint32_t index) const;
  [[nodiscard]] Result<void> attach_in_stage(int mount, const std::string& name) const;
  Result<UniqueFd> open_in_bundle(const std::string& path) const;
  Result<void> prepare_base(std::uint32_t index);
  Result<void> mount_base(Source& source) const;
  Result<UniqueFd> mount_overlay(const Source& source) const;
  Result<std::vector<Refused>> mount_remaining_overlays(std::uint32_t shift);
  void gap(std::string what, std::string why, verdict::Level cap) {
    gaps_.push_back({std::move(what), std::move(why), cap});
  }

  const Plan& plan_;
  int bundle_;
  int base_;
  int stage_ = -1;
  int userns_ = -1;
  UniqueFd base_clone_;    ///< idmapped as well
  UniqueFd bundle_clone_;  ///< idmapped, nosuid, nodev: what the overlays use as upper
  std::vector<Source> sources_;
  std::vector<BuiltLayer> built_;
  std::vector<LayerEvidence> evidence_;
  std::vector<verdict::Gap> gaps_;
  std::set<std::string> left_out_;  ///< mount points
};

}  // namespace rehearse::sandbox
