// How overlayfs writes into an upper: the few things that are not plain files.
// Source: Documentation/filesystems/overlayfs.rst and fs/overlayfs/overlayfs.h (Linux 6.1 to 6.18).
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace rehearse::effects {

inline constexpr const char* kOpaqueXattr = "trusted.overlay.opaque";
inline constexpr const char* kRedirectXattr = "trusted.overlay.redirect";
inline constexpr const char* kOriginXattr = "trusted.overlay.origin";
inline constexpr const char* kNlinkXattr = "trusted.overlay.nlink";
/// "a", "i": the action sees its object append-only, immutable. The upper's own inode is not, or overlayfs
/// could not write to it.
inline constexpr const char* kProtectionXattr = "trusted.overlay.protattr";
inline constexpr const char* kOverlayPrefix = "trusted.overlay.";
/// An xattr of the action's own that looks like overlayfs's is stored with this prefix in place of
/// kOverlayPrefix.
inline constexpr const char* kEscapedPrefix = "trusted.overlay.overlay.";

/// A character device 0:0: the name is deleted. mknod(2) of one through an overlay is refused, so it cannot
/// be forged.
inline bool is_whiteout(const struct stat& st) {
  return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

/// One xattr of `name` in directory `dir`, whatever its type, without opening or following it.
std::optional<std::string> overlay_xattr(int dir, const char* name, const char* xattr);

/// handle_key() (base/file_handle.h) of the lower object that the upper object was copied up from, if there
/// is such a record.
std::optional<std::string> origin_key(int dir, const char* name);

/// The lower object that the upper object was copied up from; nothing if there is no such record or the
/// object is gone. `lower` is any descriptor on the lower's filesystem.
std::optional<struct stat> origin_stat(int lower, int dir, const char* name);

/// How many names the upper object has in the merged view. On disk its index entry counts and names that are
/// only in the lower do not; overlayfs keeps the difference. `st` is its stat, `origin` what it was copied
/// from.
std::uint64_t merged_nlink(int dir, const char* name, const struct stat& st,
                           const std::optional<struct stat>& origin);

}  // namespace rehearse::effects
