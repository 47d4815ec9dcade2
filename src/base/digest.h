// SHA-256.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rehearse {

using Sha256 = std::array<std::uint8_t, 32>;

/// Incremental SHA-256 (FIPS 180-4) over OpenSSL's low-level interface: no provider fetch and no
/// configuration file, which together cost more than a whole small rehearsal. Copyable; not thread safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  void update(std::string_view data);
  [[nodiscard]] Sha256 finish();

 private:
  SHA256_CTX context_;
};

Sha256 sha256(std::string_view data);

/// Digest of a file from its current offset to its end. Reads in bounded pieces; `bytes` (optional) gets the
/// count. `expected` is the size by fstat: it spares the read that finds the end, if it is true.
Result<Sha256> sha256_fd(int fd, std::uint64_t* bytes = nullptr, std::uint64_t expected = UINT64_MAX);

/// Digest of a file of `size` bytes that costs what is in it, not what it could hold: SHA-256 over the line
/// "rehearse.sparse/1", the size, and of each block of 4096 bytes that is not all zeros its number and its
/// bytes (numbers: 64 bits, little endian). The same however the zeros are stored.
Result<Sha256> sparse_sha256_fd(int fd, std::uint64_t size);

std::string hex(const Sha256& digest);

}  // namespace rehearse
