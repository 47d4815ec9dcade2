#include "sandbox/secrets.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

/// A directory below a home directory, and the names in it (fnmatch(3)) that are secret.
struct Pattern {
  const char* directory;
  const char* names;
  const char* except = "";
};

constexpr Pattern kInHome[] = {
    {".ssh", "id_*", "*.pub"},
    {".ssh", "*.pem"},
    {".ssh", "*.key"},
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

void match(int base, const std::string& base_path, const Pattern& pattern, std::vector<std::string>& found) {
  const Directory listing = open_listing(base, pattern.directory);
  if (!listing) return;
  std::string prefix = base_path + '/';
  if (std::strcmp(pattern.directory, ".") != 0) prefix += std::string(pattern.directory) + '/';
  while (const dirent* entry = ::readdir(listing.get())) {
    if (::fnmatch(pattern.names, entry->d_name, 0) != 0 || ::fnmatch(pattern.except, entry->d_name, 0) == 0)
      continue;
    struct stat st = {};
    if (::fstatat(::dirfd(listing.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode))
      continue;
    found.push_back(prefix + entry->d_name);
  }
}

void match_home(int root, const std::string& home, std::vector<std::string>& found) {
  const auto directory = sys::open_beneath(root, home.c_str() + 1, O_PATH | O_DIRECTORY);
  if (!directory) return;
  for (const Pattern& pattern : kInHome) match(directory->get(), home, pattern, found);
}

}  // namespace

std::vector<std::string> find_secrets() {
  std::vector<std::string> found;
  const auto root = sys::open("/", O_PATH | O_DIRECTORY);
  if (!root) return found;
  for (const Pattern& pattern : kInRoot) match(root->get(), "", pattern, found);
  match_home(root->get(), "/root", found);
  if (const Directory homes = open_listing(root->get(), "home")) {
    while (const dirent* entry = ::readdir(homes.get())) {
      if (entry->d_name[0] != '.') match_home(root->get(), std::string("/home/") + entry->d_name, found);
    }
  }
  return found;
}

}  // namespace rehearse::sandbox
