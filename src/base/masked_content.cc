#include "base/masked_content.h"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/sys.h"

namespace rehearse {
namespace {

constexpr std::uint64_t kMostFilled = std::uint64_t{1} << 20U;

std::string filled(std::uint64_t size) {
  return std::string(static_cast<std::size_t>(std::min(size, kMostFilled)), '\n');
}

}  // namespace

Result<void> write_masked_content(int fd, std::uint64_t size) {
  RH_CHECK(sys::write_all(fd, filled(size)));
  if (size > kMostFilled && ::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return sys::last_error("ftruncate", "mask");
  return {};
}

bool is_masked_content(const Sha256& digest, std::uint64_t size) {
  Sha256Hasher hasher;
  hasher.update(filled(size));
  const std::string hole(std::size_t{64} << 10U, '\0');
  for (std::uint64_t at = kMostFilled; at < size; at += hole.size())
    hasher.update(std::string_view(hole).substr(0, std::min<std::uint64_t>(size - at, hole.size())));
  return hasher.finish() == digest;
}

}  // namespace rehearse
