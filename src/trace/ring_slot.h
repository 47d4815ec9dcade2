// What the kernel's programs and this process share of one run: the rings that those write and this reads,
// and the rules of the gate, which this writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/fd.h"
#include "base/result.h"
#include "bpf/events.h"
#include "trace/programs.h"

namespace rehearse::trace {

class RingSlot {
 public:
  /// A free slot, empty. Making one waits for a grace period (some 20 ms); the first is kept for the next
  /// run.
  static Result<RingSlot> claim(const Programs& programs);
  RingSlot(RingSlot&& other) noexcept;
  RingSlot(const RingSlot&) = delete;
  RingSlot& operator=(const RingSlot&) = delete;
  RingSlot& operator=(RingSlot&&) = delete;
  ~RingSlot();

  /// Events of the control group `cgroup` (its id) and everything below go to these rings; `bytes` of each
  /// are used, a power of two. Of packets, `packet_room` bytes are recorded.
  Result<void> begin(std::uint64_t cgroup, std::uint32_t bytes, std::uint64_t packet_room);
  /// No more of them.
  void end();
  /// RH_CLASS, from begin() on: with what the packet program is attached in this run's namespace.
  [[nodiscard]] std::uint16_t packet_class() const { return packet_class_; }

  [[nodiscard]] unsigned cpus() const { return cpus_; }
  [[nodiscard]] struct rh_ring& ring(unsigned cpu) const;
  /// Zero until somebody writes it; readable by the kernel at any moment.
  [[nodiscard]] struct rh_gate& gate() const { return *gate_memory_; }
  /// Readable when a ring is fuller than its mark.
  [[nodiscard]] int bell() const { return bell_.get(); }
  /// Takes what the bell has said.
  void hear_bell();

 private:
  RingSlot() = default;
  Result<void> fill(const Programs& programs);
  Result<void> map_memory(std::uint32_t ring_bytes);
  void forget_runs() const;
  void begin_packets(std::uint64_t room);
  void end_packets();

  std::uint32_t number_ = 0;
  UniqueFd lock_;
  UniqueFd rings_;
  UniqueFd bell_;
  UniqueFd gate_;
  int runs_ = -1;  // borrowed from the programs, which outlive it
  int outer_rings_ = -1;
  int outer_bells_ = -1;
  int outer_gates_ = -1;
  std::uint64_t cgroup_ = 0;
  std::uint16_t packet_class_ = 0;
  unsigned cpus_ = 0;
  std::size_t stride_ = 0;
  std::byte* memory_ = nullptr;
  std::byte* bell_memory_ = nullptr;
  struct rh_gate* gate_memory_ = nullptr;
};

}  // namespace rehearse::trace
