#include "trace/open_call.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cstring>

namespace rehearse::trace {

std::optional<std::uint64_t> open_flags(const Record& exit, const Record* entry) {
  if (exit.head().abi != 0) return std::nullopt;
  switch (exit.head().nr) {
    case SYS_open:
      return exit.argument(1);
    case SYS_openat:
      return exit.argument(2);
    case SYS_creat:
      return O_WRONLY | O_CREAT | O_TRUNC;
    case SYS_openat2: {
      std::optional<std::uint64_t> flags;
      if (entry == nullptr) return flags;
      entry->each_attachment([&](const Attachment& attachment) {
        if (attachment.kind != RH_BLOB || attachment.bytes.size() < sizeof(std::uint64_t)) return;
        std::uint64_t first = 0;  // of struct open_how
        std::memcpy(&first, attachment.bytes.data(), sizeof first);
        flags = first;
      });
      return flags;
    }
    default:
      return std::nullopt;
  }
}

bool opens_for_writing(std::uint64_t flags) {
  if ((flags & O_PATH) != 0) return false;
  return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
}

}  // namespace rehearse::trace
