#include "rehearsal/host_root.h"

#include <fcntl.h>

#include "base/sys.h"

namespace rehearse {

Result<HostRoot> HostRoot::open() {
  RH_TRY(auto root, sys::open("/", O_PATH | O_DIRECTORY));
  return HostRoot(std::move(root));
}

Result<UniqueFd> HostRoot::find(const std::string& path, bool follow) const {
  const std::uint64_t flags = follow ? O_PATH : O_PATH | O_NOFOLLOW;
  return sys::open_at2(root_.get(), path.c_str(), flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

std::optional<std::string> HostRoot::real_path(const std::string& path) const {
  const auto object = find(path);
  if (!object) return std::nullopt;
  auto real = sys::read_link_at(AT_FDCWD, sys::fd_path(object->get()).c_str());
  if (!real) return std::nullopt;
  return std::move(*real);
}

}  // namespace rehearse
