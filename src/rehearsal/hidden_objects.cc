#include "rehearsal/hidden_objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "base/path.h"
#include "base/sys.h"
#include "rehearsal/script_tools.h"
#include "rehearsal/some.h"

namespace rehearse {
namespace {

constexpr std::size_t kMostPatterns = 64;
constexpr std::size_t kMostEntries = 65536;

constexpr const char* kWhy =
    "the clone does not show it; with it there the action may do something else on the host";

/// A pattern of fnmatch(3) whose `*` crosses slashes, and whose habit it is; nothing: of libraries.
struct Habit {
  const char* path;
  std::string_view program = {};
};
constexpr Habit kHabits[] = {
    // ttyname(3): which terminal a process has. The run has terminals of its own.
    {"/dev/pts/*"},
    // syslog(3): to connect to it is an attempt of its own.
    {"/dev/log"},
    // dmesg, which then asks by syslog(2): a look of its own.
    {"/dev/kmsg", "/usr/bin/dmesg"},
    {"/dev/kmsg", "/bin/dmesg"},
    // The nodes of what it has found below /sys, which shows all devices.
    {"/dev/*", "/usr/bin/lsblk"},
    {"/dev/*", "/bin/lsblk"},
    // libselinux, in each of coreutils.
    {"/sys/fs/selinux*"},
    // systemd's tools: options of the boot loader.
    {"/sys/firmware/efi/efivars/SystemdOptions-*"},
};

/// Runtimes of languages ask how much memory and how many processors they may use, libsystemd which hierarchy
/// of control groups is whose. Not those that a script looks by.
constexpr const char* kLimits[] = {
    "/sys/fs/cgroup/*memory.*",     "/sys/fs/cgroup/*cpu.*",   "/sys/fs/cgroup/*cpuset.cpus*",
    "/sys/fs/cgroup/*pids.*",       "/sys/fs/cgroup/cpu",      "/sys/fs/cgroup/cpu,cpuacct",
    "/sys/fs/cgroup/cpuacct",       "/sys/fs/cgroup/memory",   "/sys/fs/cgroup/cpuset",
    "/sys/fs/cgroup/*.controllers", "/sys/fs/cgroup/unified*", "/sys/fs/cgroup/systemd*",
};

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

bool is_there(const HostRoot& host, const std::string& path) {
  return static_cast<bool>(host.find(path, false));
}

/// What it was to lie in is there. In /proc nothing is made, and everything is told that it is not there.
bool would_be_made(const HostRoot& host, const std::string& path) {
  return !is_within(path, "/proc") &&
         is_there(host, path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
}

/// Whether a pattern in one component of the path matches something.
bool matches_something(const HostRoot& host, const std::string& pattern) {
  const std::size_t sign = pattern.find_first_of("*?[");
  const std::size_t begin = pattern.rfind('/', sign) + 1;
  const std::size_t end = std::min(pattern.find('/', sign), pattern.size());
  const std::string above = pattern.substr(0, begin);
  const std::string part = pattern.substr(begin, end - begin);
  const std::string below = pattern.substr(end);
  const auto found = host.find(above);
  if (!found) return false;
  auto opened = sys::open(sys::fd_path(found->get()).c_str(), O_RDONLY | O_DIRECTORY);
  if (!opened) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(opened->get()), ::closedir);
  if (!directory) return false;
  (void)opened->release();
  std::size_t seen = 0;
  while (const struct dirent* entry = ::readdir(directory.get())) {
    if (++seen > kMostEntries) return true;  // not known: the worse
    if (::fnmatch(part.c_str(), entry->d_name, FNM_PERIOD) != 0) continue;
    if (below.empty() || is_there(host, fmt::format("{}{}{}", above, entry->d_name, below))) return true;
  }
  return false;
}

void add_gap(const std::vector<std::string>& all, std::string_view what, std::vector<verdict::Gap>& gaps) {
  if (!all.empty()) gaps.push_back({fmt::format("{}: {}", what, some(all)), kWhy, verdict::Level::kYellow});
}

std::vector<std::string> hidden_names(const trace::HiddenLooks& looks, const HostRoot& host) {
  std::vector<std::string> hidden;
  std::size_t patterns = 0;
  for (const auto& [looked, use] : looks.names()) {
    const auto& [path, program] = looked;
    const bool habit = !use.written && !use.made && is_asked_by_habit(path, program);
    if (habit || (!hidden.empty() && hidden.back() == path)) continue;
    if (is_there(host, path) || (use.made && would_be_made(host, path)) ||
        (is_pattern(path) && (++patterns > kMostPatterns || matches_something(host, path))))
      hidden.push_back(path);
  }
  return hidden;
}

std::vector<std::string> hidden_processes(const trace::HiddenLooks& looks) {
  std::vector<std::string> hidden;
  for (const auto& [number, name] : looks.processes()) hidden.push_back(fmt::format("{} ({})", number, name));
  return hidden;
}

void hidden_ipc(const trace::HiddenLooks& looks, std::vector<verdict::Gap>& gaps) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < trace::kIpcNames.size(); ++i) {
    const trace::IpcLooks& asked = looks.ipc(static_cast<trace::IpcKind>(i));
    if (!asked.any()) continue;
    const auto table = sys::read_file(fmt::format("/proc/sysvipc/{}", trace::kIpcNames[i]).c_str());
    if (table) count += count_hidden_ipc(asked, *table);
  }
  if (count != 0)
    gaps.push_back({fmt::format("IPC objects: asked about, and this host has {} that {} not shown", count,
                                count == 1 ? "is" : "are"),
                    kWhy, verdict::Level::kYellow});
}

}  // namespace

bool is_asked_by_habit(const std::string& path, std::string_view program) {
  const auto matches = [&](const char* pattern) { return ::fnmatch(pattern, path.c_str(), 0) == 0; };
  if (!is_script_tool(program) && std::ranges::any_of(kLimits, matches)) return true;
  return std::ranges::any_of(kHabits, [&](const Habit& habit) {
    return (habit.program.empty() || habit.program == program) && matches(habit.path);
  });
}

std::size_t count_hidden_ipc(const trace::IpcLooks& looks, std::string_view table) {
  std::size_t count = 0;
  bool heading = true;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    const std::string line(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
    if (std::exchange(heading, false) || line.empty()) continue;
    char* rest = nullptr;
    const auto key = static_cast<std::int32_t>(std::strtol(line.c_str(), &rest, 10));
    const auto id = static_cast<std::int32_t>(std::strtol(rest, nullptr, 10));
    if (looks.listed || looks.keys.contains(key) || looks.ids.contains(id)) ++count;
  }
  return count;
}

std::vector<verdict::Gap> hidden_objects(const trace::HiddenLooks& looks, const HostRoot& host) {
  std::vector<verdict::Gap> gaps;
  add_gap(hidden_names(looks, host), "looked for in vain, and this host has it", gaps);
  add_gap({looks.empty().begin(), looks.empty().end()}, "opened though shown empty", gaps);
  add_gap(hidden_processes(looks), "processes looked for in vain, and this host has them", gaps);
  hidden_ipc(looks, gaps);
  if (looks.cut())
    gaps.push_back({"names and processes looked for in vain", "more than can be compared with the host",
                    verdict::Level::kYellow});
  return gaps;
}

}  // namespace rehearse
