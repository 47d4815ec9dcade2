#include "base/callers_descriptors.h"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

namespace rehearse {
namespace {

constexpr std::size_t kMost = 1024;

Descriptors noted;  // NOLINT(cert-err58-cpp): an empty map

/// A number in it would be another in each run.
std::string without_number(std::string_view target) {
  for (const std::string_view kind : {"pipe", "socket"})
    if (target.starts_with(kind) && target.substr(kind.size()).starts_with(":[")) return std::string(kind);
  return std::string(target);
}

}  // namespace

void note_callers_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (!directory) return;
  while (const struct dirent* entry = ::readdir(directory.get())) {
    const char* name = static_cast<const char*>(entry->d_name);
    int fd = -1;
    const auto [end, error] = std::from_chars(name, name + std::strlen(name), fd);
    if (error != std::errc() || *end != '\0' || fd <= STDERR_FILENO || fd == ::dirfd(directory.get()))
      continue;
    if (noted.size() >= kMost) return;
    std::array<char, 4096> target = {};
    const ssize_t size = ::readlinkat(::dirfd(directory.get()), name, target.data(), target.size());
    if (size > 0) noted[fd] = without_number({target.data(), static_cast<std::size_t>(size)});
  }
}

const Descriptors& callers_descriptors() {
  return noted;
}

}  // namespace rehearse
