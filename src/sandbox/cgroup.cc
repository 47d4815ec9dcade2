#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>

#include "base/sys.h"
#include "base/units.h"

namespace rehearse::sandbox {
namespace {

constexpr std::uint64_t kCpuPeriodUs = 100'000;

/// Microseconds a period; the kernel takes no less than 1000.
std::uint64_t cpu_quota(double cpus) {
  return std::max<std::uint64_t>(1000, static_cast<std::uint64_t>(cpus * static_cast<double>(kCpuPeriodUs)));
}

Result<UniqueFd> open_hierarchy(const std::string& mountpoint) {
  return sys::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY);
}

/// "key value" lines of cgroup statistics.
std::uint64_t stat_value(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
      std::uint64_t value = 0;
      std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
      return value;
    }
    at = end + 1;
  }
  return 0;
}

std::uint64_t number_in(int directory, const char* file) {
  const auto text = sys::read_file_at(directory, file, 4096);
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

bool has_word(const std::string& text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const bool starts = at == 0 || text[at - 1] == ' ';
    const std::size_t end = at + word.size();
    if (starts && (end == text.size() || text[end] == ' ' || text[end] == '\n')) return true;
  }
  return false;
}

/// Removes ID below `parent` and then `parent` itself, if no other run uses it.
void remove_group(int hierarchy, int parent, const std::string& id) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    const auto done = sys::unlink_at(parent, id.c_str(), AT_REMOVEDIR);
    if (done || done.error().err != EBUSY) break;
    struct timespec pause = {0, 2'000'000};  // the last process is on its way out
    ::nanosleep(&pause, nullptr);
  }
  (void)remove_parent(hierarchy);
}

}  // namespace

bool remove_parent(int hierarchy) {
  const auto parent = sys::open_beneath(hierarchy, kCgroupParent, O_RDONLY | O_DIRECTORY);
  if (!parent) return true;
  const auto hooks = sys::count_programs(parent->get(), BPF_CGROUP_INET4_CONNECT);
  if (hooks && *hooks != 0) return false;  // of version 1 there are none to be counted
  return sys::unlink_at(hierarchy, kCgroupParent, AT_REMOVEDIR).has_value();
}

Result<RunCgroup::Group> RunCgroup::make_group(UniqueFd hierarchy) const {
  Group group;
  // Another run that ends may remove the parent between our two steps.
  for (int attempt = 0;; ++attempt) {
    if (auto made = sys::mkdir_at(hierarchy.get(), kCgroupParent, 0755);
        !made && made.error().err != EEXIST) {
      return tl::make_unexpected(made.error());
    }
    auto parent = sys::open_beneath(hierarchy.get(), kCgroupParent, O_RDONLY | O_DIRECTORY);
    if (parent) {
      auto made = sys::mkdir_at(parent->get(), id_.c_str(), 0755);
      if (made) {
        group.parent = std::move(*parent);
        break;
      }
      if (made.error().err != ENOENT && made.error().err != ENODEV) return tl::make_unexpected(made.error());
    } else if (parent.error().err != ENOENT) {
      return tl::make_unexpected(parent.error());
    }
    if (attempt == 100) return fail("the parent cgroup keeps disappearing", ExitCode::kTryLater);
  }
  group.hierarchy = std::move(hierarchy);
  RH_TRY(group.fd, sys::open_beneath(group.parent.get(), id_.c_str(), O_RDONLY | O_DIRECTORY));
  return group;
}

