#include "effects/attributes.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/clock.h"
#include "base/masked_content.h"
#include "base/sys.h"
#include "effects/overlay.h"

namespace rehearse::effects {
namespace {

constexpr std::uint32_t kComparedFlags =
    FS_APPEND_FL | FS_IMMUTABLE_FL | FS_NOATIME_FL | FS_SYNC_FL | FS_NODUMP_FL;

/// SHA-256 reads a hole as zeros, half a second a GiB: one call of an action must not cost hours.
/// attributes.h says how many.
constexpr std::uint64_t kMostHoles = std::uint64_t{8} << 30U;

constexpr const char* kAclXattrs[] = {"system.posix_acl_access", "system.posix_acl_default"};
constexpr const char* kCapsXattr = "security.capability";

bool is_acl(std::string_view name) {
  return name == kAclXattrs[0] || name == kAclXattrs[1];
}

/// What overlayfs keeps for itself. What the action wrote below this prefix is stored with another one.
bool is_overlays_own(std::string_view name) {
  return name.starts_with(kOverlayPrefix) && !name.starts_with(kEscapedPrefix);
}

void add_xattr(Attributes& attributes, std::string_view name, std::string value) {
  if (name.starts_with(kEscapedPrefix)) {
    attributes
        .xattrs[std::string(kOverlayPrefix).append(name.substr(std::string_view(kEscapedPrefix).size()))] =
        std::move(value);
  } else if (!is_overlays_own(name)) {
    attributes.xattrs[std::string(name)] = std::move(value);
  }
}

std::uint32_t flags_of_protection(std::string_view letters) {
  std::uint32_t flags = 0;
  if (letters.find('a') != std::string_view::npos) flags |= FS_APPEND_FL;
  if (letters.find('i') != std::string_view::npos) flags |= FS_IMMUTABLE_FL;
  return flags;
}

Result<void> read_xattr_fd(int fd, const char* name, Store store, Attributes& attributes) {
  const bool protection = store == Store::kUpper && std::string_view(name) == kProtectionXattr;
  if (is_overlays_own(name) && !protection) return {};
  RH_TRY(auto value, sys::get_xattr(fd, name));
  if (protection)
    attributes.flags |= flags_of_protection(value);
  else
    add_xattr(attributes, name, std::move(value));
  return {};
}

Result<void> read_xattrs_fd(int fd, Store store, Attributes& attributes) {
  char names[4096];
  ssize_t size = ::flistxattr(fd, names, sizeof names);
  if (size == 0 || (size < 0 && errno == EOPNOTSUPP)) return {};
  if (size > 0) {
    for (const char* name = names; name < names + size; name += std::string_view(name).size() + 1)
      RH_CHECK(read_xattr_fd(fd, name, store, attributes));
    return {};
  }
  RH_TRY(const auto all, sys::list_xattrs(fd));
  for (const std::string& name : all) RH_CHECK(read_xattr_fd(fd, name.c_str(), store, attributes));
  return {};
}

/// For objects that must not be opened: through the parent's magic link, last component not followed.
Result<void> read_xattrs_path(int dir, const char* entry, Attributes& attributes) {
  const std::string path = sys::fd_path(dir) + '/' + entry;
  std::string names(65536, '\0');
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0) {
    if (errno == EOPNOTSUPP) return {};
    return sys::last_error("llistxattr");
  }
  for (const char* name = names.data(); name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (auto value = overlay_xattr(dir, entry, name)) add_xattr(attributes, name, std::move(*value));
  }
  return {};
}

void read_inode_flags(int fd, Attributes& attributes) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) attributes.flags |= static_cast<std::uint32_t>(flags);
  int generation = 0;
  if (::ioctl(fd, FS_IOC_GETVERSION, &generation) == 0)
    attributes.generation = static_cast<std::uint32_t>(generation);
}

