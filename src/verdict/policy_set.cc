#include "verdict/policy_set.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/sys.h"
#include "verdict/policy_file.h"

// Of each file: size of its name, size of its text, name, text. Ends with two zeros.
extern "C" const char rehearse_built_in_policies[];

namespace rehearse::verdict {
namespace {

constexpr std::size_t kMostFiles = 1000;

Result<void> check_owner(const struct stat& st, const std::string& path, Trust trust) {
  if (trust == Trust::kAnybody || (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)) return {};
  return fail("policy: somebody beside root can write " + path, ExitCode::kConfig,
              "chown root " + path + " && chmod go-w " + path);
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> add_file(PolicyMerge& merge, int directory, const char* name, const std::string& path,
                      Trust trust) {
  auto file = sys::open_at2(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
  if (!file) return fail_errno(file.error().err, "policy: cannot read " + path, ExitCode::kConfig, "");
  RH_TRY(const auto st, sys::stat_fd(file->get()));
  if (!S_ISREG(st.st_mode)) return fail("policy: " + path + " is not a regular file", ExitCode::kConfig);
  RH_CHECK(check_owner(st, path, trust));
  const auto text = sys::read_all(file->get(), kLargestPolicyFile);
  if (!text)
    return fail("policy: " + path + ": " + text.error().what, ExitCode::kConfig,
                fmt::format("a policy file has at most {} MiB", kLargestPolicyFile >> 20U));
  return merge.add(*text, path, to_ns(st.st_mtim), directory_of(path));
}

/// Names that end in .toml and do not begin with a dot, in byte order.
Result<std::vector<std::string>> list_files(int fd, const std::string& path) {
  RH_TRY(auto again, sys::open_at2(fd, ".", O_RDONLY | O_DIRECTORY, 0, 0));
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(again.get()), ::closedir);
  if (!listing) return fail_errno(errno, "policy: cannot list " + path, ExitCode::kConfig, "");
  (void)again.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with('.') && name.ends_with(".toml")) names.emplace_back(name);
    if (names.size() > kMostFiles)
      return fail(fmt::format("policy: more than {} files in {}", kMostFiles, path), ExitCode::kConfig,
                  "merge some");
  }
  std::ranges::sort(names);
  return names;
}

/// How many files there were.
Result<std::size_t> add_directory(PolicyMerge& merge, const std::string& path, Trust trust) {
  RH_TRY(const auto fd, sys::open(path.c_str(), O_RDONLY | O_DIRECTORY));
  RH_TRY(const auto st, sys::stat_fd(fd.get()));
  RH_TRY(const auto names, list_files(fd.get(), path));
  if (!names.empty()) RH_CHECK(check_owner(st, path, trust));
  for (const std::string& name : names)
    RH_CHECK(add_file(merge, fd.get(), name.c_str(), path + '/' + name, trust));
  return names.size();
}

Result<void> add_built_in(PolicyMerge& merge) {
  for (const BuiltInFile& file : built_in_policies())
    RH_CHECK(merge.add(file.text, fmt::format("built in: {}", file.name)));
  return {};
}

Result<void> add_source(PolicyMerge& merge, const std::string& source, Trust trust) {
  if (source == kBuiltIn) return add_built_in(merge);
  const auto st = sys::stat_at(AT_FDCWD, source.c_str(), 0);
  if (!st)
    return fail_errno(st.error().err, "policy: cannot read " + source, ExitCode::kConfig,
                      "name a file, a directory with *.toml files, or `builtin`");
  if (!S_ISDIR(st->st_mode)) return add_file(merge, AT_FDCWD, source.c_str(), source, trust);
  RH_TRY(const auto files, add_directory(merge, source, trust));
  if (files == 0)
    return fail("policy: there is no *.toml file in " + source, ExitCode::kConfig, "name another directory");
  return {};
}

/// A directory of the host that need not be there.
Result<std::size_t> add_host_directory(PolicyMerge& merge, const char* path) {
  if (::faccessat(AT_FDCWD, path, F_OK, 0) != 0 && errno == ENOENT) return std::size_t{0};
  return add_directory(merge, path, Trust::kRootOnly);
}

}  // namespace

std::vector<BuiltInFile> built_in_policies() {
  std::vector<BuiltInFile> files;
  const char* at = rehearse_built_in_policies;
  for (;;) {
    std::uint32_t name = 0;
    std::uint32_t text = 0;
    std::memcpy(&name, at, sizeof name);
    std::memcpy(&text, at + sizeof name, sizeof text);
    if (name == 0) return files;
    at += sizeof name + sizeof text;
    files.push_back({{at, name}, {at + name, text}});
    at += name + text;
  }
}

Result<Policy> load_policy(std::span<const std::string> sources, Trust trust) {
  PolicyMerge merge;
  for (const std::string& source : sources) RH_CHECK(add_source(merge, source, trust));
  if (sources.empty()) {
    RH_TRY(const auto shipped, add_host_directory(merge, kShippedPolicies));
    if (shipped == 0) RH_CHECK(add_built_in(merge));
    RH_TRY(const auto own, add_host_directory(merge, kHostPolicies));
    (void)own;
  }
  return merge.finish();
}

}  // namespace rehearse::verdict
