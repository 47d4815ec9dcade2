#include "cli/run_request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/sys.h"
#include "base/units.h"
#include "host/identity.h"
#include "sandbox/secrets.h"

namespace rehearse::cli {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
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

Result<void> resolve_paths(const RunOptions& options, const Globals& globals, sandbox::Request& request) {
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
  if (auto state = sys::open(globals.state.c_str(), O_PATH)) {
    RH_TRY(request.state_dir, sys::read_link_at(AT_FDCWD, sys::fd_path(state->get()).c_str()));
  } else {
    request.state_dir = globals.state;
  }
  return {};
}

Result<void> resolve_identity(const RunOptions& options, sandbox::Request& request, std::string& home) {
  home = "/root";
  if (options.user.empty()) return {};
  RH_TRY(const auto user, host::find_user(options.user));
  request.identity = {user.uid, user.gid, user.groups};
  home = user.home;
  return {};
}

Result<void> collect_environment(const RunOptions& options, const std::string& home,
                                 sandbox::Request& request) {
  const auto set = [&request](const std::string& name, const std::string& value) {
    std::erase_if(request.env, [&](const auto& pair) { return pair.first == name; });
    request.env.emplace_back(name, value);
  };
  for (const char* name : kPassedVariables) {
    if (const char* value = std::getenv(name); value != nullptr) set(name, value);
  }
  if (std::getenv("PATH") == nullptr) set("PATH", kDefaultPath);
  if (!options.user.empty() || std::getenv("HOME") == nullptr) set("HOME", home);
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
  return {};
}

Result<void> resolve_limits(const RunOptions& options, sandbox::Limits& limits) {
  if (!options.timeout.empty()) {
    RH_TRY(limits.wall_ns, parse_duration(options.timeout));
    if (*limits.wall_ns <= 0)
      return fail("--timeout " + options.timeout + ": must be more than 0", ExitCode::kUsage);
  }
  if (!options.memory.empty()) {
    RH_TRY(limits.memory_bytes, parse_bytes(options.memory));
    if (*limits.memory_bytes < (1U << 20U))
      return fail("--memory " + options.memory + ": less than 1 MiB", ExitCode::kUsage);
  }
  if (!options.max_write.empty()) {
    RH_TRY(limits.write_bytes, parse_bytes(options.max_write));
  }
  limits.pids = options.pids;
  limits.cpus = options.cpus;
  if (limits.pids && *limits.pids < 2)
    return fail("--pids must be at least 2: one is init", ExitCode::kUsage);
  if (limits.cpus && (*limits.cpus < 0.01 || *limits.cpus > 100'000))
    return fail("--cpus must lie between 0.01 and 100000", ExitCode::kUsage);
  return {};
}

Result<std::string> working_directory(const RunOptions& options) {
  if (!options.cwd.empty()) return canonical("--cwd", options.cwd);
  auto here = sys::open(".", O_PATH | O_DIRECTORY);
  if (!here) return std::string("/");
  RH_TRY(auto path, sys::read_link_at(AT_FDCWD, sys::fd_path(here->get()).c_str()));
  if (path.empty() || path.front() != '/' || path.ends_with(" (deleted)")) return std::string("/");
  return path;
}

}  // namespace

Result<bool> parse_run_options(Globals& globals, Arguments arguments, RunOptions& options) {
  CLI::App app("Rehearse a command in a clone of this host; the host does not change.", "run");
  add_globals(app, globals);
  app.add_flag("--plan", options.plan_only, "Print how this host would be shown, and stop");
  app.add_option("--timeout", options.timeout, "End the action after this time (30s, 5m)");
  app.add_option("--memory", options.memory, "Memory limit (512M); default: 3/4 of what is available");
  app.add_option("--pids", options.pids, "Limit of processes and threads; default 8192");
  app.add_option("--cpus", options.cpus, "CPU limit (1.5)");
  app.add_option("--max-write", options.max_write, "Limit of bytes written (1G)");
  app.add_option("--user", options.user, "Run as this user (name or uid) instead of root");
  app.add_option("--cwd", options.cwd, "Working directory; default: the caller's");
  app.add_option("--env", options.env, "Set or pass a variable; default: PATH HOME TERM LANG TZ")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
  app.add_option("--hide", options.hide, "Show this directory or file empty")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--mask", options.mask, "Show this secret file empty")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--unmask", options.unmask, "Show a file that is masked by default")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("-t,--tty", options.tty, "Give the action a terminal")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--profile", options.profile, "shifted, or root for hosts whose root cannot be idmapped")
      ->check(CLI::IsMember({"shifted", "root"}));
  app.add_flag("--passthrough-exit", options.passthrough_exit, "Exit with the command's own status");
  app.add_option("--fail-on", options.fail_on_word,
                 "Which verdicts give a non-zero exit status: red, yellow or never");
  app.prefix_command();
  // Everything after the first "--" is the command's, whatever it looks like.
  Arguments command;
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  const bool separated = separator != arguments.end();
  if (separated) command.assign(separator + 1, arguments.end());
  arguments.erase(separator, arguments.end());
  RH_TRY(const bool go_on, parse(app, std::move(arguments)));
  if (!go_on) return false;
  std::vector<std::string> rest = app.remaining();
  if (!rest.empty() && (separated || rest.front().starts_with('-'))) {
    return fail("run: unknown option or word \"" + rest.front() + "\"", ExitCode::kUsage,
                "see `rehearse run --help`");
  }
  options.argv = separated ? std::move(command) : std::move(rest);
  if (options.argv.empty() || options.argv.front().empty()) {
    return fail("run: no command given", ExitCode::kUsage, "write `rehearse run -- COMMAND [ARGUMENTS...]`");
  }
  RH_TRY(options.fail_on, verdict::parse_fail_on(options.fail_on_word));
  return true;
}

Result<sandbox::Request> make_request(const RunOptions& options, const Globals& globals) {
  sandbox::Request request;
  request.argv = options.argv;
  request.profile = options.profile == "root" ? sandbox::Profile::kRoot : sandbox::Profile::kShifted;
  request.umask = ::umask(0);
  std::string home;
  RH_CHECK(resolve_identity(options, request, home));
  RH_CHECK(collect_environment(options, home, request));
  RH_CHECK(resolve_limits(options, request.limits));
  RH_CHECK(resolve_paths(options, globals, request));
  RH_TRY(request.cwd, working_directory(options));
  request.terminal = options.tty == "always" || (options.tty == "auto" && ::isatty(STDIN_FILENO) == 1 &&
                                                 ::isatty(globals.json ? STDERR_FILENO : STDOUT_FILENO) == 1);
  return request;
}

}  // namespace rehearse::cli
