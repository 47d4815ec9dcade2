#include "sandbox/filesystems.h"

#include <algorithm>
#include <iterator>

namespace rehearse::sandbox {
namespace {

using enum FilesystemKind;

struct Entry {
  std::string_view type;
  FilesystemKind kind;
};

constexpr Entry kTypes[] = {
    {"ext2", kReal},       {"ext3", kReal},         {"ext4", kReal},          {"xfs", kReal},
    {"btrfs", kReal},      {"f2fs", kReal},         {"tmpfs", kReal},         {"ramfs", kReal},
    {"rootfs", kReal},     {"vfat", kReal},         {"msdos", kReal},         {"exfat", kReal},
    {"ntfs3", kReal},      {"overlay", kReal},      {"zfs", kReal},           {"bcachefs", kReal},
    {"jfs", kReal},        {"reiserfs", kReal},     {"nilfs2", kReal},        {"squashfs", kReadOnly},
    {"erofs", kReadOnly},  {"iso9660", kReadOnly},  {"udf", kReadOnly},       {"cramfs", kReadOnly},
    {"romfs", kReadOnly},  {"nfs", kRemote},        {"nfs4", kRemote},        {"cifs", kRemote},
    {"smb3", kRemote},     {"9p", kRemote},         {"virtiofs", kRemote},    {"ceph", kRemote},
    {"afs", kRemote},      {"gfs2", kRemote},       {"ocfs2", kRemote},       {"lustre", kRemote},
    {"orangefs", kRemote}, {"coda", kRemote},       {"autofs", kRemote},      {"fuse", kRemote},
    {"fuseblk", kRemote},  {"proc", kKernel},       {"sysfs", kKernel},       {"devtmpfs", kKernel},
    {"devpts", kKernel},   {"mqueue", kKernel},     {"cgroup", kKernel},      {"cgroup2", kKernel},
    {"cpuset", kKernel},   {"securityfs", kKernel}, {"debugfs", kKernel},     {"tracefs", kKernel},
    {"bpf", kKernel},      {"pstore", kKernel},     {"efivarfs", kKernel},    {"configfs", kKernel},
    {"fusectl", kKernel},  {"hugetlbfs", kKernel},  {"binfmt_misc", kKernel}, {"rpc_pipefs", kKernel},
    {"nfsd", kKernel},     {"nsfs", kKernel},       {"selinuxfs", kKernel},   {"smackfs", kKernel},
    {"resctrl", kKernel},  {"functionfs", kKernel}, {"pipefs", kKernel},      {"sockfs", kKernel},
};

}  // namespace

FilesystemKind filesystem_kind(std::string_view type) {
  if (type.starts_with("fuse.")) return kRemote;
  const auto* found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Entry& e) { return e.type == type; });
  return found == std::end(kTypes) ? kUnknown : found->kind;
}

bool takes_all_attributes(std::string_view type) {
  constexpr std::string_view kPlain[] = {"tmpfs", "ramfs", "rootfs", "overlay", "ext2", "ext3",     "ext4",
                                         "xfs",   "btrfs", "f2fs",   "zfs",     "jfs",  "bcachefs", "nilfs2"};
  return std::find(std::begin(kPlain), std::end(kPlain), type) != std::end(kPlain);
}

bool holds_plain_files_only(std::string_view type) {
  return type == "vfat" || type == "msdos" || type == "exfat";
}

}  // namespace rehearse::sandbox
