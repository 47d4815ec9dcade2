// Something by thread. Events of few threads come in rows: what was asked for last is found at once.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>

namespace rehearse::trace {

/// By the number of a thread on the host. Not for several threads of ours at once, reading neither.
template <class State>
class ByThread {
 public:
  ByThread() = default;
  ~ByThread() = default;
  ByThread(const ByThread& other) : all_(other.all_) {}
  ByThread(ByThread&& other) noexcept : all_(std::move(other.all_)) { other.recent_ = {}; }
  ByThread& operator=(ByThread other) noexcept {
    all_.swap(other.all_);
    recent_ = {};
    return *this;
  }

  /// nullptr: none; valid until the thread is erased.
  [[nodiscard]] State* find(std::uint32_t tid) { return found(tid); }
  [[nodiscard]] const State* find(std::uint32_t tid) const { return found(tid); }
  /// Makes an empty one if there is none.
  State& operator[](std::uint32_t tid) {
    if (State* known = found(tid)) return *known;
    return *(recent(tid).state = &all_[tid]);
  }
  void erase(std::uint32_t tid) {
    all_.erase(tid);
    if (recent(tid).tid == tid) recent(tid).state = nullptr;
  }

 private:
  struct Recent {
    std::uint32_t tid = 0;  ///< 0: nobody has asked yet
    State* state = nullptr;
  };

  Recent& recent(std::uint32_t tid) const { return recent_[tid % recent_.size()]; }
  /// Remembers that there is none, too.
  State* found(std::uint32_t tid) const {
    Recent& last = recent(tid);
    if (last.tid == tid && tid != 0) return last.state;
    const auto at = all_.find(tid);
    last = {tid, at == all_.end() ? nullptr : &at->second};
    return last.state;
  }

  mutable std::unordered_map<std::uint32_t, State> all_;  ///< whose elements stay where they are
  mutable std::array<Recent, 8> recent_ = {};
};

}  // namespace rehearse::trace
