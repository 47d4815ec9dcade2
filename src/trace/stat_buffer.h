// What stat(2) and its like told a program about an object: as it lay in the program's memory when the call
// returned, so the program's own word, though the kernel had just written it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rehearse::trace {

/// Where a call is given its answer, and how much of that is recorded: up to the change time.
struct StatBuffer {
  std::uint8_t arg = 0;
  std::uint16_t bytes = 0;
};
std::optional<StatBuffer> stat_buffer(std::uint32_t nr);

/// What is used of it. Owner and device as the sandbox sees them.
struct StatAnswer {
  std::uint64_t ino = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
};
/// Nothing if it is too short or does not say when the object changed.
std::optional<StatAnswer> stat_answer(std::uint32_t nr, std::string_view bytes);

}  // namespace rehearse::trace
