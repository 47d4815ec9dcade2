#include "effects/package_index.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "base/sys.h"

namespace rehearse::effects {
namespace {

constexpr std::string_view kShared = "\n";  ///< in the lists of several packages: no package has this name
constexpr const char* kLists = "var/lib/dpkg/info";
constexpr const char* kCache = "packages.cache";
constexpr std::size_t kLargestCache = std::size_t{256} << 20U;
constexpr std::size_t kLargestList = std::size_t{64} << 20U;

/// Eight bytes a step. Never 0.
std::uint64_t hash(std::string_view path) {
  std::uint64_t value = 14695981039346656037ULL ^ path.size();
  while (!path.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(path.size(), sizeof word);
    std::memcpy(&word, path.data(), size);
    path.remove_prefix(size);
    value = (value ^ word) * 0x9e3779b97f4a7c15ULL;
    value ^= value >> 32U;
  }
  return value == 0 ? 1 : value;
}

/// Package lists say /bin/ls where a host with merged /usr has /usr/bin/ls.
bool moved_to_usr(std::string_view path) {
  for (const std::string_view directory : {"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"}) {
    if (path.starts_with(directory)) return true;
  }
  return false;
}

}  // namespace

/// What the cache file begins with; the slots and the names of the packages, each ended by a zero, follow.
struct PackageIndex::Head {
  char magic[8] = {'R', 'H', 'P', 'K', 'G', 'S', '0', '1'};
  std::uint64_t merged_usr = 0;
  std::uint64_t directory[6] = {};  ///< dev, ino, mtime and ctime of the lists' directory
  std::uint64_t slots = 0;
  std::uint64_t used = 0;
  std::uint64_t packages = 0;
  std::uint64_t names = 0;  ///< bytes

  [[nodiscard]] bool same_source(const Head& other) const {
    return std::memcmp(this, &other, offsetof(Head, slots)) == 0;
  }
};

PackageIndex PackageIndex::load(int lower, int upper, int cache) {
  PackageIndex index;
  const auto bin = sys::stat_at(lower, "bin", AT_SYMLINK_NOFOLLOW);
  index.merged_usr_ = bin && S_ISLNK(bin->st_mode);
  const auto lists = sys::open_beneath(lower, kLists, O_PATH | O_DIRECTORY);
  const auto st = lists ? sys::stat_fd(lists->get()) : Result<struct stat>(fail("no lists"));
  if (st) {
    Head head;
    head.merged_usr = index.merged_usr_ ? 1 : 0;
    const auto number = [](auto value) { return static_cast<std::uint64_t>(value); };
    const std::uint64_t directory[6] = {st->st_dev,
                                        st->st_ino,
                                        number(st->st_mtim.tv_sec),
                                        number(st->st_mtim.tv_nsec),
                                        number(st->st_ctim.tv_sec),
                                        number(st->st_ctim.tv_nsec)};
    std::memcpy(head.directory, directory, sizeof directory);
    if (!index.open_cache(cache, head)) {
      index.load_database(lower);
      index.write_cache(cache, head);
    }
  }
  index.load_database(upper);
  return index;
}

bool PackageIndex::open_cache(int cache, const Head& wanted) {
  if (cache < 0) return false;
  auto file = sys::open_beneath(cache, kCache, O_RDONLY | O_NOFOLLOW);
  if (!file) return false;
  const auto st = sys::stat_fd(file->get());
  Head head;
  if (!st || ::pread(file->get(), &head, sizeof head, 0) != sizeof head) return false;
  if (!head.same_source(wanted) || !std::has_single_bit(head.slots) || head.slots > kLargestCache ||
      head.names > kLargestCache ||
      static_cast<std::uint64_t>(st->st_size) != sizeof head + head.slots * sizeof(Slot) + head.names)
    return false;
  std::string names(head.names, '\0');
  const auto at = static_cast<off_t>(sizeof head + head.slots * sizeof(Slot));
  if (::pread(file->get(), names.data(), names.size(), at) != static_cast<ssize_t>(names.size()))
    return false;
  for (std::string_view rest = names; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    cache_packages_.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  cache_ = std::move(*file);
  cache_size_ = head.slots;
  return true;
}

/// Slots of the file; empty if they cannot be read.
std::vector<PackageIndex::Slot> PackageIndex::cached_slots(std::uint64_t from, std::uint64_t count) const {
  std::vector<Slot> slots(count);
  const auto bytes = static_cast<ssize_t>(count * sizeof(Slot));
  const auto at = static_cast<off_t>(sizeof(Head) + from * sizeof(Slot));
  if (::pread(cache_.get(), slots.data(), static_cast<std::size_t>(bytes), at) != bytes) slots.clear();
  return slots;
}

/// A few paths are looked up in the file; for many it is read. Nothing in it is believed that would lead out
/// of the table, or round in it for ever.
std::string_view PackageIndex::cached_owner(std::uint64_t hash) {
  constexpr std::uint64_t kPiece = 8;
  constexpr std::uint64_t kMany = 2000;
  if (cache_size_ < kPiece) return {};
  if (++asked_ == kMany) cache_slots_ = cached_slots(0, cache_size_);
  std::uint64_t at = hash & (cache_size_ - 1);
  std::vector<Slot> piece;
  for (std::uint64_t probes = 0; probes < cache_size_; ++probes, at = (at + 1) & (cache_size_ - 1)) {
    if (cache_slots_.empty() && (piece.empty() || at % kPiece == 0))
      piece = cached_slots(at - at % kPiece, kPiece);
    if (cache_slots_.empty() && piece.empty()) return {};
    const Slot& slot = cache_slots_.empty() ? piece[at % kPiece] : cache_slots_[at];
    if (slot.hash == 0) return {};
    if (slot.hash == hash)
      return slot.package < cache_packages_.size() ? std::string_view(cache_packages_[slot.package])
                                                   : kShared;
  }
  return {};
}

/// A cache that cannot be written is none.
void PackageIndex::write_cache(int cache, const Head& source) const {
  if (cache < 0 || slots_.empty()) return;
  Head head = source;
  std::string names;
  for (const std::string& package : packages_) names.append(package) += '\0';
  head.slots = slots_.size();
  head.used = used_;
  head.packages = packages_.size();
  head.names = names.size();
  const std::string temporary = std::string(kCache) + '.' + std::to_string(::getpid());
  const auto file =
      sys::open_beneath(cache, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!file) return;
  const bool written =
      sys::write_all(file->get(), {reinterpret_cast<const char*>(&head), sizeof head}) &&
      sys::write_all(file->get(),
                     {reinterpret_cast<const char*>(slots_.data()), slots_.size() * sizeof(Slot)}) &&
      sys::write_all(file->get(), names) && sys::rename_at(cache, temporary.c_str(), cache, kCache);
  if (!written) (void)sys::unlink_at(cache, temporary.c_str(), 0);
}

void PackageIndex::load_database(int root) {
  auto fd = sys::open_beneath(root, kLists, O_RDONLY | O_DIRECTORY);
  if (!fd) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd->release()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(".list") || entry->d_type != DT_REG) continue;
    name.remove_suffix(5);
    add_list(::dirfd(listing.get()), entry->d_name, name.substr(0, name.find(':')));
  }
}

