#include "rehearsal/request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/callers_descriptors.h"
#include "base/sys.h"
#include "host/identity.h"
#include "sandbox/plan.h"
#include "sandbox/secrets.h"

namespace rehearse {
namespace {

/// PID_MAX_LIMIT of the kernel (include/linux/threads.h): more are not there, and cgroups refuse the number.
constexpr std::uint64_t kMostPids = 4U << 20U;
constexpr std::size_t kLongestClaim = 16U << 10U;
constexpr const char* kPassedVariables[] = {"PATH", "HOME", "TERM", "LANG", "TZ"};

/// The path an absolute name leads to, without symlinks. kUsage when it does not exist.
Result<std::string> canonical(const std::string& option, const std::string& path) {
  if (path.empty() || path.front() != '/') {
    return fail(option + " \"" + path + "\": not an absolute path", ExitCode::kUsage,
                "give a path that starts with /");
  }
  auto object = sys::open(path.c_str(), O_PATH);
  if (!object)
    return fail(option + " " + path + ": not on this host", ExitCode::kUsage,
                "name a file or directory that exists");
  return sys::read_link_at(AT_FDCWD, sys::fd_path(object->get()).c_str());
}

Result<void> resolve_paths(const Options& options, sandbox::Request& request) {
  for (const std::string& path : options.hide) {
    RH_TRY(auto real, canonical("--hide", path));
    request.hide.push_back(std::move(real));
  }
  request.mask = sandbox::find_secrets();
  for (const std::string& path : options.mask) {
    RH_TRY(auto real, canonical("--mask", path));
    RH_TRY(const auto st, sys::stat_at(AT_FDCWD, real.c_str(), AT_SYMLINK_NOFOLLOW));
    if (!S_ISREG(st.st_mode))
      return fail("--mask " + path + ": not a regular file", ExitCode::kUsage, "use --hide for a directory");
    request.mask.push_back(std::move(real));
  }
  for (const std::string& path : options.unmask) {
    RH_TRY(const auto real, canonical("--unmask", path));
    if (std::erase(request.mask, real) == 0)
      return fail("--unmask " + path + ": is not masked", ExitCode::kUsage,
                  "see `rehearse run --plan` for what is");
  }
  std::sort(request.mask.begin(), request.mask.end());
  request.mask.erase(std::unique(request.mask.begin(), request.mask.end()), request.mask.end());
  return {};
}

/// What is there for everybody to throw things into.
void find_scratch(sandbox::Request& request) {
  for (const char* path : {"/tmp", "/var/tmp"}) {
    const auto directory = sys::open(path, O_PATH | O_DIRECTORY);
    if (!directory) continue;
    auto real = sys::read_link_at(AT_FDCWD, sys::fd_path(directory->get()).c_str());
    if (!real || *real == "/" || std::ranges::find(request.scratch, *real) != request.scratch.end()) continue;
    request.scratch.push_back(std::move(*real));
  }
}

/// Who the action runs as, as programs are told.
struct Person {
  std::string name = "root";
  std::string home = "/root";
};

Result<void> resolve_identity(const Options& options, sandbox::Request& request, Person& person) {
  if (options.user.empty()) return {};
  RH_TRY(const auto user, host::find_user(options.user));
  const auto unmapped = [](std::uint32_t id) { return id >= sandbox::kIdRange; };
  if (!options.root_profile &&
      (unmapped(user.uid) || unmapped(user.gid) || std::ranges::any_of(user.groups, unmapped)))
    return fail(fmt::format("--user {}: the ids of users and groups inside a rehearsal end at {}",
                            options.user, sandbox::kIdRange - 1),
                ExitCode::kUsage, "name a user with lower ones");
  request.identity = {user.uid, user.gid, user.groups};
  person = {user.name, user.home};
  return {};
}

/// Set by every shell for itself, and for what it starts.
bool is_shells_own(std::string_view name) {
  return name == "_" || name == "SHLVL" || name == "PWD" || name == "OLDPWD";
}

void list_not_passed(sandbox::Request& request) {
  std::set<std::string> names;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view item = *variable;
    const std::string_view name = item.substr(0, item.find('='));
    const bool passed =
        std::ranges::any_of(request.env, [&](const auto& pair) { return pair.first == name; });
    if (!passed && !name.empty() && !is_shells_own(name)) names.emplace(name);
  }
  request.not_passed.assign(names.begin(), names.end());
}

Result<void> collect_environment(const Options& options, const Person& person, sandbox::Request& request) {
  const auto set = [&request](const std::string& name, const std::string& value) {
    std::erase_if(request.env, [&](const auto& pair) { return pair.first == name; });
    request.env.emplace_back(name, value);
  };
  for (const char* name : kPassedVariables) {
    if (const char* value = std::getenv(name); value != nullptr) set(name, value);
  }
  if (std::getenv("PATH") == nullptr) set("PATH", kDefaultPath);
  if (!options.user.empty() || std::getenv("HOME") == nullptr) set("HOME", person.home);
  // As su(1) and sudo(8) set them, whoever the caller is.
  for (const char* name : {"USER", "LOGNAME"}) {
    if (!person.name.empty() && std::getenv(name) != nullptr) set(name, person.name);
  }
  for (const std::string& item : options.env) {
    const auto equals = item.find('=');
    const std::string name = item.substr(0, equals);
    if (name.empty())
      return fail("--env \"" + item + "\": no name before =", ExitCode::kUsage, "write NAME=VALUE or NAME");
    if (equals != std::string::npos) {
      set(name, item.substr(equals + 1));
    } else if (const char* value = std::getenv(name.c_str()); value != nullptr) {
      set(name, value);
    }
  }
  list_not_passed(request);
  request.descriptors = callers_descriptors();
  return {};
}

Result<void> check_limits(const Options& options) {
  if (options.argv.empty() || options.argv.front().empty()) return fail("no command given", ExitCode::kUsage);
  if (options.claim.size() > kLongestClaim)
    return fail("--claim: longer than 16 KiB", ExitCode::kUsage, "say it shorter");
  if (options.wall_ns && *options.wall_ns <= 0)
    return fail("the limit of wall time must be more than 0", ExitCode::kUsage);
  if (options.memory_bytes && *options.memory_bytes < (1U << 20U))
    return fail("the limit of memory is less than 1 MiB", ExitCode::kUsage);
  if (options.pids && (*options.pids < 2 || *options.pids > kMostPids))
    return fail(fmt::format("the limit of processes must lie between 2 (one is init) and {}", kMostPids),
                ExitCode::kUsage);
  if (options.cpus && !(*options.cpus >= 0.01 && *options.cpus <= 100'000))
    return fail("the limit of cpus must lie between 0.01 and 100000", ExitCode::kUsage);
  return {};
}

/// Never another than the one meant: a command with relative names does something else there.
Result<std::string> working_directory(const Options& options) {
  if (!options.cwd.empty()) {
    RH_TRY(auto path, canonical("--cwd", options.cwd));
    if (!sys::open(path.c_str(), O_PATH | O_DIRECTORY))
      return fail("--cwd " + options.cwd + ": not a directory", ExitCode::kUsage, "name a directory");
    return path;
  }
  const auto gone = [] {
    return fail("the working directory is gone", ExitCode::kUsage, "say with --cwd where the action starts");
  };
  auto here = sys::open(".", O_PATH | O_DIRECTORY);
  if (!here) return gone();
  RH_TRY(const auto st, sys::stat_fd(here->get()));
  auto path = sys::read_link_at(AT_FDCWD, sys::fd_path(here->get()).c_str());
  if (!path) return path;
  // "(unreachable)" stands before one that is outside of the root, " (deleted)" behind one that was removed:
  // a name that another may have.
  if (!path->starts_with('/')) return gone();
  if (path->ends_with(" (deleted)") && (st.st_nlink == 0 || !sys::open(path->c_str(), O_PATH | O_DIRECTORY)))
    return gone();
  return path;
}

}  // namespace

Result<std::string> where_state_would_be(const std::string& path) {
  if (auto state = sys::open(path.c_str(), O_PATH))
    return sys::read_link_at(AT_FDCWD, sys::fd_path(state->get()).c_str());
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return path;
  auto parent = sys::open(path.substr(0, slash).c_str(), O_PATH);
  if (!parent) return path;
  RH_TRY(const auto real, sys::read_link_at(AT_FDCWD, sys::fd_path(parent->get()).c_str()));
  return (real == "/" ? "" : real) + path.substr(slash);
}

Result<sandbox::Request> make_request(const Options& options) {
  RH_CHECK(check_limits(options));
  sandbox::Request request;
  request.argv = options.argv;
  request.profile = options.root_profile ? sandbox::Profile::kRoot : sandbox::Profile::kShifted;
  request.terminal = options.terminal;
  request.umask = ::umask(0);
  ::umask(request.umask);
  request.limits = {options.wall_ns, options.memory_bytes, options.pids, options.cpus, options.write_bytes};
  Person person;
  RH_CHECK(resolve_identity(options, request, person));
  RH_CHECK(collect_environment(options, person, request));
  RH_CHECK(resolve_paths(options, request));
  request.read_only = options.read_only;
  if (request.read_only) find_scratch(request);
  RH_TRY(request.cwd, working_directory(options));
  return request;
}

}  // namespace rehearse
