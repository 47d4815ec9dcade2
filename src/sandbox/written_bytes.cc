#include "sandbox/written_bytes.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr int kDeepest = 2000;
constexpr std::size_t kMostNamed = std::size_t{1} << 20U;
constexpr std::size_t kMostOpen = std::size_t{1} << 18U;

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_listing(UniqueFd fd) {
  return {::fdopendir(fd.release()), ::closedir};
}

bool is_dots(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

std::optional<std::uint64_t> measure(int directory, int depth, std::size_t& left) {
  if (depth > kDeepest) return std::nullopt;
  auto opened = sys::open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!opened) return std::nullopt;
  const Directory entries = open_listing(std::move(*opened));
  if (!entries) return std::nullopt;
  const int here = ::dirfd(entries.get());
  std::uint64_t total = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (left == 0) return std::nullopt;
    --left;
    struct stat st = {};
    if (is_dots(entry->d_name) || ::fstatat(here, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const bool is_directory = S_ISDIR(st.st_mode);
    const std::uint64_t names = is_directory ? 1 : std::max<std::uint64_t>(1, st.st_nlink);
    total += static_cast<std::uint64_t>(st.st_blocks) * 512 / names;
    if (!is_directory) continue;
    auto child = sys::open_beneath(here, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child && child.error().err == ENOENT) continue;
    const auto below = child ? measure(child->get(), depth + 1, left) : std::nullopt;
    if (!below) return std::nullopt;
    total += *below;
  }
  return total;
}

/// Until `visit` returns false.
void for_each_entry(const std::string& path, const std::function<bool(int, const char*)>& visit) {
  auto opened = sys::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return;  // it has ended
  const Directory entries = open_listing(std::move(*opened));
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (!is_dots(entry->d_name) && !visit(::dirfd(entries.get()), entry->d_name)) return;
  }
}

class Nameless {
 public:
  /// `links`: a directory of /proc whose entries lead to what is open or mapped.
  void add(const std::string& links) {
    for_each_entry(links, [this](int directory, const char* name) {
      if (left_ == 0) return false;
      --left_;
      add(directory, name);
      return true;
    });
  }
  [[nodiscard]] bool whole() const { return left_ != 0; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void add(int directory, const char* name) {
    struct stat st = {};
    if (::fstatat(directory, name, &st, 0) != 0) return;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 0 || !seen_.emplace(st.st_dev, st.st_ino).second) return;
    // What is in memory (memfd, /dev/shm) takes no room of the layers'.
    const auto file = sys::open_at2(directory, name, O_PATH, 0, 0);
    struct statfs on = {};
    if (file && ::fstatfs(file->get(), &on) == 0 && on.f_type == OVERLAYFS_SUPER_MAGIC)
      bytes_ += static_cast<std::uint64_t>(st.st_blocks) * 512;
  }

  std::set<std::pair<dev_t, ino_t>> seen_;
  std::size_t left_ = kMostOpen;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::optional<std::uint64_t> named_bytes(int directory) {
  std::size_t left = kMostNamed;
  return measure(directory, 0, left);
}

std::optional<std::uint64_t> nameless_bytes(std::span<const pid_t> processes) {
  Nameless nameless;
  for (const pid_t pid : processes) {
    const std::string process = "/proc/" + std::to_string(pid);
    nameless.add(process + "/map_files");
    // Threads may have descriptors of their own.
    for_each_entry(process + "/task", [&](int, const char* tid) {
      nameless.add(process + "/task/" + tid + "/fd");
      return nameless.whole();
    });
    if (!nameless.whole()) return std::nullopt;
  }
  return nameless.bytes();
}

}  // namespace rehearse::sandbox
