// What threads share until one of them asks for its own: descriptors (CLONE_FILES), directories (CLONE_FS).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "trace/by_thread.h"

namespace rehearse::trace {

/// By thread, as the host numbers them. `State` is copied when a thread that got a copy changes it, not
/// before.
template <class State>
class SharedState {
 public:
  [[nodiscard]] const State* find(std::uint32_t tid) const {
    const std::shared_ptr<Holder>* found = holders_.find(tid);
    return found == nullptr || *found == nullptr ? nullptr : (*found)->state.get();
  }
  /// For changing it; `none` is what a thread begins with of which nothing is known.
  template <class None>
  State& change(std::uint32_t tid, const None& none) {
    std::shared_ptr<Holder>& holder = holders_[tid];
    if (!holder) holder = std::make_shared<Holder>(none());
    if (holder->state.use_count() > 1) holder->state = std::make_shared<State>(*holder->state);
    return *holder->state;
  }
  void fork(std::uint32_t maker, std::uint32_t child, bool shares) {
    const std::shared_ptr<Holder>* found = holders_.find(maker);
    if (found == nullptr) {
      holders_.erase(child);
      return;
    }
    const std::shared_ptr<Holder> holder = *found;
    holders_[child] = shares ? holder : std::make_shared<Holder>(holder->state);
  }
  /// From now on `tid` has its own.
  void unshare(std::uint32_t tid) { fork(tid, tid, false); }
  /// The thread has another number.
  void rename(std::uint32_t from, std::uint32_t to) {
    const std::shared_ptr<Holder>* found = holders_.find(from);
    if (found == nullptr || from == to) return;
    const std::shared_ptr<Holder> holder = *found;
    holders_.erase(from);
    holders_[to] = holder;
  }
  void erase(std::uint32_t tid) { holders_.erase(tid); }

 private:
  struct Holder {
    explicit Holder(std::shared_ptr<State> from) : state(std::move(from)) {}
    std::shared_ptr<State> state;
  };
  ByThread<std::shared_ptr<Holder>> holders_;
};

}  // namespace rehearse::trace
