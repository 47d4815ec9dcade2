#include "trace/stat_buffer.h"

#include <sys/stat.h>

#include <cstddef>
#include <cstring>

#include "syscalls/table.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

// struct stat of x86-64 is the same for the kernel and libc.
constexpr std::uint16_t kStatBytes = offsetof(struct stat, st_ctim) + sizeof(struct timespec);
constexpr std::uint16_t kStatxBytes = offsetof(struct statx, stx_ctime) + sizeof(struct statx_timestamp);

/// A hostile trace may hold any number: it wraps around.
std::int64_t nanoseconds(std::int64_t seconds, std::int64_t rest) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(seconds) * 1'000'000'000U +
                                   static_cast<std::uint64_t>(rest));
}

}  // namespace

std::optional<StatBuffer> stat_buffer(std::uint32_t nr) {
  switch (nr) {
    case Nr::stat:
    case Nr::lstat:
      return StatBuffer{1, kStatBytes};
    case Nr::newfstatat:
      return StatBuffer{2, kStatBytes};
    case Nr::statx:
      return StatBuffer{4, kStatxBytes};
    default:
      return std::nullopt;
  }
}

std::optional<StatAnswer> stat_answer(std::uint32_t nr, std::string_view bytes) {
  const auto buffer = stat_buffer(nr);
  if (!buffer || bytes.size() < buffer->bytes) return std::nullopt;
  StatAnswer answer;
  if (nr == Nr::statx) {
    struct statx st = {};
    std::memcpy(&st, bytes.data(), buffer->bytes);
    if ((st.stx_mask & STATX_CTIME) == 0) return std::nullopt;
    answer.ino = st.stx_ino;
    answer.ctime_ns = nanoseconds(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec);
    answer.size = st.stx_size;
    answer.mode = st.stx_mode;
  } else {
    struct stat st = {};
    std::memcpy(&st, bytes.data(), buffer->bytes);
    answer.ino = st.st_ino;
    answer.ctime_ns = nanoseconds(st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    answer.size = static_cast<std::uint64_t>(st.st_size);
    answer.mode = st.st_mode;
  }
  return answer;
}

}  // namespace rehearse::trace
