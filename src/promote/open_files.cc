#include "promote/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "base/sys.h"
#include "host/identity.h"

namespace rehearse::promote {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

void for_each_number(const char* path, const std::function<void(int)>& visit) {
  const Directory directory(::opendir(path));
  if (!directory) return;
  while (const struct dirent* entry = ::readdir(directory.get())) {
    const std::string_view name(entry->d_name);
    int number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) visit(number);
  }
}

Holder::Use use_of_descriptor(const std::string& process, int fd) {
  const auto text = sys::read_file((process + "/fdinfo/" + std::to_string(fd)).c_str(), 1U << 20U);
  if (!text) return Holder::Use::kRead;
  const auto at = text->find("flags:");
  if (at == std::string::npos) return Holder::Use::kRead;
  const long flags = std::strtol(text->c_str() + at + 6, nullptr, 8);
  if ((flags & O_PATH) != 0) return Holder::Use::kRead;
  return (flags & O_ACCMODE) == O_RDONLY ? Holder::Use::kRead : Holder::Use::kWrite;
}

/// Lines "from-to rwxp offset MAJOR:MINOR INODE path" of /proc/PID/maps. The device there is the
/// superblock's, which is the object's but on btrfs.
void scan_mappings(const std::string& process, const std::function<void(dev_t, ino_t, bool writes)>& visit) {
  const auto text = sys::read_file((process + "/maps").c_str(), 64U << 20U);
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    char rights[5] = {};
    unsigned major = 0;
    unsigned minor = 0;
    unsigned long long inode = 0;
    if (std::sscanf(line.c_str(), "%*s %4s %*s %x:%x %llu", rights, &major, &minor, &inode) != 4 ||
        inode == 0)
      continue;
    visit(makedev(major, minor), inode, rights[1] == 'w' && rights[3] == 's');
  }
}

}  // namespace

std::vector<Holder> find_holders(const std::function<bool(dev_t, ino_t)>& wanted) {
  std::vector<Holder> holders;
  for_each_number("/proc", [&](int pid) {
    if (pid == ::getpid()) return;
    const std::string process = "/proc/" + std::to_string(pid);
    std::set<std::pair<ino_t, int>> seen;
    const auto add = [&](dev_t dev, ino_t ino, Holder::Use use) {
      if (!wanted(dev, ino) || !seen.emplace(ino, static_cast<int>(use)).second) return;
      Holder holder{dev, ino, pid, {}, {}, use};
      if (auto comm = sys::read_file((process + "/comm").c_str(), 4096)) {
        while (!comm->empty() && comm->back() == '\n') comm->pop_back();
        holder.comm = *comm;
      }
      if (const auto cgroup = sys::read_file((process + "/cgroup").c_str()))
        holder.unit = host::unit_in(*cgroup).value_or("");
      holders.push_back(std::move(holder));
    };
    for_each_number((process + "/fd").c_str(), [&](int fd) {
      struct stat st = {};
      if (::stat((process + "/fd/" + std::to_string(fd)).c_str(), &st) != 0) return;
      if (S_ISREG(st.st_mode) && wanted(st.st_dev, st.st_ino))
        add(st.st_dev, st.st_ino, use_of_descriptor(process, fd));
    });
    struct stat program = {};
    if (::stat((process + "/exe").c_str(), &program) == 0)
      add(program.st_dev, program.st_ino, Holder::Use::kExecute);
    scan_mappings(process, [&](dev_t dev, ino_t ino, bool writes) {
      add(dev, ino, writes ? Holder::Use::kWrite : Holder::Use::kMap);
    });
  });
  return holders;
}

std::string name_of(const Holder& holder) {
  if (holder.unit.empty()) return fmt::format("{} (pid {})", holder.comm, holder.pid);
  return fmt::format("{} (pid {}, {})", holder.comm, holder.pid, holder.unit);
}

Result<std::vector<MountTable>> all_mount_tables() {
  std::vector<MountTable> tables;
  std::set<ino_t> seen;
  RH_TRY(auto own, host::read_mounts());
  tables.push_back({::getpid(), std::move(own)});
  struct stat mine = {};
  if (::stat("/proc/self/ns/mnt", &mine) == 0) seen.insert(mine.st_ino);
  for_each_number("/proc", [&](int pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    struct stat st = {};
    if (::stat((process + "/ns/mnt").c_str(), &st) != 0 || !seen.insert(st.st_ino).second) return;
    const auto text = sys::read_file((process + "/mountinfo").c_str());
    if (!text) return;
    if (auto mounts = host::parse_mountinfo(*text)) tables.push_back({pid, std::move(*mounts)});
  });
  return tables;
}

}  // namespace rehearse::promote
