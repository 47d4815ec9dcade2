#include "promote/kernel_holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/sys.h"
#include "host/mounts.h"

namespace rehearse::promote {
namespace {

constexpr const char* kBlockDevices = "/sys/block";

std::optional<std::string> line_of(const std::string& path) {
  auto text = sys::read_file(path.c_str(), 8192);
  if (!text) return std::nullopt;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return std::move(*text);
}

/// The file behind /dev/NAME, by the driver's word. Where there is no such node the lease still tells.
std::optional<std::pair<dev_t, ino_t>> file_behind(const std::string& name) {
  const auto device = sys::open(("/dev/" + name).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct loop_info64 info = {};
  if (!device || ::ioctl(device->get(), LOOP_GET_STATUS64, &info) != 0) return std::nullopt;
  return std::pair(static_cast<dev_t>(info.lo_device), static_cast<ino_t>(info.lo_inode));
}

std::string where_mounted(const std::string& device) {
  const auto mounts = host::read_mounts();
  if (!mounts) return {};
  for (const host::Mount& mount : *mounts)
    if (mount.source == device) return mount.mountpoint;
  return {};
}

}  // namespace

std::vector<host::Holder> find_loop_devices(const std::function<bool(dev_t, ino_t)>& wanted) {
  std::vector<host::Holder> holders;
  const std::unique_ptr<DIR, int (*)(DIR*)> devices(::opendir(kBlockDevices), ::closedir);
  if (!devices) return holders;
  while (const struct dirent* entry = ::readdir(devices.get())) {
    const std::string name = entry->d_name;
    const std::string loop = std::string(kBlockDevices) + '/' + name;
    if (!name.starts_with("loop") || ::access((loop + "/loop/backing_file").c_str(), F_OK) != 0) continue;
    const auto file = file_behind(name);
    if (!file || !wanted(file->first, file->second)) continue;
    host::Holder holder{file->first, file->second, 0, "/dev/" + name, {}, host::Holder::Use::kWrite};
    if (const std::string at = where_mounted(holder.comm); !at.empty()) holder.comm += ", mounted at " + at;
    if (line_of(loop + "/ro") == "1") holder.use = host::Holder::Use::kRead;
    holders.push_back(std::move(holder));
  }
  return holders;
}

Writers ask_for_writers(int dir, const std::string& name) {
  const UniqueFd file(::openat(dir, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
  // Somebody has a lease of his own, which this would break: he is a writer for all that is known.
  if (!file.valid()) return errno == EWOULDBLOCK ? Writers::kSome : Writers::kUnknown;
  // It goes with the descriptor.
  if (::fcntl(file.get(), F_SETLEASE, F_RDLCK) != 0)
    return errno == EAGAIN ? Writers::kSome : Writers::kUnknown;
  return Writers::kNone;
}

}  // namespace rehearse::promote
