#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/escape.h"
#include "base/sys.h"

namespace rehearse {

Sha256Hasher::Sha256Hasher() : context_() {
  SHA256_Init(&context_);
}
void Sha256Hasher::update(std::string_view data) {
  SHA256_Update(&context_, data.data(), data.size());
}
Sha256 Sha256Hasher::finish() {
  Sha256 digest = {};
  SHA256_Final(digest.data(), &context_);
  return digest;
}

Sha256 sha256(std::string_view data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

Result<Sha256> sha256_fd(int fd, std::uint64_t* bytes, std::uint64_t expected) {
  // Not zeroed: of a small file most of it is never touched.
  constexpr std::size_t kBytes = std::size_t{128} * 1024;
  thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(kBytes);
  Sha256Hasher hasher;
  std::uint64_t total = 0;
  while (true) {
    const ssize_t n = ::read(fd, buffer.get(), kBytes);
    if (n < 0) {
      if (errno == EINTR) continue;
      return sys::last_error("read");
    }
    if (n == 0) break;
    hasher.update({buffer.get(), static_cast<std::size_t>(n)});
    total += static_cast<std::uint64_t>(n);
    // A short read that ends where the file does: asking again would only return 0.
    if (static_cast<std::size_t>(n) < kBytes && total == expected) break;
  }
  if (bytes != nullptr) *bytes = total;
  return hasher.finish();
}

namespace {

constexpr std::uint64_t kBlock = 4096;

void update_number(Sha256Hasher& hasher, std::uint64_t number) {
  std::array<char, 8> bytes = {};
  for (char& byte : bytes) {
    byte = static_cast<char>(number & 0xffU);
    number >>= 8U;
  }
  hasher.update({bytes.data(), bytes.size()});
}

/// From the first block on; `end` is a block's end, or the file's.
Result<void> update_blocks(Sha256Hasher& hasher, int fd, std::uint64_t begin, std::uint64_t end) {
  thread_local std::vector<char> buffer(std::size_t{32} * kBlock);
  static constexpr std::array<char, kBlock> kZeros = {};
  for (std::uint64_t at = begin; at < end;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - at));
    std::size_t got = 0;
    while (got < wanted) {
      const ssize_t n = ::pread(fd, buffer.data() + got, wanted - got, static_cast<off_t>(at + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return sys::last_error("read");
      if (n == 0) return fail("became shorter while it was read");
      got += static_cast<std::size_t>(n);
    }
    for (std::size_t in = 0; in < got; in += kBlock) {
      const std::string_view block(buffer.data() + in, std::min<std::size_t>(kBlock, got - in));
      if (std::memcmp(block.data(), kZeros.data(), block.size()) == 0) continue;
      update_number(hasher, (at + in) / kBlock);
      hasher.update(block);
    }
    at += got;
  }
  return {};
}

}  // namespace

Result<Sha256> sparse_sha256_fd(int fd, std::uint64_t size) {
  Sha256Hasher hasher;
  hasher.update("rehearse.sparse/1\n");
  update_number(hasher, size);
  for (std::uint64_t at = 0; at < size;) {
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole to the end
    if (data < 0) return sys::last_error("lseek");
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return sys::last_error("lseek");
    // Blocks of the filesystem may be smaller: what has been looked at is not looked at again.
    const std::uint64_t begin = std::max(at, static_cast<std::uint64_t>(data) / kBlock * kBlock);
    const std::uint64_t blocks = (static_cast<std::uint64_t>(hole) + kBlock - 1) / kBlock;
    const std::uint64_t end = std::min(blocks * kBlock, size);
    RH_CHECK(update_blocks(hasher, fd, begin, end));
    at = std::max(end, at + 1);
  }
  return hasher.finish();
}

std::string hex(const Sha256& digest) {
  return hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace rehearse
