#include "sandbox/given_back.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kLarge = std::uint64_t{1} << 20U;
constexpr std::size_t kMostFiles = 1024;
constexpr int kDeepest = 200;

/// The largest files of one upper directory, as they are met.
class Largest {
 public:
  explicit Largest(std::string layer) : layer_(std::move(layer)) {}

  void look(int directory, const std::string& path, int depth) {
    auto opened = sys::open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
    if (!opened || depth > kDeepest) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(opened->release()), ::closedir);
    if (!entries) return;
    while (const dirent* entry = ::readdir(entries.get())) {
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      const auto st = sys::stat_at(::dirfd(entries.get()), entry->d_name, AT_SYMLINK_NOFOLLOW);
      if (!st) continue;
      const std::string below = path.empty() ? entry->d_name : path + '/' + entry->d_name;
      const std::uint64_t bytes = static_cast<std::uint64_t>(st->st_blocks) * 512;
      if (S_ISDIR(st->st_mode)) {
        const auto child =
            sys::open_beneath(::dirfd(entries.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (child) look(child->get(), below, depth + 1);
      } else if (S_ISREG(st->st_mode) && bytes >= kLarge) {
        add({layer_, below, bytes});
      }
    }
  }

  std::vector<GivenBack> take() { return std::move(files_); }

 private:
  void add(GivenBack file) {
    files_.push_back(std::move(file));
    if (files_.size() < 2 * kMostFiles) return;
    std::ranges::sort(files_, std::ranges::greater(), &GivenBack::bytes);
    files_.resize(kMostFiles);
  }

  std::string layer_;
  std::vector<GivenBack> files_;
};

bool empty(int uppers, const GivenBack& file) {
  const std::string path = file.layer + "/upper/" + file.path;
  const auto opened = sys::open_beneath(uppers, path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!opened) return false;
  const auto st = sys::stat_fd(opened->get());
  if (!st || !S_ISREG(st->st_mode) || ::ftruncate(opened->get(), 0) != 0) return false;
  const struct timespec times[2] = {st->st_atim, st->st_mtim};
  return ::ftruncate(opened->get(), st->st_size) == 0 && ::futimens(opened->get(), times) == 0;
}

}  // namespace

std::vector<GivenBack> empty_largest_files(int uppers, const std::function<bool()>& enough) {
  std::vector<GivenBack> files;
  auto opened = sys::open_beneath(uppers, ".", O_RDONLY | O_DIRECTORY);
  if (!opened) return files;
  const std::unique_ptr<DIR, int (*)(DIR*)> layers(::fdopendir(opened->release()), ::closedir);
  while (const dirent* layer = layers ? ::readdir(layers.get()) : nullptr) {
    if (layer->d_name[0] == '.') continue;
    const auto upper =
        sys::open_beneath(uppers, (std::string(layer->d_name) + "/upper").c_str(), O_RDONLY | O_DIRECTORY);
    if (!upper) continue;
    Largest largest(layer->d_name);
    largest.look(upper->get(), "", 0);
    std::ranges::move(largest.take(), std::back_inserter(files));
  }
  std::ranges::sort(files, std::ranges::greater(), &GivenBack::bytes);
  std::vector<GivenBack> given;
  for (GivenBack& file : files) {
    if (enough()) break;
    if (empty(uppers, file)) given.push_back(std::move(file));
  }
  return given;
}

}  // namespace rehearse::sandbox
