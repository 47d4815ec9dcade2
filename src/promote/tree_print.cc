#include "promote/tree_print.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/volume.h"

namespace rehearse::promote {

Result<Sha256> print_tree(int root, const std::string& path, const std::set<std::string>& without) {
  Sha256Hasher hasher;
  const auto add = [&hasher](std::string_view text) {
    hasher.update(text);
    hasher.update(std::string_view("\0", 1));
  };
  std::vector<std::string> waiting = {path};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    RH_TRY(const UniqueFd directory, open_below(root, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    add(std::string_view(at).substr(path.size()));
    for (const effects::Listed& entry : names) {
      const std::string full = at + '/' + std::string(entry.name);
      if (without.contains(full)) continue;
      RH_TRY(const struct stat st,
             sys::stat_at(directory.get(), std::string(entry.name).c_str(), AT_SYMLINK_NOFOLLOW));
      add(entry.name);
      const bool is_directory = S_ISDIR(st.st_mode);
      const std::uint64_t facts[] = {
          st.st_ino, st.st_mode & S_IFMT, is_directory ? 0 : static_cast<std::uint64_t>(st.st_size),
          is_directory || st.st_nlink > 1 ? 0 : static_cast<std::uint64_t>(to_ns(st.st_mtim))};
      hasher.update({reinterpret_cast<const char*>(facts), sizeof facts});
      if (is_directory) waiting.push_back(full);
    }
  }
  return hasher.finish();
}

}  // namespace rehearse::promote