Result<void> RunCgroup::make_unified(const Plan& plan, const host::Cgroups& host) {
  UniqueFd hierarchy;
  if (!host.v2_mount.empty()) {
    RH_TRY(hierarchy, open_hierarchy(host.v2_mount));
  } else {
    // Not mounted on this host; the hierarchy exists all the same.
    RH_TRY(auto context, sys::fs_open("cgroup2"));
    RH_CHECK(sys::fs_create(context.get()));
    RH_TRY(hierarchy, sys::fs_mount(context.get(), 0));
  }
  const auto available = sys::read_file_at(hierarchy.get(), "cgroup.controllers", 4096);
  const bool memory = available && has_word(*available, "memory");
  const bool pids = available && has_word(*available, "pids");
  const bool cpu = available && has_word(*available, "cpu") && plan.cpus;
  std::string wanted;
  if (memory) wanted += "+memory ";
  if (pids) wanted += "+pids ";
  if (cpu) wanted += "+cpu ";
  if (!wanted.empty()) {
    wanted.pop_back();
    (void)sys::write_file_at(hierarchy.get(), "cgroup.subtree_control", wanted);
  }
  RH_TRY(unified_group_, make_group(std::move(hierarchy)));
  if (!wanted.empty())
    (void)sys::write_file_at(unified_group_.parent.get(), "cgroup.subtree_control", wanted);
  // A controller that came on after the directory was made shows its files there too.
  const int group = unified_group_.fd.get();
  if (memory && sys::write_file_at(group, "memory.max", std::to_string(plan.memory_bytes))) {
    (void)sys::write_file_at(group, "memory.swap.max", "0");
    (void)sys::write_file_at(group, "memory.oom.group", "0");
    unified_memory_ = true;
    notes_.push_back("memory: " + format_bytes(plan.memory_bytes) + " by cgroup v2");
  }
  if (pids && sys::write_file_at(group, "pids.max", std::to_string(plan.pids))) {
    unified_pids_ = true;
    notes_.push_back("processes: " + std::to_string(plan.pids) + " by cgroup v2");
  }
  if (cpu) {
    const std::uint64_t quota = cpu_quota(*plan.cpus);
    if (sys::write_file_at(group, "cpu.max", fmt::format("{} {}", quota, kCpuPeriodUs))) {
      cpu_set_ = true;
      notes_.push_back(fmt::format("cpu: {:g} by cgroup v2", *plan.cpus));
    }
  }
  return {};
}

Result<void> RunCgroup::make_v1(const Plan& plan, const host::Cgroups& host) {
  if (!unified_pids_ && !host.v1_pids.empty()) {
    RH_TRY(auto hierarchy, open_hierarchy(host.v1_pids));
    RH_TRY(pids_, make_group(std::move(hierarchy)));
    RH_CHECK(sys::write_file_at(pids_.fd.get(), "pids.max", std::to_string(plan.pids)));
    notes_.push_back("processes: " + std::to_string(plan.pids) + " by cgroup v1");
  }
  if (!unified_memory_ && !host.v1_memory.empty()) {
    RH_TRY(auto hierarchy, open_hierarchy(host.v1_memory));
    RH_TRY(memory_, make_group(std::move(hierarchy)));
    RH_CHECK(
        sys::write_file_at(memory_.fd.get(), "memory.limit_in_bytes", std::to_string(plan.memory_bytes)));
    notes_.push_back("memory: " + format_bytes(plan.memory_bytes) + " by cgroup v1");
  }
  if (plan.cpus && !cpu_set_ && !host.v1_cpu.empty()) {
    RH_TRY(auto hierarchy, open_hierarchy(host.v1_cpu));
    RH_TRY(cpu_, make_group(std::move(hierarchy)));
    const std::uint64_t quota = cpu_quota(*plan.cpus);
    RH_CHECK(sys::write_file_at(cpu_.fd.get(), "cpu.cfs_period_us", std::to_string(kCpuPeriodUs)));
    RH_CHECK(sys::write_file_at(cpu_.fd.get(), "cpu.cfs_quota_us", std::to_string(quota)));
    cpu_set_ = true;
    notes_.push_back(fmt::format("cpu: {:g} by cgroup v1", *plan.cpus));
  }
  return {};
}

