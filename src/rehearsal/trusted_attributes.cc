#include "rehearsal/trusted_attributes.h"

#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/sys.h"
#include "rehearsal/some.h"

namespace rehearse {
namespace {

constexpr std::string_view kTrusted = "trusted.";
/// Overlayfs keeps its own there, and shows them to nobody who looks through it.
constexpr std::string_view kOverlay = "trusted.overlay.";

bool has_trusted(int fd) {
  std::array<char, 4096> names;
  const ssize_t size = ::listxattr(sys::fd_path(fd).c_str(), names.data(), names.size());
  if (size < 0) return errno == ERANGE;  // very many: not known, the worse
  std::string_view rest(names.data(), static_cast<std::size_t>(size));
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find('\0'));
    if (name.starts_with(kTrusted) && !name.starts_with(kOverlay)) return true;
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  return false;
}

}  // namespace

std::vector<verdict::Gap> trusted_attributes(const trace::TrustedLooks& looks, const HostRoot& host) {
  std::vector<verdict::Gap> gaps;
  std::vector<std::string> found;
  for (const auto& [path, of_link] : looks.paths()) {
    const auto object = host.find(path, !of_link);
    if (object && has_trusted(object->get())) found.push_back(path);
  }
  if (!found.empty())
    gaps.push_back({"attributes of the kind trusted.* were not shown: " + some(found),
                    "root of the host sees them, and copies and archives that it makes have them",
                    verdict::Level::kYellow});
  if (looks.cut())
    gaps.push_back({"files whose extended attributes were listed",
                    "more than can be asked for trusted.*, which inside nobody sees",
                    verdict::Level::kYellow});
  return gaps;
}

}  // namespace rehearse
