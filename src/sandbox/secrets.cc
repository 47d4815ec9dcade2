#include "sandbox/secrets.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

#include "base/sys.h"
#include "sandbox/private_keys.h"

namespace rehearse::sandbox {
namespace {

/// A directory below a home directory, and the names in it (fnmatch(3)) that are secret.
struct Pattern {
  const char* directory;
  const char* names;
};

constexpr Pattern kInHome[] = {
    {".aws", "credentials"},
    {".azure", "*.json"},
    {".azure", "*.bin"},
    {".config/gcloud", "*.db"},
    {".config/gcloud", "*.json"},
    {".config/doctl", "config.yaml"},
    {".config/hcloud", "cli.toml"},
    {".config/gh", "hosts.yml"},
    {".kube", "config"},
    {".docker", "config.json"},
    {".oci", "*.pem"},
    {".gnupg/private-keys-v1.d", "*.key"},
    {".", ".git-credentials"},
    {".", ".netrc"},
    {".", ".s3cfg"},
    {".", ".boto"},
    {".", ".vault-token"},
    {".terraform.d", "credentials.tfrc.json"},
};
constexpr Pattern kInRoot[] = {{"etc/ssh", "ssh_host_*_key"}};

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_listing(int base, const char* path) {
  auto fd = sys::open_beneath(base, path, O_RDONLY | O_DIRECTORY);
  return {fd ? ::fdopendir(fd->release()) : nullptr, ::closedir};
}

/// A name that matches: its path, or that of the regular file it leads to. A symlink counts if its owner owns
/// the file too: nobody can have another's file, /etc/passwd say, shown empty.
void note(int directory, const std::string& path, const char* name, std::vector<std::string>& found) {
  struct stat st = {};
  if (::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(st.st_mode)) found.push_back(path + name);
  if (!S_ISLNK(st.st_mode)) return;
  const auto target = sys::open((sys::fd_path(directory) + '/' + name).c_str(), O_PATH);
  const auto at = target ? sys::stat_fd(target->get()) : Result<struct stat>(fail("dangling"));
  if (!at || !S_ISREG(at->st_mode) || at->st_uid != st.st_uid) return;
  if (auto real = sys::read_link_at(AT_FDCWD, sys::fd_path(target->get()).c_str()))
    found.push_back(std::move(*real));
}

void match(int base, const std::string& base_path, const Pattern& pattern, std::vector<std::string>& found) {
  const Directory listing = open_listing(base, pattern.directory);
  if (!listing) return;
  std::string prefix = base_path + '/';
  if (std::strcmp(pattern.directory, ".") != 0) prefix += std::string(pattern.directory) + '/';
  while (const dirent* entry = ::readdir(listing.get())) {
    if (::fnmatch(pattern.names, entry->d_name, 0) == 0)
      note(::dirfd(listing.get()), prefix, entry->d_name, found);
  }
}

/// `home` leads there; the paths found are real ones. Most homes hold nothing of interest: one listing tells.
void match_home(int root, const std::string& home, std::vector<std::string>& found) {
  const auto directory = sys::open(home.c_str(), O_PATH | O_DIRECTORY);
  if (!directory) return;
  const auto real = sys::read_link_at(AT_FDCWD, sys::fd_path(directory->get()).c_str());
  if (!real || *real == "/" || real->starts_with("/usr")) return;  // of daemons: nobody keeps keys there
  const Directory listing = open_listing(directory->get(), ".");
  if (!listing) return;
  std::vector<std::string> hidden;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.') hidden.emplace_back(entry->d_name);
  }
  if (std::find(hidden.begin(), hidden.end(), ".ssh") != hidden.end()) find_private_keys(root, *real, found);
  for (const Pattern& pattern : kInHome) {
    const std::string_view path = pattern.directory;
    const std::string_view first =
        path == "." ? std::string_view(pattern.names) : path.substr(0, path.find('/'));
    if (std::find(hidden.begin(), hidden.end(), first) != hidden.end())
      match(directory->get(), *real, pattern, found);
  }
}

/// Home directories of everybody in passwd(5), and what lies in /home.
std::set<std::string> homes(int root) {
  std::set<std::string> found = {"/root"};
  const auto users = sys::read_file_at(root, "etc/passwd", std::size_t{16} << 20U).value_or("");
  for (std::size_t at = 0; at < users.size();) {
    const std::size_t end = std::min(users.find('\n', at), users.size());
    const std::string_view line = std::string_view(users).substr(at, end - at);
    at = end + 1;
    const auto shell = line.rfind(':');
    const auto home = shell == std::string_view::npos || shell == 0 ? shell : line.rfind(':', shell - 1);
    if (home == std::string_view::npos) continue;
    const std::string_view path = line.substr(home + 1, shell - home - 1);
    if (path.starts_with('/') && !path.starts_with("/dev") && !path.starts_with("/proc")) found.emplace(path);
  }
  if (const Directory listing = open_listing(root, "home")) {
    while (const dirent* entry = ::readdir(listing.get())) {
      if (entry->d_name[0] != '.') found.insert(std::string("/home/") + entry->d_name);
    }
  }
  return found;
}

}  // namespace

std::vector<std::string> find_secrets() {
  std::vector<std::string> found;
  const auto root = sys::open("/", O_PATH | O_DIRECTORY);
  if (!root) return found;
  for (const Pattern& pattern : kInRoot) match(root->get(), "", pattern, found);
  for (const std::string& home : homes(root->get())) match_home(root->get(), home, found);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace rehearse::sandbox
