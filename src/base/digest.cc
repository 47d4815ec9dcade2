#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <unistd.h>

#include <cerrno>
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
  thread_local std::vector<char> buffer(std::size_t{128} * 1024);
  Sha256Hasher hasher;
  std::uint64_t total = 0;
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return sys::last_error("read");
    }
    if (n == 0) break;
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
    total += static_cast<std::uint64_t>(n);
    // A short read that ends where the file does: asking again would only return 0.
    if (static_cast<std::size_t>(n) < buffer.size() && total == expected) break;
  }
  if (bytes != nullptr) *bytes = total;
  return hasher.finish();
}

std::string hex(const Sha256& digest) {
  return hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace rehearse
