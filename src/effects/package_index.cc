#include "effects/package_index.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/sys.h"

namespace rehearse::effects {
namespace {

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

PackageIndex PackageIndex::load(int lower, int upper) {
  PackageIndex index;
  const auto bin = sys::stat_at(lower, "bin", AT_SYMLINK_NOFOLLOW);
  index.merged_usr_ = bin && S_ISLNK(bin->st_mode);
  index.load_database(lower);
  index.load_database(upper);
  return index;
}

void PackageIndex::load_database(int root) {
  auto fd = sys::open_beneath(root, "var/lib/dpkg/info", O_RDONLY | O_DIRECTORY);
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

std::string_view PackageIndex::owner(std::string_view path) const {
  if (slots_.empty()) return {};
  const Slot& slot = slots_[slot_of(hash(path))];
  if (slot.hash == 0 || slot.package == kSeveral) return {};
  return packages_[slot.package];
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
