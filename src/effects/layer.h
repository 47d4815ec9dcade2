// One overlay of a finished run, as the change set needs it. All descriptors belong to the host side.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"

namespace rehearse::effects {

struct Layer {
  std::uint32_t number = 0;       ///< of uppers/N in the bundle
  std::string mountpoint;         ///< where the action saw it: "/", "/home"
  UniqueFd upper;                 ///< O_RDONLY|O_DIRECTORY; ids on disk are the host's own
  std::uint64_t root_blocks = 0;  ///< of 512 bytes, that the upper's root had before the action
  UniqueFd index;                 ///< O_RDONLY|O_DIRECTORY of work/index; invalid if there is none
  UniqueFd lower;  ///< O_RDONLY|O_DIRECTORY in a detached, non-recursive, read-only, noatime clone of the
                   ///< host mount: walking it crosses into no other mount; ids are the host's own
  std::vector<std::string> masked;  ///< paths relative to the layer (no leading slash) shown as placeholders
                                    ///< (base/masked_content.h)
  UniqueFd host;  ///< on the host's filesystem, where `lower` is a copy of what is there; else invalid
  /// Of the placeholders, by handle_key() (base/file_handle.h): where they are moved to, the mask goes with
  /// them.
  std::map<std::string, std::string> mask_handles;
  std::vector<std::string> hidden;  ///< directories shown as empty (rehearse's own state): nothing below them
                                    ///< is part of the mirror, so nothing below is ever "deleted"
  std::map<std::string, std::vector<std::string>>
      xattrs_not_shown;  ///< by path as the action saw it: attributes of the host's that it was not shown;
                         ///< that the upper lacks them is no change of the action's
};

}  // namespace rehearse::effects
