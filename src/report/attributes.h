// Names and decoded texts of attributes, shared by the renderers. Pure; input is hostile.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "effects/change.h"

namespace rehearse::report {

const char* to_string(effects::ChangeKind kind);
/// file, dir, symlink, fifo, socket, device.
const char* to_string(effects::FileType type);

/// POSIX ACL xattr (acl(5), linux/posix_acl_xattr.h) as short text: "user::rw-,user:1000:rw-,group::r--,...".
/// `prefix` is put before each entry ("default:").
std::string acl_text(std::string_view xattr, std::string_view prefix = {});
/// Access and default ACL of an object; nothing if it has neither.
std::optional<std::string> acl_of(const std::map<std::string, std::string>& xattrs);

/// security.capability (linux/capability.h, versions 1 to 3) as cap_to_text(3) writes it: "cap_net_raw=ep".
std::string caps_text(std::string_view xattr);
std::optional<std::string> caps_of(const std::map<std::string, std::string>& xattrs);

/// "0644", "4755".
std::string mode_text(std::uint32_t mode);

}  // namespace rehearse::report
