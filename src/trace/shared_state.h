// What threads share until one of them asks for its own: descriptors (CLONE_FILES), directories (CLONE_FS).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace rehearse::trace {

/// By thread, as the host numbers them. `State` is copied when a thread that got a copy changes it, not
/// before.
template <class State>
class SharedState {
 public:
  [[nodiscard]] const State* find(std::uint32_t tid) const {
    const auto found = holders_.find(tid);
    return found == holders_.end() ? nullptr : found->second->state.get();
  }
  /// For changing it; `none` is what a thread begins with of which nothing is known.
  template <class None>
  State& change(std::uint32_t tid, const None& none) {
    std::shared_ptr<Holder>& holder = holders_[tid];
    if (!holder) holder = std::make_shared<Holder>(Holder{none()});
    if (holder->state.use_count() > 1) holder->state = std::make_shared<State>(*holder->state);
    return *holder->state;
  }
  void fork(std::uint32_t maker, std::uint32_t child, bool shares) {
    const auto found = holders_.find(maker);
    if (found == holders_.end()) {
      holders_.erase(child);
      return;
    }
    const std::shared_ptr<Holder> holder = found->second;
    holders_[child] = shares ? holder : std::make_shared<Holder>(Holder{holder->state});
  }
  /// From now on `tid` has its own.
  void unshare(std::uint32_t tid) { fork(tid, tid, false); }
  /// The thread has another number.
  void rename(std::uint32_t from, std::uint32_t to) {
    const auto found = holders_.find(from);
    if (found == holders_.end() || from == to) return;
    const std::shared_ptr<Holder> holder = found->second;
    holders_.erase(found);
    holders_[to] = holder;
  }
  void erase(std::uint32_t tid) { holders_.erase(tid); }

 private:
  struct Holder {
    std::shared_ptr<State> state;
  };
  std::unordered_map<std::uint32_t, std::shared_ptr<Holder>> holders_;
};

}  // namespace rehearse::trace
