#include "sandbox/init_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/inherited.h"
#include "base/sys.h"
#include "sandbox/init/protocol.h"
#include "sandbox/seccomp.h"

extern "C" const char rehearse_init_image[];
extern "C" const char rehearse_init_image_end[];

namespace rehearse::sandbox {
namespace {

constexpr unsigned kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Result<UniqueFd> sealed(const char* name, std::string_view content, mode_t mode) {
  RH_TRY(auto fd, sys::memfd(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  RH_CHECK(sys::write_all(fd.get(), content));
  if (::fchmod(fd.get(), mode) != 0) return sys::last_error("fchmod", name);
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return sys::last_error("fcntl F_ADD_SEALS", name);
  return fd;
}

/// Appends parts to the blob and hands out their offsets, 8-byte aligned.
class Blob {
 public:
  Blob() : bytes_(sizeof(InitConfig), '\0') {}

  std::uint32_t add(const void* data, std::size_t size) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(static_cast<const char*>(data), size);
    return offset;
  }
  std::uint32_t add(const std::string& text) { return add(text.c_str(), text.size() + 1); }
  /// A null-terminated vector of strings, as execve(2) takes it, with so many free words before it.
  std::uint32_t add(const std::vector<std::string>& words, std::uint32_t free = 0) {
    std::vector<std::uint64_t> offsets(free);
    offsets.reserve(free + words.size() + 1);
    for (const std::string& word : words) offsets.push_back(add(word));
    offsets.push_back(0);
    constexpr std::uint32_t kSize = sizeof offsets[0];
    return add(offsets.data(), offsets.size() * kSize) + free * kSize;
  }

  std::string finish(InitConfig config) {
    config.magic = kInitMagic;
    config.size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &config, sizeof config);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

}  // namespace

std::vector<std::string> exec_candidates(const std::string& program, const std::string& search_path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> candidates;
  for (std::size_t at = 0; at <= search_path.size();) {
    const std::size_t end = std::min(search_path.find(':', at), search_path.size());
    std::string candidate = search_path.substr(at, end - at);
    if (candidate.empty()) candidate = '.';
    candidates.push_back(candidate.append("/").append(program));
    at = end + 1;
  }
  return candidates;
}

Result<UniqueFd> make_init_image() {
  return sealed(
      "init", {rehearse_init_image, static_cast<std::size_t>(rehearse_init_image_end - rehearse_init_image)},
      0111);
}

Result<UniqueFd> make_init_config(const Plan& plan, std::uint64_t room) {
  const Request& request = plan.request;
  Blob blob;
  InitConfig config = {};
  std::vector<std::string> env;
  std::string search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const auto& [name, value] : request.env) {
    env.push_back(fmt::format("{}={}", name, value));
    if (name == "PATH") search_path = value;
  }
  for (const auto& own : request.own_env) {
    const bool asked =
        std::ranges::any_of(request.env, [&](const auto& pair) { return pair.first == own.first; });
    if (!asked) env.push_back(fmt::format("{}={}", own.first, own.second));
  }
  const std::vector<std::string> candidates = exec_candidates(request.argv.front(), search_path);
  config.argv = blob.add(request.argv, 1);
  config.argc = static_cast<std::uint32_t>(request.argv.size());
  config.envp = blob.add(env);
  config.envc = static_cast<std::uint32_t>(env.size());
  config.candidates = blob.add(candidates);
  config.candidate_count = static_cast<std::uint32_t>(candidates.size());
  config.cwd = blob.add(request.cwd);
  config.groups =
      blob.add(request.identity.groups.data(), request.identity.groups.size() * sizeof(std::uint32_t));
  config.group_count = static_cast<std::uint32_t>(request.identity.groups.size());
  std::vector<struct sock_filter> filter = room_program(room);
  const auto rules = seccomp_program();
  filter.insert(filter.end(), rules.begin(), rules.end());
  config.filter = blob.add(filter.data(), filter.size() * sizeof filter[0]);
  config.filter_count = static_cast<std::uint32_t>(filter.size());
  config.uid = request.identity.uid;
  config.gid = request.identity.gid;
  config.umask = request.umask;
  config.terminal = request.terminal ? 1 : 0;
  config.mount_cgroup = std::any_of(plan.mounts.begin(), plan.mounts.end(),
                                    [](const MountPlan& mount) { return mount.show == Show::kCgroup; })
                            ? 1
                            : 0;
  config.tools = plan.service_manager ? 1 : 0;
  config.open_files = {inherited().open_files.rlim_cur, inherited().open_files.rlim_max};
  // Not known is taken for yes.
  const auto pattern = sys::read_file("/proc/sys/kernel/core_pattern", 4096);
  config.core_is_piped = !pattern || pattern->starts_with('|') ? 1 : 0;
  config.file_size = {inherited().file_size.rlim_cur, inherited().file_size.rlim_max};
  config.ignored_signals = inherited().ignored_signals;
  config.dropped_capabilities = plan.dropped_capabilities;
  return sealed("init-config", blob.finish(config), 0400);
}

}  // namespace rehearse::sandbox
