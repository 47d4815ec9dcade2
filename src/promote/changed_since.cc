#include "promote/changed_since.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/volume.h"

namespace rehearse::promote {

Result<bool> changed_since(int root, const std::string& path, std::int64_t since_ns) {
  std::vector<std::string> waiting = {path};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    RH_TRY(const UniqueFd directory, open_below(root, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    for (const effects::Listed& entry : names) {
      const std::string name(entry.name);
      RH_TRY(const struct stat st, sys::stat_at(directory.get(), name.c_str(), AT_SYMLINK_NOFOLLOW));
      const bool is_directory = S_ISDIR(st.st_mode);
      const bool linked = !is_directory && st.st_nlink > 1;
      if (to_ns(linked ? st.st_mtim : st.st_ctim) >= since_ns) return true;
      if (is_directory) waiting.push_back(at + '/' + name);
    }
  }
  return false;
}

}  // namespace rehearse::promote
