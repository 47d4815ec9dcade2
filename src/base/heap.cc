#include "base/heap.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace rehearse {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;
constexpr std::uintptr_t kPage = 4096;

}  // namespace

void prepare_heap() {
  // Giving one ends what malloc learns by itself: the others are what it would learn at most (mallopt(3)). A
  // lower threshold would make each large buffer anew, page by page.
  (void)::mallopt(M_TOP_PAD, static_cast<int>(kMiB));
  (void)::mallopt(M_TRIM_THRESHOLD, static_cast<int>(64 * kMiB));
  (void)::mallopt(M_MMAP_THRESHOLD, static_cast<int>(32 * kMiB));
}

void warm_heap(std::size_t bytes) {
  bytes = std::min(bytes, kMiB);
  void* const block = std::malloc(bytes);
  if (block == nullptr) return;
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(block) & ~(kPage - 1);
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(block) + bytes) & ~(kPage - 1);
  (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
  std::free(block);
}

}  // namespace rehearse
