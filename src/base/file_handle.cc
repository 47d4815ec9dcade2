#include "base/file_handle.h"

#include <fcntl.h>

#include <cstddef>

namespace rehearse {

std::optional<std::string> handle_key(int fd) {
  alignas(struct file_handle) char buffer[sizeof(struct file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<struct file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(fd, "", handle, &mount, AT_EMPTY_PATH) != 0) return std::nullopt;
  std::string key(1, static_cast<char>(handle->handle_type));
  return key.append(buffer + offsetof(struct file_handle, f_handle), handle->handle_bytes);
}

}  // namespace rehearse
