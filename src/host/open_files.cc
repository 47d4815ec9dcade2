#include "host/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "base/sys.h"
#include "host/identity.h"

namespace rehearse::host {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// `visit` gets the directory and the name in it, too.
template <class Visit>
void for_each_number_in(const std::string& path, Visit visit) {
  const Directory directory(::opendir(path.c_str()));
  if (!directory) return;
  while (const struct dirent* entry = ::readdir(directory.get())) {
    const std::string_view name(entry->d_name);
    int number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size())
      visit(number, ::dirfd(directory.get()), entry->d_name);
  }
}
void for_each_number(const std::string& path, const std::function<void(int)>& visit) {
  for_each_number_in(path, [&](int number, int, const char*) { visit(number); });
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

/// The next word of the line, which is cut off from it.
std::string_view next_word(std::string_view& line) {
  const auto begin = std::min(line.find_first_not_of(' '), line.size());
  const auto end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

/// False: it is no number, or more than that.
template <class Number>
bool parse_whole(std::string_view text, Number& number, int base) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

/// Lines "from-to rwxp offset MAJOR:MINOR INODE path" of /proc/PID/maps. The device there is the
/// superblock's, which is the object's but on btrfs.
void scan_mappings(const std::string& process, const std::function<void(dev_t, ino_t, bool writes)>& visit) {
  const auto text = sys::read_file((process + "/maps").c_str(), 64U << 20U);
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    (void)next_word(line);
    const std::string_view rights = next_word(line);
    (void)next_word(line);
    const std::string_view device = next_word(line);
    const auto colon = device.find(':');
    unsigned major = 0;
    unsigned minor = 0;
    std::uint64_t inode = 0;
    if (rights.size() < 4 || colon == std::string_view::npos ||
        !parse_whole(device.substr(0, colon), major, 16) ||
        !parse_whole(device.substr(colon + 1), minor, 16) || !parse_whole(next_word(line), inode, 10) ||
        inode == 0)
      continue;
    visit(makedev(major, minor), inode, rights[1] == 'w' && rights[3] == 's');
  }
}

/// The two threads have one table of descriptors. Where the kernel cannot tell, each has its own.
bool share_descriptors(int one, int other) {
  return ::syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0) == 0;
}

/// The threads of a process by which all its descriptors are seen: one that has ended before the others shows
/// none, and one may have left the table of the others.
std::vector<int> threads_with_descriptors(const std::string& process, int pid) {
  std::vector<int> threads = {pid};
  for_each_number(process + "/task", [&](int thread) {
    if (std::none_of(threads.begin(), threads.end(),
                     [&](int known) { return known == thread || share_descriptors(known, thread); }))
      threads.push_back(thread);
  });
  return threads;
}

Holder holder_in(const std::string& process, int pid, const struct stat& object, Holder::Use use) {
  Holder holder{object.st_dev, object.st_ino, pid, {}, {}, use};
  if (auto comm = sys::read_file((process + "/comm").c_str(), 4096)) {
    while (!comm->empty() && comm->back() == '\n') comm->pop_back();
    holder.comm = *comm;
  }
  if (const auto cgroup = sys::read_file((process + "/cgroup").c_str()))
    holder.unit = unit_in(*cgroup).value_or("");
  return holder;
}

}  // namespace

std::vector<Holder> find_executing(const std::function<bool(dev_t, ino_t)>& wanted) {
  std::vector<Holder> holders;
  for_each_number("/proc", [&](int pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    struct stat program = {};
    if (pid != ::getpid() && ::stat((process + "/exe").c_str(), &program) == 0 &&
        wanted(program.st_dev, program.st_ino))
      holders.push_back(holder_in(process, pid, program, Holder::Use::kExecute));
  });
  return holders;
}

std::vector<Holder> find_holders(const std::function<bool(dev_t, ino_t)>& wanted) {
  std::vector<Holder> holders;
  for_each_number("/proc", [&](int pid) {
    if (pid == ::getpid()) return;
    const std::string process = "/proc/" + std::to_string(pid);
    std::set<std::pair<ino_t, int>> seen;
    const auto add = [&](dev_t dev, ino_t ino, Holder::Use use) {
      if (!wanted(dev, ino) || !seen.emplace(ino, static_cast<int>(use)).second) return;
      struct stat object = {};
      object.st_dev = dev;
      object.st_ino = ino;
      holders.push_back(holder_in(process, pid, object, use));
    };
    const auto look_at = [&](const std::string& thread) {
      struct stat program = {};
      const bool executes = ::stat((thread + "/exe").c_str(), &program) == 0;
      // Who may not know its program may not know its descriptors: the kernel asks the same for both.
      if (!executes && errno == EACCES) return;
      for_each_number_in(thread + "/fd", [&](int fd, int directory, const char* name) {
        struct stat st = {};
        if (::fstatat(directory, name, &st, 0) != 0) return;
        if (S_ISREG(st.st_mode) && wanted(st.st_dev, st.st_ino))
          add(st.st_dev, st.st_ino, use_of_descriptor(thread, fd));
      });
      if (executes) add(program.st_dev, program.st_ino, Holder::Use::kExecute);
    };
    const auto threads = threads_with_descriptors(process, pid);
    for (const int thread : threads) look_at(process + "/task/" + std::to_string(thread));
    // All threads have one memory; the first may have ended.
    scan_mappings(process + "/task/" + std::to_string(threads.back()),
                  [&](dev_t dev, ino_t ino, bool writes) {
                    add(dev, ino, writes ? Holder::Use::kWrite : Holder::Use::kMap);
                  });
  });
  return holders;
}

std::string name_of(const Holder& holder) {
  if (holder.pid == 0) return holder.comm;
  if (holder.unit.empty()) return fmt::format("{} (pid {})", holder.comm, holder.pid);
  return fmt::format("{} (pid {}, {})", holder.comm, holder.pid, holder.unit);
}

Result<std::vector<MountTable>> all_mount_tables() {
  std::vector<MountTable> tables;
  std::set<ino_t> seen;
  RH_TRY(auto own, read_mounts());
  tables.push_back({::getpid(), std::move(own)});
  struct stat mine = {};
  if (::stat("/proc/self/ns/mnt", &mine) == 0) seen.insert(mine.st_ino);
  for_each_number("/proc", [&](int pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    struct stat st = {};
    if (::stat((process + "/ns/mnt").c_str(), &st) != 0 || !seen.insert(st.st_ino).second) return;
    const auto text = sys::read_file((process + "/mountinfo").c_str());
    if (!text) return;
    if (auto mounts = parse_mountinfo(*text)) tables.push_back({pid, std::move(*mounts)});
  });
  return tables;
}

}  // namespace rehearse::host
