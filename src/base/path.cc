#include "base/path.h"

#include <algorithm>

namespace rehearse {

std::string joined_path(std::string_view base, std::size_t kept, std::string_view path) {
  std::string out(base);
  while (out.size() > kept && out.back() == '/') out.pop_back();
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      const std::size_t slash = out.rfind('/');
      if (out.size() > kept && slash != std::string::npos) out.resize(std::max(slash, kept));
      continue;
    }
    out += '/';
    out += name;
  }
  return out.empty() ? "/" : out;
}

}  // namespace rehearse
