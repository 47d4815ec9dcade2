#include "promote/directory_handle.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "base/sys.h"

namespace rehearse::promote {
namespace {

struct Room {
  alignas(struct file_handle) char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ] = {};
  struct file_handle* handle() {
    return reinterpret_cast<struct file_handle*>(bytes);
  }
};

}  // namespace

std::optional<DirectoryHandle> handle_of(int directory) {
  Room room;
  room.handle()->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(directory, "", room.handle(), &mount, AT_EMPTY_PATH) != 0) return std::nullopt;
  const auto* bytes = reinterpret_cast<const char*>(room.handle()->f_handle);
  return DirectoryHandle{room.handle()->handle_type, std::string(bytes, room.handle()->handle_bytes)};
}

Result<UniqueFd> open_handle(int on, const DirectoryHandle& handle, int flags) {
  if (handle.bytes.size() > MAX_HANDLE_SZ) return fail_errno(ESTALE, "open_by_handle_at");
  Room room;
  room.handle()->handle_bytes = static_cast<unsigned>(handle.bytes.size());
  room.handle()->handle_type = handle.type;
  std::memcpy(room.handle()->f_handle, handle.bytes.data(), handle.bytes.size());
  // It wants a descriptor that is open for reading.
  RH_TRY(const UniqueFd mount, sys::open_beneath(on, ".", O_RDONLY | O_DIRECTORY));
  UniqueFd found(::open_by_handle_at(mount.get(), room.handle(), flags | O_DIRECTORY | O_CLOEXEC));
  if (!found.valid()) return sys::last_error("open_by_handle_at");
  return found;
}

}  // namespace rehearse::promote
