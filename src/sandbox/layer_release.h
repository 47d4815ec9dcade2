// The end of a run's layers, on threads of its own.
//
// The kernel waits for a grace period for each overlay that ends, and for one after another if one process
// has them all (ovl_free_fs() in fs/overlayfs/super.c): PID 1 of the run would, with its mount namespace. So
// rehearse holds every overlay until that is gone, and lets them go on several threads, whose grace periods
// are the same ones.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace rehearse::sandbox {

class LayerRelease {
 public:
  /// `mounts`: what holds the layers. Nothing happens to them before `begin`.
  explicit LayerRelease(std::vector<UniqueFd> mounts) : mounts_(std::move(mounts)) {}
  LayerRelease(const LayerRelease&) = delete;
  LayerRelease& operator=(const LayerRelease&) = delete;
  /// Waits until all are gone.
  ~LayerRelease();

  /// `init_pidfd`: PID 1 of the run, which has been told to end or has ended; borrowed until destruction.
  void begin(int init_pidfd);

 private:
  void release(int init_pidfd);

  std::vector<UniqueFd> mounts_;
  std::atomic<std::size_t> next_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace rehearse::sandbox
