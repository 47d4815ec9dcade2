#include "gate/pipe_pool.h"

#include <fcntl.h>

#include <utility>

namespace rehearse::gate {

std::unique_ptr<sys::Pipe> PipePool::take() {
  if (!free_.empty()) {
    auto pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  if (made_ >= most_) return nullptr;
  auto made = sys::pipe(O_CLOEXEC | O_NONBLOCK);
  if (!made) return nullptr;
  ::fcntl(made->write.get(), F_SETPIPE_SZ, kCapacity);
  ++made_;
  return std::make_unique<sys::Pipe>(std::move(*made));
}

void PipePool::give_back(std::unique_ptr<sys::Pipe> pipe) {
  free_.push_back(std::move(pipe));
}

void PipePool::lose(std::unique_ptr<sys::Pipe> pipe) {
  pipe.reset();
  --made_;
}

}  // namespace rehearse::gate