Result<RunCgroup> RunCgroup::create(std::string_view id, const Plan& plan, const host::Cgroups& host) {
  RunCgroup made;
  made.id_ = id;
  if (auto done = made.make_unified(plan, host); !done)
    return with_context(done.error(), "cannot make the run's cgroup");
  if (auto done = made.make_v1(plan, host); !done)
    return with_context(done.error(), "cannot make the run's v1 cgroups");
  // What was asked for must hold; a default that this host has no controller for is only said.
  const Limits& asked = plan.request.limits;
  if (!made.unified_memory_ && !made.memory_.fd.valid()) {
    if (asked.memory_bytes)
      return fail("--memory: this host has no memory controller", ExitCode::kUnavailable,
                  "leave the option out, or see `rehearse doctor`");
    made.unenforced_.emplace_back("memory");
  }
  if (!made.unified_pids_ && !made.pids_.fd.valid()) {
    if (asked.pids)
      return fail("--pids: this host has no pids controller", ExitCode::kUnavailable,
                  "leave the option out, or see `rehearse doctor`");
    made.unenforced_.emplace_back("processes");
  }
  if (plan.cpus && !made.cpu_set_) {
    if (asked.cpus)
      return fail("--cpus: this host has no cpu controller", ExitCode::kUnavailable,
                  "leave the option out, or see `rehearse doctor`");
    made.unenforced_.emplace_back("cpu");
  }
  return made;
}

RunCgroup::~RunCgroup() {
  remove();
}

void RunCgroup::remove() {
  for (Group* group : {&cpu_, &memory_, &pids_, &unified_group_}) {
    if (!group->fd.valid()) continue;
    group->fd.reset();
    remove_group(group->hierarchy.get(), group->parent.get(), id_);
  }
}

Result<std::vector<UniqueFd>> RunCgroup::v1_tasks() const {
  std::vector<UniqueFd> files;
  for (const Group* group : {&pids_, &memory_, &cpu_}) {
    if (!group->fd.valid()) continue;
    RH_TRY(auto file, sys::open_beneath(group->fd.get(), "tasks", O_WRONLY));
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<pid_t>> RunCgroup::processes() const {
  RH_TRY(const auto text, sys::read_file_at(fd(), "cgroup.procs"));
  std::vector<pid_t> pids;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long pid = std::strtol(at, &end, 10);
    if (end == at) break;
    if (pid > 0) pids.push_back(static_cast<pid_t>(pid));
    at = *end == '\n' ? end + 1 : end;
  }
  return pids;
}

Result<void> RunCgroup::freeze() const {
  RH_CHECK(sys::write_file_at(fd(), "cgroup.freeze", "1"));
  for (int i = 0; i < 100; ++i) {
    const auto events = sys::read_file_at(fd(), "cgroup.events", 4096);
    if (events && stat_value(*events, "frozen") == 1) return {};
    struct timespec pause = {0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return {};  // a task in the kernel is late: the kill reaches it all the same
}

Result<void> RunCgroup::kill() const {
  return sys::write_file_at(fd(), "cgroup.kill", "1");
}

RunCgroup::Usage RunCgroup::usage() const {
  Usage usage;
  if (const auto text = sys::read_file_at(fd(), "cpu.stat", 65536)) {
    usage.user_ns = static_cast<std::int64_t>(stat_value(*text, "user_usec") * 1000);
    usage.system_ns = static_cast<std::int64_t>(stat_value(*text, "system_usec") * 1000);
  }
  if (unified_memory_) {
    usage.memory_peak_bytes = number_in(fd(), "memory.peak");
    if (const auto text = sys::read_file_at(fd(), "memory.events", 4096))
      usage.memory_oom_kills = stat_value(*text, "oom_kill");
  } else if (memory_.fd.valid()) {
    usage.memory_peak_bytes = number_in(memory_.fd.get(), "memory.max_usage_in_bytes");
    if (const auto text = sys::read_file_at(memory_.fd.get(), "memory.oom_control", 4096))
      usage.memory_oom_kills = stat_value(*text, "oom_kill");
  }
  const int pids = unified_pids_ ? fd() : pids_.fd.get();
  if (pids >= 0) {
    if (const auto text = sys::read_file_at(pids, "pids.events", 4096))
      usage.pids_refused = stat_value(*text, "max");
  }
  return usage;
}

}  // namespace rehearse::sandbox
