#include "rehearsal/read_settlement.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/kernel_filesystem.h"
#include "base/path.h"
#include "base/sys.h"
#include "trace/read_set.h"

namespace rehearse {
namespace {

using effects::HostRead;
using effects::ReadIdentity;
using effects::ReadSource;

constexpr std::size_t kMostInterpreter = 4096;
constexpr std::size_t kMostSegments = 128;

/// What the host has under the path that was read.
std::optional<ReadIdentity> look(const HostRoot& host, const HostRead& read) {
  const auto object = host.find(read.path, !read.link);
  if (!object) return std::nullopt;
  const auto st = sys::stat_fd(object->get());
  if (!st) return std::nullopt;
  return ReadIdentity{
      st->st_dev, st->st_ino, std::nullopt, to_ns(st->st_ctim), static_cast<std::uint64_t>(st->st_size),
      st->st_mode};
}

bool is_removal_mark(const HostRoot& host, const HostRead& read) {
  const auto object = host.find(read.path, false);
  const auto st = object ? sys::stat_fd(object->get()) : tl::make_unexpected(object.error());
  return st && S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/// Opened to be read, if it is the regular file that was read: it is known to be one before it is opened.
std::optional<UniqueFd> open_same(const HostRoot& host, const HostRead& read) {
  const auto object = host.find(read.path);
  if (!object) return std::nullopt;
  const auto st = sys::stat_fd(object->get());
  if (!st || !S_ISREG(st->st_mode) || st->st_ino != read.identity.ino ||
      to_ns(st->st_ctim) != read.identity.ctime_ns)
    return std::nullopt;
  auto file = sys::open(sys::fd_path(object->get()).c_str(), O_RDONLY | O_NOATIME);
  if (!file) return std::nullopt;
  return std::move(*file);
}

/// The kernel names the superblock's device; stat(2), which later comparisons ask, has a number of its own
/// for each subvolume of btrfs. Of a filesystem where they are the same one object is looked at.
class DeviceNumbers {
 public:
  explicit DeviceNumbers(const HostRoot& host) : host_(host) {}

  void correct(HostRead& read) {
    const auto known = differ_.find(read.identity.dev);
    if (known != differ_.end() && !known->second) return;
    const auto now = look(host_, read);
    if (!now || now->ino != read.identity.ino || now->ctime_ns != read.identity.ctime_ns) return;
    differ_.emplace(read.identity.dev, now->dev != read.identity.dev);
    read.identity.dev = now->dev;
  }

 private:
  const HostRoot& host_;
  std::map<std::uint64_t, bool> differ_;
};

enum class Fate : std::uint8_t { kKeep, kDrop };

/// A lookup that found nothing.
Fate settle_absent(HostRead& read, const HostRoot& host, std::int64_t started_ns) {
  const auto now = look(host, read);
  if (!now) return Fate::kKeep;
  // It was there before the run: the action does not see it, or has removed it.
  if (now->ctime_ns <= started_ns) return Fate::kDrop;
  read.moved = true;
  return Fate::kKeep;
}

/// Where the layers lie on several filesystems overlayfs marks a short inode number with the one it is of, in
/// the bits above (xino): what the caller was told is then not the host's number.
void take_host_number(HostRead& read, const HostRoot& host) {
  const auto now = look(host, read);
  if (now && now->ctime_ns == read.identity.ctime_ns && now->size == read.identity.size &&
      now->ino == (read.identity.ino & UINT32_MAX))
    read.identity = *now;
}

/// What a link leads to there (/etc/mtab, to the caller's mounts) is made as it is looked at.
bool leads_to_kernel(const HostRoot& host, const HostRead& read) {
  const auto object = host.find(read.path, !read.link);
  return object && is_on_kernel_filesystem(object->get());
}

/// Something whose identity as it was is not known, or is that of the action's own copy.
Fate settle_by_host(HostRead& read, const HostRoot& host, std::int64_t started_ns) {
  if (!read.link && leads_to_kernel(host, read)) {
    read.link = true;  // that it leads there is what can be read of it
    if (leads_to_kernel(host, read)) return Fate::kDrop;
  }
  const auto now = look(host, read);
  if (!now) return Fate::kDrop;  // the action has made it
  read.moved = now->ctime_ns > started_ns;
  read.source = ReadSource::kHost;
  read.identity = *now;
  return Fate::kKeep;
}

Fate settle(HostRead& read, const HostRoot& host, DeviceNumbers& devices, const RunStart& start,
            std::optional<std::int64_t> other_since) {
  if (read.uses == effects::kReadAbsent)
    return settle_absent(read, host, other_since.value_or(start.realtime_ns));
  if (other_since) return settle_by_host(read, host, *other_since);
  switch (read.source) {
    case ReadSource::kKernel:
      read.moved = read.identity.ctime_ns > start.realtime_ns;
      devices.correct(read);
      return Fate::kKeep;
    case ReadSource::kCaller:
      if (read.identity.ctime_ns < start.earliest_stamp_ns) {
        if (read.identity.ino >> 32U != 0) take_host_number(read, host);
        return Fate::kKeep;
      }
      return settle_by_host(read, host, start.realtime_ns);
    default:
      return settle_by_host(read, host, start.realtime_ns);
  }
}

/// Its digest, and the path of its interpreter.
std::string digest_executed(HostRead& read, const HostRoot& host) {
  auto file = open_same(host, read);
  if (!file) return {};
  std::string interpreter = elf_interpreter(file->get());
  if (auto digest = sha256_fd(file->get(), nullptr, read.identity.size)) read.sha256 = *digest;
  return interpreter;
}

/// The kernel opens it without a system call.
void add_interpreter(std::vector<HostRead>& reads, const std::string& path, const HostRoot& host,
                     std::int64_t started_ns) {
  const auto real = host.real_path(path);
  if (!real) return;
  const auto known = std::ranges::lower_bound(reads, *real, {}, &HostRead::path);
  if (known != reads.end() && known->path == *real) {
    known->uses |= effects::kReadExecuted;
    (void)digest_executed(*known, host);
    return;
  }
  HostRead read;
  read.path = *real;
  read.uses = effects::kReadExecuted;
  if (settle_by_host(read, host, started_ns) == Fate::kDrop) return;
  (void)digest_executed(read, host);
  reads.insert(known, std::move(read));
}

template <class T>
bool read_at(int fd, std::uint64_t offset, T& value) {
  return ::pread(fd, &value, sizeof value, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof value);
}

}  // namespace

std::string elf_interpreter(int fd) {
  Elf64_Ehdr header = {};
  if (!read_at(fd, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
    return {};
  for (std::size_t i = 0; i < std::min<std::size_t>(header.e_phnum, kMostSegments); ++i) {
    Elf64_Phdr segment = {};
    if (header.e_phoff > INT64_MAX / 2 || !read_at(fd, header.e_phoff + i * sizeof segment, segment))
      return {};
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > kMostInterpreter || segment.p_offset > INT64_MAX)
      return {};
    std::string path(segment.p_filesz, '\0');
    if (::pread(fd, path.data(), path.size(), static_cast<off_t>(segment.p_offset)) !=
        static_cast<ssize_t>(path.size()))
      return {};
    path.resize(std::min(path.find('\0'), path.size()));
    return path.starts_with('/') ? path : std::string();
  }
  return {};
}

std::set<std::string> secrets_by_other_names(const std::vector<HostRead>& reads, const HostRoot& host,
                                             const std::set<std::string>& masked) {
  // Numbers of devices differ by who tells them (DeviceNumbers); these two say enough together.
  std::map<std::pair<std::uint64_t, std::int64_t>, std::string> secrets;
  const auto add = [&](const std::string& file) {
    HostRead secret;
    secret.path = file;
    if (const auto now = look(host, secret)) secrets.emplace(std::pair(now->ino, now->ctime_ns), file);
  };
  for (const std::string_view file : trace::secret_files()) add(std::string(file));
  for (const std::string& file : masked) add(file);
  std::set<std::string> found;
  for (const HostRead& read : reads) {
    if ((read.uses & effects::kReadOpened) == 0 || trace::is_secret(read.path)) continue;
    const auto secret = secrets.find({read.identity.ino, read.identity.ctime_ns});
    if (secret != secrets.end()) found.insert(secret->second);
  }
  return found;
}

std::optional<std::int64_t> ShownOtherwise::other_since(const std::string& path,
                                                        std::int64_t started_ns) const {
  if (shadowed.contains(path) || masked.contains(path)) return started_ns;
  for (const auto& [top, since_ns] : copied) {
    // What has that very time may have been changed before it was copied, or after.
    if (is_within(path, top)) return since_ns - 1;
  }
  return std::nullopt;
}

std::vector<HostRead> settle_reads(std::vector<HostRead> reads, const HostRoot& host, const RunStart& start,
                                   const ShownOtherwise& otherwise, std::vector<std::string>& marks) {
  DeviceNumbers devices(host);
  std::erase_if(reads, [&](HostRead& read) {
    if (otherwise.hidden.contains(read.path)) return true;
    const auto since = otherwise.other_since(read.path, start.realtime_ns);
    if (settle(read, host, devices, start, since) == Fate::kKeep) return false;
    if (read.uses == effects::kReadAbsent && is_removal_mark(host, read)) marks.push_back(read.path);
    return true;
  });
  std::set<std::string> interpreters;
  for (HostRead& read : reads) {
    if ((read.uses & effects::kReadExecuted) == 0) continue;
    if (std::string path = digest_executed(read, host); !path.empty()) interpreters.insert(std::move(path));
  }
  for (const std::string& path : interpreters) add_interpreter(reads, path, host, start.realtime_ns);
  return reads;
}

}  // namespace rehearse
