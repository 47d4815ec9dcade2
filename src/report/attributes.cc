#include "report/attributes.h"

#include <fmt/core.h>

#include <array>
#include <vector>

#include "base/escape.h"

namespace rehearse::report {
namespace {

constexpr std::array kCapabilities = {"cap_chown",
                                      "cap_dac_override",
                                      "cap_dac_read_search",
                                      "cap_fowner",
                                      "cap_fsetid",
                                      "cap_kill",
                                      "cap_setgid",
                                      "cap_setuid",
                                      "cap_setpcap",
                                      "cap_linux_immutable",
                                      "cap_net_bind_service",
                                      "cap_net_broadcast",
                                      "cap_net_admin",
                                      "cap_net_raw",
                                      "cap_ipc_lock",
                                      "cap_ipc_owner",
                                      "cap_sys_module",
                                      "cap_sys_rawio",
                                      "cap_sys_chroot",
                                      "cap_sys_ptrace",
                                      "cap_sys_pacct",
                                      "cap_sys_admin",
                                      "cap_sys_boot",
                                      "cap_sys_nice",
                                      "cap_sys_resource",
                                      "cap_sys_time",
                                      "cap_sys_tty_config",
                                      "cap_mknod",
                                      "cap_lease",
                                      "cap_audit_write",
                                      "cap_audit_control",
                                      "cap_setfcap",
                                      "cap_mac_override",
                                      "cap_mac_admin",
                                      "cap_syslog",
                                      "cap_wake_alarm",
                                      "cap_block_suspend",
                                      "cap_audit_read",
                                      "cap_perfmon",
                                      "cap_bpf",
                                      "cap_checkpoint_restore"};

/// Little-endian numbers, as both formats store them.
std::uint32_t number(std::string_view data, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(data[at + i])} << (8 * i);
  return value;
}

std::string malformed(std::string_view xattr) {
  constexpr std::size_t kShown = 64;
  return "malformed:" + hex(xattr.substr(0, kShown)) + (xattr.size() > kShown ? "..." : "");
}

std::string capability_name(unsigned bit) {
  return bit < kCapabilities.size() ? kCapabilities[bit] : fmt::format("{}", bit);
}

}  // namespace

const char* to_string(effects::ChangeKind kind) {
  switch (kind) {
    case effects::ChangeKind::kType:
      return "type";
    case effects::ChangeKind::kCreated:
      return "created";
    case effects::ChangeKind::kDeleted:
      return "deleted";
    case effects::ChangeKind::kRenamed:
      return "renamed";
    case effects::ChangeKind::kModified:
      return "modified";
    case effects::ChangeKind::kMetadata:
      return "metadata";
    case effects::ChangeKind::kIdentical:
      return "identical";
  }
  return "?";
}

const char* to_string(effects::FileType type) {
  switch (type) {
    case effects::FileType::kFile:
      return "file";
    case effects::FileType::kDir:
      return "dir";
    case effects::FileType::kSymlink:
      return "symlink";
    case effects::FileType::kFifo:
      return "fifo";
    case effects::FileType::kSocket:
      return "socket";
    case effects::FileType::kCharDevice:
    case effects::FileType::kBlockDevice:
      return "device";
  }
  return "?";
}

std::string acl_text(std::string_view xattr, std::string_view prefix) {
  constexpr std::size_t kHeader = 4;
  constexpr std::size_t kEntry = 8;
  if (xattr.size() < kHeader || (xattr.size() - kHeader) % kEntry != 0 || number(xattr, 0, 4) != 2) {
    return malformed(xattr);
  }
  std::string text;
  for (std::size_t at = kHeader; at < xattr.size(); at += kEntry) {
    const std::uint32_t tag = number(xattr, at, 2);
    const std::uint32_t perm = number(xattr, at + 2, 2);
    const std::uint32_t id = number(xattr, at + 4, 4);
    if (!text.empty()) text += ',';
    text += prefix;
    switch (tag) {
      case 0x01:
        text += "user::";
        break;
      case 0x02:
        text += fmt::format("user:{}:", id);
        break;
      case 0x04:
        text += "group::";
        break;
      case 0x08:
        text += fmt::format("group:{}:", id);
        break;
      case 0x10:
        text += "mask::";
        break;
      case 0x20:
        text += "other::";
        break;
      default:
        return malformed(xattr);
    }
    text += (perm & 4U) != 0 ? 'r' : '-';
    text += (perm & 2U) != 0 ? 'w' : '-';
    text += (perm & 1U) != 0 ? 'x' : '-';
  }
  return text;
}

std::optional<std::string> acl_of(const std::map<std::string, std::string>& xattrs) {
  const auto access = xattrs.find("system.posix_acl_access");
  const auto inherited = xattrs.find("system.posix_acl_default");
  if (access == xattrs.end() && inherited == xattrs.end()) return std::nullopt;
  std::string text;
  if (access != xattrs.end()) text = acl_text(access->second);
  if (inherited != xattrs.end()) {
    if (!text.empty()) text += ',';
    text += acl_text(inherited->second, "default:");
  }
  return text;
}

std::string caps_text(std::string_view xattr) {
  if (xattr.size() < 4) return malformed(xattr);
  const std::uint32_t magic = number(xattr, 0, 4);
  const std::uint32_t version = magic >> 24U;
  const bool effective = (magic & 1U) != 0;
  const std::size_t words = version == 1 ? 1 : 2;
  const std::size_t size = 4 + words * 8 + (version == 3 ? 4 : 0);
  if (version < 1 || version > 3 || xattr.size() != size) return malformed(xattr);
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
  for (std::size_t word = 0; word < words; ++word) {
    permitted |= std::uint64_t{number(xattr, 4 + word * 8, 4)} << (32 * word);
    inheritable |= std::uint64_t{number(xattr, 8 + word * 8, 4)} << (32 * word);
  }
  std::string text;
  const auto group = [&](std::uint64_t set, const char* flags) {
    if (set == 0) return;
    if (!text.empty()) text += ' ';
    bool first = true;
    for (unsigned bit = 0; bit < 64; ++bit) {
      if ((set >> bit & 1U) == 0) continue;
      if (!first) text += ',';
      first = false;
      text += capability_name(bit);
    }
    text += '=';
    if (effective) text += 'e';
    text += flags;
  };
  group(permitted & inheritable, "ip");
  group(permitted & ~inheritable, "p");
  group(inheritable & ~permitted, "i");
  if (text.empty()) text = "=";
  if (version == 3) text += fmt::format(" [rootid={}]", number(xattr, size - 4, 4));
  return text;
}

std::optional<std::string> caps_of(const std::map<std::string, std::string>& xattrs) {
  const auto found = xattrs.find("security.capability");
  if (found == xattrs.end()) return std::nullopt;
  return caps_text(found->second);
}

std::string mode_text(std::uint32_t mode) {
  return fmt::format("{:04o}", mode);
}

}  // namespace rehearse::report
