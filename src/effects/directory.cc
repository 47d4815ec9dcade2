#include "effects/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/sys.h"

namespace rehearse::effects {

Result<SharedFd> open_subdirectory(const UniqueFd& parent, const std::string& name) {
  RH_TRY(auto fd, sys::open_beneath(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return std::make_shared<const UniqueFd>(std::move(fd));
}

Result<SharedFd> open_directory_beneath(int root, const std::string& path) {
  RH_TRY(auto fd, sys::open_beneath(root, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY));
  return std::make_shared<const UniqueFd>(std::move(fd));
}

Result<std::vector<Listed>> list_directory(int directory) {
  // getdents64 on a descriptor of our own offset: the one given may be shared by threads.
  RH_TRY(const auto own, sys::open_beneath(directory, ".", O_RDONLY | O_DIRECTORY));
  std::vector<Listed> names;
  alignas(8) char buffer[32768];
  while (true) {
    const long n = ::syscall(SYS_getdents64, own.get(), buffer, sizeof buffer);
    if (n < 0) return sys::last_error("getdents64");
    if (n == 0) break;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const struct dirent64*>(buffer + at);
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
        names.push_back({entry->d_name, entry->d_type, entry->d_ino});
      }
      at += entry->d_reclen;
    }
  }
  std::sort(names.begin(), names.end(), [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return names;
}

}  // namespace rehearse::effects
