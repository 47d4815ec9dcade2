// The file `trace` of a bundle, version 1. Little-endian, as everything on x86-64.
//
//   FileHead, then blocks; each is a BlockHead and `stored_bytes` of payload, zstd-compressed if that is
//   shorter. Records: `raw_bytes` of payload are records as bpf/events.h describes them, `records` of them,
//   ordered by time. End: the payload is the JSON text of the summary. A file without it was not finished:
//   its writer died. Cut: no payload; events after it were seen and counted, but not kept.
//
// A block's digest is the SHA-256 of its head with a zeroed digest, then of its stored payload; the head
// holds the digest of the block before (of the FileHead, for the first): the last digest stands for the whole
// file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/digest.h"

namespace rehearse::trace {

inline constexpr std::array<char, 8> kFileMagic = {'R', 'H', 'T', 'R', 'A', 'C', 'E', '1'};
inline constexpr std::uint32_t kBlockMagic = 0x42544852;  // "RHTB"
/// No block holds more, stored or not: a reader can refuse what claims to.
inline constexpr std::size_t kMostRaw = std::size_t{4} << 20U;

enum class BlockKind : std::uint32_t { kRecords = 1, kEnd = 2, kCut = 3 };

struct FileHead {
  std::array<char, 8> magic = kFileMagic;
  std::uint32_t head_bytes = sizeof(FileHead);
  std::uint32_t events_version = 1;  ///< of bpf/events.h
  std::int64_t monotonic_ns = 0;     ///< the two clocks at one moment
  std::int64_t realtime_ns = 0;
};
static_assert(sizeof(FileHead) == 32);

struct BlockHead {
  std::uint32_t magic = kBlockMagic;
  BlockKind kind = BlockKind::kRecords;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;  ///< equal to stored_bytes: not compressed
  std::uint64_t first_record = 0;
  std::uint32_t records = 0;
  std::uint32_t threads = 0;  ///< bloom filter of thread ids: bit (tid * 2654435761) >> 27
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::array<std::uint64_t, 8> calls = {};  ///< bit n: system call n (of 0..511) occurs
  std::uint32_t kinds = 0;                  ///< bit n: a record of kind n occurs
  std::uint32_t reserved = 0;
  Sha256 previous = {};
  Sha256 digest = {};
};
static_assert(sizeof(BlockHead) == 184);

}  // namespace rehearse::trace