void PackageIndex::add_list(int directory, const char* file, std::string_view package) {
  auto fd = sys::open_beneath(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return;
  const auto text = sys::read_all(fd->get(), kLargestList);
  if (!text) return;
  const auto number = static_cast<std::uint32_t>(packages_.size());
  packages_.emplace_back(package);
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view path = rest.substr(0, end);
    if (path.size() > 1)
      add_path(merged_usr_ && moved_to_usr(path) ? hash("/usr" + std::string(path)) : hash(path), number);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string_view PackageIndex::owner(std::string_view path) {
  const std::string_view found = owners(path);
  return found == kSeveralPackages ? std::string_view() : found;
}

std::string_view PackageIndex::owners(std::string_view path) {
  const std::uint64_t key = hash(path);
  const std::string_view cached = cache_.valid() ? cached_owner(key) : std::string_view();
  std::string_view own;
  if (!slots_.empty()) {
    const Slot& slot = slots_[slot_of(key)];
    if (slot.hash != 0) own = slot.package == kSeveral ? kShared : std::string_view(packages_[slot.package]);
  }
  if (own.empty()) own = cached;
  const bool differ = !cached.empty() && cached != own;
  return own == kShared || differ ? kSeveralPackages : own;
}

void PackageIndex::add_path(std::uint64_t hash, std::uint32_t package) {
  if (2 * used_ >= slots_.size()) grow();
  Slot& slot = slots_[slot_of(hash)];
  if (slot.hash == 0) {
    slot = {hash, package};
    ++used_;
  } else if (slot.package != kSeveral && packages_[slot.package] != packages_[package]) {
    slot.package = kSeveral;  // the same package for another architecture is no other
  }
}

/// Where `hash` is, or the free slot where it belongs.
std::size_t PackageIndex::slot_of(std::uint64_t hash) const {
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void PackageIndex::grow() {
  const auto old = std::exchange(slots_, std::vector<Slot>(std::max<std::size_t>(1024, slots_.size() * 2)));
  for (const Slot& slot : old) {
    if (slot.hash != 0) slots_[slot_of(slot.hash)] = slot;
  }
}

}  // namespace rehearse::effects
