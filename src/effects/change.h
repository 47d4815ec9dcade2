// One record of the manifest: what became of one path.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"

namespace rehearse::effects {

enum class FileType : std::uint8_t { kFile, kDir, kSymlink, kFifo, kSocket, kCharDevice, kBlockDevice };

/// In order of precedence: `Change::kind` is the first that applies, `Change::also` names the rest.
enum class ChangeKind : std::uint8_t {
  kType,  ///< another kind of object stands under the same name
  kCreated,
  kDeleted,    ///< every path below a deleted or replaced directory is a record of its own
  kRenamed,    ///< `from` holds the old path; a renamed directory is one record
  kModified,   ///< content, symlink target or device number
  kMetadata,   ///< mode, owner, times set on purpose, xattrs, ACLs, capabilities, inode flags; other hard
               ///< links; what is allocated
  kIdentical,  ///< written or touched, yet nothing but a time of the run itself differs
};

/// Attributes of one object, in host ids. Times in nanoseconds since the epoch.
struct Attributes {
  std::uint64_t dev = 0;
  std::uint64_t ino = 0;
  std::optional<std::uint64_t> generation;  ///< absent where the filesystem has none
  std::int64_t ctime_ns = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0;  ///< permission, setuid, setgid and sticky bits (07777)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  ///< of 512 bytes: fewer than `size` needs means sparse
  std::uint64_t nlink = 1;
  std::optional<std::uint64_t> link_group;  ///< same number = same inode, within one layer of one run
  std::uint64_t rdev = 0;
  std::string target;            ///< of a symlink
  std::optional<Sha256> sha256;  ///< regular files only
  bool sparse = false;  ///< it is the digest of sparse_sha256_fd(): the file is large and mostly hole
  std::map<std::string, std::string>
      xattrs;               ///< raw values; overlayfs's own are left out; ACLs and capabilities included
  std::uint32_t flags = 0;  ///< FS_IOC_GETFLAGS
};

struct Change {
  std::string path;  ///< bytes, absolute, as the action saw it; of what is deleted as the host has it
  ChangeKind kind = ChangeKind::kCreated;
  std::vector<std::string>
      also;  ///< "modified", "mode", "owner", "mtime", "xattrs", "acl", "caps", "flags", "hardlink", "blocks"
  FileType type = FileType::kFile;  ///< of the object after; of the one before if deleted
  std::string from;                 ///< old path of a renamed object
  std::optional<Attributes> before;
  std::optional<Attributes> after;
  std::string package;      ///< owning dpkg package of the path, else of the host's object; empty if none
  std::uint32_t layer = 0;  ///< index of the layer (uppers/N) that holds it
  bool masked = false;      ///< stands over a masked file: never promotable
  bool base_moved = false;  ///< the host's object changed after the run began
};

}  // namespace rehearse::effects
