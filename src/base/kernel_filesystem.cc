#include "base/kernel_filesystem.h"

#include <sys/vfs.h>

#include <algorithm>
#include <iterator>

namespace rehearse {

bool is_kernel_filesystem(long type) {
  constexpr long kTypes[] = {0x9fa0,     0x62656572, 0x64626720, 0x74726163, 0x73636673,
                             0xcafe4a11, 0x27e0eb,   0x63677270, 0x1cd1,     0x19800202,
                             0x6165676c, 0x62656570, 0xde5e81e4, 0x50494446, 0x6e736673};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

bool is_on_kernel_filesystem(int fd) {
  struct statfs vfs = {};
  return ::fstatfs(fd, &vfs) == 0 && is_kernel_filesystem(static_cast<long>(vfs.f_type));
}

}  // namespace rehearse
