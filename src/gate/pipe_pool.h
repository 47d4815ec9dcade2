// Pipes that carry bytes from socket to socket without bringing them into this process (splice(2)).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/sys.h"

namespace rehearse::gate {

/// Pipes are taken while there is something in them, and given back empty: as many are needed as connections
/// are blocked. Not thread safe; outlives what was taken.
class PipePool {
 public:
  static constexpr std::size_t kMostPipes = 256;
  /// Asked for; a host may give less to processes without privileges (pipe-user-pages-soft, proc(5)).
  static constexpr int kCapacity = 256 << 10;
  /// Worth asking for at once: what is counted are pieces, and those of a socket are larger than a page.
  static constexpr std::size_t kMostAtOnce = std::size_t{1} << 20U;

  /// No more than this, where descriptors are few.
  void limit(std::size_t pipes) { most_ = pipes; }
  /// An empty pipe that does not block; null if there are too many.
  std::unique_ptr<sys::Pipe> take();
  void give_back(std::unique_ptr<sys::Pipe> pipe);
  /// One with something in it that nobody wants any more.
  void lose(std::unique_ptr<sys::Pipe> pipe);

 private:
  std::vector<std::unique_ptr<sys::Pipe>> free_;
  std::size_t made_ = 0;
  std::size_t most_ = kMostPipes;
};

}  // namespace rehearse::gate
