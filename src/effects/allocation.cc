#include "effects/allocation.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/fd.h"

namespace rehearse::effects {
namespace {

/// What copy-up writes at once, wherever it has found data: OVL_COPY_UP_CHUNK_SIZE of fs/overlayfs.
constexpr std::uint64_t kCopied = std::uint64_t{1} << 20U;

/// Blocks that hold no content (extent trees, lists of blocks) and rounding to larger units.
std::uint64_t slack(std::uint64_t bytes) {
  return std::max(std::uint64_t{1} << 20U, bytes / 64);
}

constexpr int kMostPieces = 1'000'000;

/// Bytes that a copy has which is made in pieces of `piece` bytes from where there is data. What is
/// allocated, was never written to and has been read may count as data: rather too many than too few.
std::uint64_t data_bytes(int fd, std::uint64_t size, std::uint64_t piece) {
  std::uint64_t found = 0;
  std::uint64_t at = 0;
  for (int i = 0; at < size; ++i) {
    if (i == kMostPieces) return size;  // it may be so many
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole to the end
    const off_t hole = data < 0 ? data : ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return size;
    const auto begin = static_cast<std::uint64_t>(data);
    const auto length = std::max<std::uint64_t>(static_cast<std::uint64_t>(hole) - begin, 1);
    const std::uint64_t end = std::min(begin + (length + piece - 1) / piece * piece, size);
    if (end <= begin) break;
    found += end - begin;
    at = end;
  }
  return found;
}

/// Bytes that were written to, by the filesystem's own list; none where it has no such list. Rather too few
/// than too many: what is not on the disk yet may be missing.
std::uint64_t written_bytes(int fd) {
  constexpr std::uint32_t kAtOnce = 256;
  std::vector<struct fiemap> room(1 + kAtOnce * sizeof(struct fiemap_extent) / sizeof(struct fiemap) + 1);
  struct fiemap& map = room.front();
  std::uint64_t found = 0;
  std::uint64_t at = 0;
  for (std::uint32_t seen = 0; seen < kMostPieces; seen += map.fm_mapped_extents) {
    map = {};
    map.fm_start = at;
    map.fm_length = FIEMAP_MAX_OFFSET - at;
    map.fm_extent_count = kAtOnce;
    if (::ioctl(fd, FS_IOC_FIEMAP, &map) != 0 || map.fm_mapped_extents == 0) break;
    const auto* extents = reinterpret_cast<const struct fiemap_extent*>(
        reinterpret_cast<const std::byte*>(&map) + sizeof(struct fiemap));
    for (std::uint32_t i = 0; i < std::min(map.fm_mapped_extents, kAtOnce); ++i) {
      const struct fiemap_extent& extent = extents[i];
      if ((extent.fe_flags & FIEMAP_EXTENT_UNWRITTEN) == 0) found += extent.fe_length;
      if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return found;
      at = std::max<std::uint64_t>(at + 1, extent.fe_logical + extent.fe_length);
    }
  }
  return found;
}

UniqueFd open_file(int dir, const char* name) {
  return UniqueFd(::openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

bool is_allocated_otherwise(int before_dir, const char* before_name, const Attributes& before, int after_dir,
                            const char* after_name, const Attributes& after) {
  const std::uint64_t had = before.blocks * 512;
  const std::uint64_t has = after.blocks * 512;
  if (has > had + slack(had)) {
    const UniqueFd file = open_file(before_dir, before_name);
    if (!file.valid()) return false;
    const std::uint64_t copied = std::max(had, data_bytes(file.get(), before.size, kCopied));
    return has > copied + slack(copied);
  }
  if (had > has + slack(has)) {
    const UniqueFd old_file = open_file(before_dir, before_name);
    const UniqueFd file = open_file(after_dir, after_name);
    if (!old_file.valid() || !file.valid()) return false;
    const std::uint64_t left = data_bytes(file.get(), after.size, 1);
    return written_bytes(old_file.get()) > left + slack(left);
  }
  return false;
}

}  // namespace rehearse::effects
