// What lies over a layer's lower: placeholders for what is masked, whiteouts for what is hidden, files with
// something added. It is in memory, so that it is in nobody's bundle, and a layer of its own below the upper.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/plan.h"

namespace rehearse::sandbox {

/// Paths are relative to the layer's root; "" is the root.
struct LayerMask {
  UniqueFd root;  ///< O_PATH; invalid if there is nothing to mask on this host
  std::vector<std::string> masked;
  std::map<std::string, std::string>
      handles;  ///< of what stands for them, by handle_key() (base/file_handle.h)
  std::vector<std::string> hidden;
  std::vector<std::string> shadowed;  ///< directories that it shows in place of the host's own
  /// What the memory it is in could not take over (tmpfs before 6.6: `user.*`).
  std::map<std::string, std::vector<std::string>> xattrs_not_shown;
};

/// Makes it as `name` in `stage`, a tmpfs that only the builder sees. `lower`: the host's directory, which it
/// looks like but for what is masked. Owners and ACLs are shifted by `shift` (a tmpfs of one's own needs no
/// id mapping).
Result<LayerMask> make_mask(const LayerPlan& layer, int lower, int stage, const std::string& name,
                            std::uint32_t shift);

}  // namespace rehearse::sandbox