/// Bytes of a file that nothing was written to, those of blocks that are only allocated among them. Only
/// whether there are more than kMostHoles matters.
std::uint64_t holes(int fd, const struct stat& st) {
  const auto size = static_cast<std::uint64_t>(st.st_size);
  const std::uint64_t allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
  const std::uint64_t without_block = size > allocated ? size - allocated : 0;
  if (size <= kMostHoles || without_block > kMostHoles) return without_block;
  constexpr int kMostPieces = 65536;
  std::uint64_t found = 0;
  off_t at = 0;
  for (int i = 0; i < kMostPieces && at < st.st_size; ++i) {
    const off_t data = ::lseek(fd, at, SEEK_DATA);
    if (data < 0 && errno != ENXIO) break;
    found += static_cast<std::uint64_t>((data < 0 ? st.st_size : data) - at);
    at = data < 0 ? st.st_size : ::lseek(fd, data, SEEK_HOLE);
    if (at < 0) break;
  }
  (void)::lseek(fd, 0, SEEK_SET);
  return found;
}

Result<UniqueFd> open_to_read(int dir, const char* name, int kind) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | kind;
  // Reading must not write times into the upper's inodes; who may not ask for that (a network filesystem)
  // reads so.
  UniqueFd fd(::openat(dir, name, flags | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd.reset(::openat(dir, name, flags));
  if (!fd.valid()) return sys::last_error("open");
  return fd;
}

Attributes from_stat(const struct stat& st) {
  Attributes attributes;
  attributes.dev = st.st_dev;
  attributes.ino = st.st_ino;
  attributes.ctime_ns = to_ns(st.st_ctim);
  attributes.mtime_ns = to_ns(st.st_mtim);
  attributes.mode = st.st_mode & 07777U;
  attributes.uid = st.st_uid;
  attributes.gid = st.st_gid;
  attributes.size = static_cast<std::uint64_t>(st.st_size);
  attributes.blocks = static_cast<std::uint64_t>(st.st_blocks);
  attributes.nlink = st.st_nlink;
  attributes.rdev = st.st_rdev;
  if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) attributes.link_group = st.st_ino;
  return attributes;
}

}  // namespace

Result<UniqueFd> open_file(int dir, const char* name, std::optional<struct stat>& st) {
  RH_TRY(UniqueFd fd, open_to_read(dir, name, 0));
  struct stat opened = {};
  if (::fstat(fd.get(), &opened) != 0) return sys::last_error("fstat");
  if (!S_ISREG(opened.st_mode) || (st && (opened.st_ino != st->st_ino || opened.st_dev != st->st_dev)))
    return fail("was replaced while it was read");
  st = opened;
  return fd;
}

Result<Attributes> read_open_file(int file, const struct stat& st, Content content, Store store) {
  Attributes attributes = from_stat(st);
  if (content == Content::kHash)
    content = holes(file, st) <= kMostHoles ? Content::kHashPlain : Content::kHashSparse;
  if (content == Content::kHashSparse) {
    attributes.sparse = true;
    RH_TRY(attributes.sha256, sparse_sha256_fd(file, attributes.size));
  }
  if (content == Content::kHashPlain) {
    std::uint64_t bytes = 0;
    RH_TRY(attributes.sha256, sha256_fd(file, &bytes, static_cast<std::uint64_t>(st.st_size)));
    attributes.size = bytes;
  }
  RH_CHECK(read_xattrs_fd(file, store, attributes));
  read_inode_flags(file, attributes);
  return attributes;
}

Content content_as(const Attributes& recorded) {
  return recorded.sparse ? Content::kHashSparse : Content::kHashPlain;
}

FileType file_type(const struct stat& st) {
  switch (st.st_mode & S_IFMT) {
    case S_IFDIR:
      return FileType::kDir;
    case S_IFLNK:
      return FileType::kSymlink;
    case S_IFIFO:
      return FileType::kFifo;
    case S_IFSOCK:
      return FileType::kSocket;
    case S_IFCHR:
      return FileType::kCharDevice;
    case S_IFBLK:
      return FileType::kBlockDevice;
    default:
      return FileType::kFile;
  }
}

