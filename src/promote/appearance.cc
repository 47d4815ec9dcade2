#include "promote/appearance.h"

#include <sys/xattr.h>

#include <cerrno>
#include <string_view>

#include "base/sys.h"

namespace rehearse::promote {
namespace {

constexpr std::size_t kMostXattr = std::size_t{1} << 20U;

/// Calls `read(buffer, size)` with as much room as it needs. Empty where there is nothing of the kind.
template <class Read>
Result<std::string> read_grown(const Read& read, const char* what) {
  std::string buffer(256, '\0');
  ssize_t size = 0;
  while ((size = read(buffer.data(), buffer.size())) < 0) {
    if (errno == EOPNOTSUPP || errno == ENODATA) return std::string();
    if (errno != ERANGE || buffer.size() > kMostXattr) return sys::last_error(what);
    buffer.resize(buffer.size() * 16);
  }
  buffer.resize(static_cast<std::size_t>(size));
  return buffer;
}

}  // namespace

Result<Appearance> appearance_of(int dir, const std::string& name, const struct stat& st) {
  Appearance result{st.st_mode, st.st_uid, st.st_gid, {}};
  // The last component is not followed, and no other is left to the path.
  const std::string path = sys::fd_path(dir) + '/' + name;
  RH_TRY(const std::string names,
         read_grown([&](char* to, std::size_t room) { return ::llistxattr(path.c_str(), to, room); },
                    "llistxattr"));
  for (std::string_view rest = names; !rest.empty();) {
    const std::string xattr(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(xattr.size() + 1);
    RH_TRY(const std::string value,
           read_grown(
               [&](char* to, std::size_t room) { return ::lgetxattr(path.c_str(), xattr.c_str(), to, room); },
               "lgetxattr"));
    result.xattrs += xattr + '\0' + std::to_string(value.size()) + ':' + value;
  }
  return result;
}

}  // namespace rehearse::promote
