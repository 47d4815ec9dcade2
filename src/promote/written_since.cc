#include "promote/written_since.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/directory.h"
#include "promote/volume.h"

namespace rehearse::promote {
namespace {

/// What tells when somebody was the last to touch it: of what has several names operations move the change
/// time.
std::int64_t touched_ns(const struct stat& st) {
  return to_ns(!S_ISDIR(st.st_mode) && st.st_nlink > 1 ? st.st_mtim : st.st_ctim);
}

std::string below(std::string directory, std::string_view name) {
  return directory.append(1, '/').append(name);
}

}  // namespace

Result<std::vector<std::string>> written_since(int root, const std::string& path, std::int64_t since_ns) {
  // Of what has several names somebody may have set a time to come, long ago.
  const std::int64_t now_ns = realtime_ns();
  std::vector<std::string> found;
  std::vector<std::string> waiting = {""};
  while (!waiting.empty()) {
    const std::string at = std::move(waiting.back());
    waiting.pop_back();
    RH_TRY(const UniqueFd directory, open_below(root, path + at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(directory.get()));
    for (const effects::Listed& entry : names) {
      const std::string name(entry.name);
      RH_TRY(const struct stat st, sys::stat_at(directory.get(), name.c_str(), AT_SYMLINK_NOFOLLOW));
      const std::int64_t touched = touched_ns(st);
      if (S_ISDIR(st.st_mode))
        waiting.push_back(below(at, name));
      else if (touched >= since_ns && (st.st_nlink == 1 || touched <= now_ns))
        found.push_back(below(at, name).substr(1));
    }
  }
  return found;
}

}  // namespace rehearse::promote