Result<Attributes> read_attributes(int dir, const char* name, std::optional<struct stat>& st, Content content,
                                   Store store) {
  if (!st || S_ISREG(st->st_mode)) {
    RH_TRY(const UniqueFd file, open_file(dir, name, st));
    return read_open_file(file.get(), *st, content, store);
  }
  Attributes attributes = from_stat(*st);
  if (S_ISDIR(st->st_mode)) {
    RH_TRY(const UniqueFd fd, open_to_read(dir, name, O_DIRECTORY));
    RH_CHECK(read_xattrs_fd(fd.get(), store, attributes));
    read_inode_flags(fd.get(), attributes);
    return attributes;
  }
  if (S_ISLNK(st->st_mode)) {
    RH_TRY(attributes.target, sys::read_link_at(dir, name));
  }
  RH_CHECK(read_xattrs_path(dir, name, attributes));
  return attributes;
}

std::uint32_t compared_flags(const Attributes& attributes) {
  return attributes.flags & kComparedFlags;
}

std::vector<std::string> compare(const Attributes& before, const Attributes& after, FileType type,
                                 const Window& window) {
  std::vector<std::string> differences;
  const auto note = [&](bool differs, const char* word) {
    if (differs) differences.emplace_back(word);
  };
  if (type == FileType::kFile)
    note(before.size != after.size || before.sha256 != after.sha256 || !after.sha256, "modified");
  if (type == FileType::kSymlink) note(before.target != after.target, "modified");
  if (type == FileType::kCharDevice || type == FileType::kBlockDevice)
    note(before.rdev != after.rdev, "modified");
  note(before.mode != after.mode, "mode");
  note(before.uid != after.uid || before.gid != after.gid, "owner");
  bool acl = false;
  bool caps = false;
  bool other = false;
  const auto scan = [&](const Attributes& a, const Attributes& b) {
    for (const auto& [name, value] : a.xattrs) {
      const auto found = b.xattrs.find(name);
      if (found != b.xattrs.end() && found->second == value) continue;
      (is_acl(name) ? acl : name == kCapsXattr ? caps : other) = true;
    }
  };
  scan(before, after);
  scan(after, before);
  note(acl, "acl");
  note(caps, "caps");
  note(other, "xattrs");
  note(compared_flags(before) != compared_flags(after), "flags");
  if (before.mtime_ns != after.mtime_ns) note(true, window.contains(after.mtime_ns) ? "touched" : "mtime");
  return differences;
}

namespace {

/// Nothing was written to what stands for a masked file.
bool shows_mask(const Change& change) {
  return change.masked && change.type == FileType::kFile && change.before->size == change.after->size &&
         change.after->sha256 && is_masked_content(*change.after->sha256, change.after->size);
}

}  // namespace

std::optional<ChangeKind> classify(Change& change, bool replaced, const Window& window) {
  change.also = compare(*change.before, *change.after, change.type, window);
  if (shows_mask(change)) {
    std::erase(change.also, "modified");
    change.after->sha256.reset();  // of the placeholder's content, which is nobody's
  }
  const bool touched = std::erase(change.also, "touched") != 0;
  if (replaced) change.also.emplace_back("replaced");
  const bool relinked = change.type != FileType::kDir && change.before->nlink != change.after->nlink;
  const bool metadata = !change.also.empty();
  if (relinked) change.also.emplace_back("hardlink");
  if (!change.from.empty()) return ChangeKind::kRenamed;
  if (std::erase(change.also, "modified") != 0) return ChangeKind::kModified;
  if (metadata) return ChangeKind::kMetadata;
  if (touched) change.also.emplace_back("touched");
  // A directory is copied up whenever something below changes: only its own time says that it was written.
  if (change.type == FileType::kDir && !touched) return std::nullopt;
  return ChangeKind::kIdentical;
}

bool is_only_a_time(const Change& change) {
  return change.type == FileType::kDir && change.before && change.after &&
         (change.kind == ChangeKind::kIdentical || change.kind == ChangeKind::kMetadata) &&
         std::ranges::all_of(change.also,
                             [](const std::string& word) { return word == "mtime" || word == "touched"; });
}

bool is_others_time(const Change& change) {
  return change.base_moved && is_only_a_time(change);
}

}  // namespace rehearse::effects
