// Room on the state directory's filesystem for what is written last: the manifest, the verdict, the report.
//
// What grows with the action (the trace, the list of what was read) is given up before it takes this, so that
// a full disk costs evidence and not the report that says so.
#pragma once

#include <cstdint>

namespace rehearse {

inline constexpr std::uint64_t kRoomAfterTrace = std::uint64_t{2} << 20U;
/// Less, since the list is written after the trace.
inline constexpr std::uint64_t kRoomAfterReads = std::uint64_t{1} << 20U;

/// Whether the filesystem of `fd` has as many bytes free; also where it does not tell.
bool has_room(int fd, std::uint64_t bytes);

/// Whether it was for want of space, or of leave to take more, that a write failed.
bool is_no_space(int err);

inline constexpr const char* kStateIsFull =
    "the state directory's filesystem is full, and what room is left is for the report";
inline constexpr const char* kMakeRoom =
    "the filesystem or quota has no bytes or no inodes left: rehearse gc, or use --state on another one";

}  // namespace rehearse
