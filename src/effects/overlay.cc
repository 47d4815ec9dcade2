#include "effects/overlay.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "base/sys.h"

namespace rehearse::effects {

std::optional<std::string> overlay_xattr(int dir, const char* name, const char* xattr) {
  const std::string path = sys::fd_path(dir) + '/' + name;
  std::string value(512, '\0');
  while (true) {
    const ssize_t n = ::lgetxattr(path.c_str(), xattr, value.data(), value.size());
    if (n >= 0) {
      value.resize(static_cast<std::size_t>(n));
      return value;
    }
    if (errno != ERANGE || value.size() > 65536) return std::nullopt;
    value.resize(value.size() * 8);
  }
}

std::optional<std::string> origin_key(int dir, const char* name) {
  const auto value = overlay_xattr(dir, name, kOriginXattr);
  // struct ovl_fb: version, magic, length, flags, type, uuid[16], then the file handle's bytes.
  constexpr std::size_t kHead = 21;
  if (!value || value->size() <= kHead || (*value)[0] != 0 || static_cast<unsigned char>((*value)[1]) != 0xfb)
    return std::nullopt;
  return (*value)[4] + value->substr(kHead);
}

std::optional<struct stat> origin_stat(int lower, int dir, const char* name) {
  const auto key = origin_key(dir, name);
  if (!key || key->size() - 1 > MAX_HANDLE_SZ) return std::nullopt;
  const std::size_t size = key->size() - 1;
  alignas(struct file_handle) char buffer[sizeof(struct file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<struct file_handle*>(buffer);
  handle->handle_bytes = static_cast<unsigned>(size);
  handle->handle_type = static_cast<unsigned char>(key->front());
  std::copy_n(key->data() + 1, size, buffer + offsetof(struct file_handle, f_handle));
  const UniqueFd object(::open_by_handle_at(lower, handle, O_PATH | O_CLOEXEC));
  if (!object.valid()) return std::nullopt;
  const auto st = sys::stat_fd(object.get());
  if (!st) return std::nullopt;
  return *st;
}

std::uint64_t merged_nlink(int dir, const char* name, const struct stat& st,
                           const std::optional<struct stat>& origin) {
  // "U+1", "L-2": relative to the link count of the upper or the lower inode (ovl_set_nlink_common).
  const auto value = overlay_xattr(dir, name, kNlinkXattr);
  if (!value || value->size() < 3 || ((*value)[0] != 'U' && ((*value)[0] != 'L' || !origin)))
    return st.st_nlink;
  const std::int64_t base = static_cast<std::int64_t>((*value)[0] == 'U' ? st.st_nlink : origin->st_nlink);
  const std::int64_t links = base + std::strtol(value->c_str() + 1, nullptr, 10);
  return links > 0 ? static_cast<std::uint64_t>(links) : 1;
}

}  // namespace rehearse::effects
