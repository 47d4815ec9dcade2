#include "rehearsal/requested.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ascii.h"
#include "base/digest.h"
#include "rehearsal/request.h"

namespace rehearse {
namespace {

/// Every directory of it is one of those that a host has for programs of its own.
bool is_usual_path(std::string_view value) {
  const auto usual = split(kDefaultPath, ':');
  return std::ranges::all_of(split(value, ':'), [&](std::string_view directory) {
    return directory == "/snap/bin" || std::ranges::find(usual, directory) != usual.end();
  });
}

/// Nobody but root may write to what is made under it.
constexpr mode_t kUsualUmask = 022;

/// What is passed of the caller's environment unasked, and can lead to nothing that the caller has made.
bool is_harmless(std::string_view name, std::string_view value, const sandbox::Request& request) {
  if (name == "PATH") return is_usual_path(value);
  if (name == "HOME") return request.identity.uid != 0 || value == "/root";
  // Always who it runs as (request.cc).
  if (name == "USER" || name == "LOGNAME") return true;
  if (name == "TZ") return !value.starts_with(':') && !value.starts_with('/') && !value.contains("..");
  if (name == "TERM" || name == "LANG") return !value.contains('/');
  return false;
}

/// Set by the file, and to that.
bool is_set_by(const ActionFile& file, const std::string& name, const std::string& value) {
  return std::ranges::find(file.env, name + '=' + value) != file.env.end();
}

class Digest {
 public:
  void add(std::string_view name, std::string_view value) {
    hasher_.update(fmt::format("{} {}:", name, value.size()));
    hasher_.update(value);
  }
  void add(std::string_view name, const std::vector<std::string>& values) {
    for (const std::string& value : values) add(name, value);
  }
  template <class Number>
  void add(std::string_view name, const std::optional<Number>& value) {
    if (value) add(name, fmt::format("{}", *value));
  }
  std::string finish() { return hex(hasher_.finish()); }

 private:
  Sha256Hasher hasher_;
};

}  // namespace

std::vector<std::string> differs_from_file(const Options& asked, const ActionFile& file,
                                           const sandbox::Request& request) {
  std::vector<std::string> why;
  const auto given = [&why](const char* what, bool is) {
    if (is) why.emplace_back(what);
  };
  given("a path instead of a name", asked.action != file.name);
  given("further words", !asked.argv.empty());
  given("--env", !asked.env.empty());
  given("--cwd", !asked.cwd.empty());
  given("the caller's directory: the file has no cwd", asked.cwd.empty() && file.cwd.empty());
  given("--user", !asked.user.empty());
  given("--profile", asked.root_profile);
  given("--hide", !asked.hide.empty());
  given("--mask", !asked.mask.empty());
  given("--unmask", !asked.unmask.empty());
  given("--pass", !asked.pass.empty());
  given("--deny", !asked.deny.empty());
  given("--mock", !asked.mock.empty());
  given("--replay", !asked.replay.empty());
  given("--nxdomain", asked.nxdomain);
  given("--network-mirror", asked.network_mirror);
  given("--expect", !asked.expect.empty());
  given("--no-validators", !asked.validators);
  given("a limit", asked.wall_ns || asked.memory_bytes || asked.pids || asked.cpus || asked.write_bytes);
  given("the caller's umask", (request.umask & kUsualUmask) != kUsualUmask);
  for (const auto& variable : request.env) {
    const std::string& name = variable.first;
    const std::string& value = variable.second;
    const bool named = std::ranges::any_of(
        asked.env, [&](const std::string& item) { return item.substr(0, item.find('=')) == name; });
    if (!named && !is_set_by(file, name, value) && !is_harmless(name, value, request))
      why.push_back("the caller's " + name);
  }
  return why;
}

std::string digest_of_choices(const Options& options, const ActionFile* file,
                              const verdict::Expectations* expected, const NetworkPlan& network,
                              const sandbox::Request& request) {
  Digest digest;
  digest.add("umask", fmt::format("{:03o}", request.umask));
  if (file != nullptr) digest.add("file", file->text);
  digest.add("hide", options.hide);
  digest.add("mask", options.mask);
  digest.add("unmask", options.unmask);
  digest.add("pass", options.pass);
  digest.add("deny", options.deny);
  digest.add("source", network.sources);
  if (options.nxdomain) digest.add("nxdomain", "");
  if (options.network_mirror) digest.add("network-mirror", "");
  if (!options.validators) digest.add("no-validators", "");
  if (options.read_only) digest.add("read-only", "");
  if (expected != nullptr) {
    for (const verdict::Wanted& wanted : verdict::declared(*expected)) {
      digest.add("expect", wanted.what);
      digest.add("wanted", wanted.values);
    }
  }
  digest.add("wall", options.wall_ns);
  digest.add("memory", options.memory_bytes);
  digest.add("pids", options.pids);
  digest.add("cpus", options.cpus);
  digest.add("write", options.write_bytes);
  return digest.finish();
}

}  // namespace rehearse
