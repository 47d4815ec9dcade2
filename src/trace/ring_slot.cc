#include "trace/ring_slot.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/sys.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kBellBytes = 4096;
constexpr int kPatienceMs = 1000;

/// The map in place `slot` of `outer`, if there is one.
UniqueFd inner_map(int outer, std::uint32_t slot) {
  std::uint32_t id = 0;
  if (::bpf_map_lookup_elem(outer, &slot, &id) != 0) return UniqueFd();
  return UniqueFd(::bpf_map_get_fd_by_id(id));
}

}  // namespace

RingSlot::RingSlot(RingSlot&& other) noexcept
    : number_(other.number_),
      lock_(std::move(other.lock_)),
      rings_(std::move(other.rings_)),
      bell_(std::move(other.bell_)),
      gate_(std::move(other.gate_)),
      runs_(other.runs_),
      outer_rings_(other.outer_rings_),
      outer_bells_(other.outer_bells_),
      outer_gates_(other.outer_gates_),
      cgroup_(std::exchange(other.cgroup_, 0)),
      packet_class_(other.packet_class_),
      cpus_(other.cpus_),
      stride_(other.stride_),
      memory_(std::exchange(other.memory_, nullptr)),
      bell_memory_(std::exchange(other.bell_memory_, nullptr)),
      gate_memory_(std::exchange(other.gate_memory_, nullptr)) {}

RingSlot::~RingSlot() {
  end();
  if (memory_ != nullptr) ::munmap(memory_, stride_ * cpus_);
  if (bell_memory_ != nullptr) ::munmap(bell_memory_, kPage);
  if (gate_memory_ != nullptr) ::munmap(gate_memory_, sizeof *gate_memory_);
  if (lock_.valid() && number_ != 0) {
    // Only the first is worth its memory while nothing runs.
    (void)::bpf_map_delete_elem(outer_rings_, &number_);
    (void)::bpf_map_delete_elem(outer_bells_, &number_);
    (void)::bpf_map_delete_elem(outer_gates_, &number_);
  }
}

Result<RingSlot> RingSlot::claim(const Programs& programs) {
  RingSlot slot;
  slot.cpus_ = programs.cpus();
  slot.runs_ = programs.runs();
  slot.outer_rings_ = programs.rings();
  slot.outer_bells_ = programs.bells();
  slot.outer_gates_ = programs.gates();
  if (!programs.shared()) {
    RH_CHECK(slot.fill(programs));
    return slot;
  }
  for (std::uint32_t i = 0; i < RH_SLOTS; ++i) {
    const std::string name = "slots/" + std::to_string(i);
    if (auto made = sys::mkdir_at(programs.directory(), name.c_str(), 0700);
        !made && made.error().err != EEXIST)
      return tl::make_unexpected(made.error());
    RH_TRY(auto lock, sys::open_beneath(programs.directory(), name.c_str(), O_RDONLY | O_DIRECTORY));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    slot.number_ = i;
    slot.lock_ = std::move(lock);
    RH_CHECK(slot.fill(programs));
    return slot;
  }
  return fail("more than " + std::to_string(RH_SLOTS) + " rehearsals at once cannot be recorded",
              ExitCode::kTryLater, "try again when one has ended");
}

Result<void> RingSlot::fill(const Programs& programs) {
  rings_ = inner_map(outer_rings_, number_);
  bell_ = inner_map(outer_bells_, number_);
  gate_ = inner_map(outer_gates_, number_);
  if (!rings_.valid() || !bell_.valid() || !gate_.valid()) {
    struct bpf_map_create_opts options = {};
    options.sz = sizeof options;
    options.map_flags = BPF_F_MMAPABLE;
    const auto value =
        static_cast<std::uint32_t>(offsetof(struct rh_ring, data)) + programs.ring_bytes() + RH_RING_SLACK;
    rings_.reset(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "rehearse_ring", 4, value, cpus_, &options));
    bell_.reset(::bpf_map_create(BPF_MAP_TYPE_RINGBUF, "rehearse_bell", 0, 0, kBellBytes, nullptr));
    gate_.reset(
        ::bpf_map_create(BPF_MAP_TYPE_ARRAY, "rehearse_gate", 4, sizeof(struct rh_gate), 1, &options));
    const int rings = rings_.get();
    const int bell = bell_.get();
    const int gate = gate_.get();
    if (!rings_.valid() || !bell_.valid() || !gate_.valid() ||
        ::bpf_map_update_elem(outer_rings_, &number_, &rings, 0) != 0 ||
        ::bpf_map_update_elem(outer_bells_, &number_, &bell, 0) != 0 ||
        ::bpf_map_update_elem(outer_gates_, &number_, &gate, 0) != 0)
      return fail_errno(errno, "the rings of the trace cannot be made", ExitCode::kUnavailable,
                        "they need some 64 MiB of memory");
  }
  return map_memory(programs.ring_bytes());
}

Result<void> RingSlot::map_memory(std::uint32_t ring_bytes) {
  stride_ = offsetof(struct rh_ring, data) + ring_bytes + RH_RING_SLACK;
  void* memory = ::mmap(nullptr, stride_ * cpus_, PROT_READ | PROT_WRITE, MAP_SHARED, rings_.get(), 0);
  if (memory == MAP_FAILED) return sys::last_error("mmap", "the rings of the trace");
  memory_ = static_cast<std::byte*>(memory);
  // No other process has any business with them: the gate's worker, which parses what the action sends, is a
  // fork.
  if (::madvise(memory, stride_ * cpus_, MADV_DONTFORK) != 0) return sys::last_error("madvise");
  void* bell = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, bell_.get(), 0);
  if (bell == MAP_FAILED) return sys::last_error("mmap", "the bell of the trace");
  bell_memory_ = static_cast<std::byte*>(bell);
  if (::madvise(bell, kPage, MADV_DONTFORK) != 0) return sys::last_error("madvise");
  void* gate = ::mmap(nullptr, sizeof(struct rh_gate), PROT_READ | PROT_WRITE, MAP_SHARED, gate_.get(), 0);
  if (gate == MAP_FAILED) return sys::last_error("mmap", "the rules of the gate");
  gate_memory_ = static_cast<struct rh_gate*>(gate);
  if (gate_memory_->on != 0 || gate_memory_->count != 0) *gate_memory_ = {};
  forget_runs();
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
    struct rh_ring& one = ring(cpu);
    // Left behind by a run that was killed: nothing of it may look like a record.
    if (one.used != 0) std::memset(one.data, 0, ring_bytes + RH_RING_SLACK);
    one.head = one.tail = one.lost = one.records = one.syscalls = one.rung = 0;
    one.brakes = one.braked_ns = one.given_up_at = 0;
  }
  hear_bell();
  return {};
}

void RingSlot::forget_runs() const {
  std::uint64_t key = 0;
  const std::uint64_t* previous = nullptr;
  std::uint64_t next = 0;
  while (::bpf_map_get_next_key(runs_, previous, &next) == 0) {
    std::uint32_t slot = 0;
    if (::bpf_map_lookup_elem(runs_, &next, &slot) == 0 && slot == number_) {
      (void)::bpf_map_delete_elem(runs_, &next);
      previous = nullptr;  // from the start: the place of a removed key is not known
      continue;
    }
    key = next;
    previous = &key;
  }
}

struct rh_ring& RingSlot::ring(unsigned cpu) const {
  return *reinterpret_cast<struct rh_ring*>(memory_ + stride_ * cpu);
}

void RingSlot::hear_bell() {
  // Its memory is the consumer's position, then (read-only) the producer's and the data: what lies there
  // does not matter, only that it was rung. The consumer goes where the producer is.
  void* second = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, bell_.get(), kPage);
  if (second == MAP_FAILED) return;
  const auto* producer = static_cast<const std::atomic<std::uint64_t>*>(second);
  reinterpret_cast<std::atomic<std::uint64_t>*>(bell_memory_)->store(producer->load());
  ::munmap(second, kPage);
}

void RingSlot::begin_packets(std::uint64_t room) {
  // Another one than that of the run before, wherever the count begins.
  const auto generation = static_cast<std::uint32_t>(monotonic_ns() / 1'000'000 % 255 + 1);
  packet_class_ = static_cast<std::uint16_t>(RH_CLASS(generation, number_));
  gate_memory_->packet_room = static_cast<std::int64_t>(std::min<std::uint64_t>(room, INT64_MAX));
  gate_memory_->packets = gate_memory_->packets_left_out = gate_memory_->bytes_left_out = 0;
  gate_memory_->recording = 0;
  __atomic_store_n(&gate_memory_->generation, generation, __ATOMIC_RELEASE);
}

void RingSlot::end_packets() {
  __atomic_store_n(&gate_memory_->generation, 0, __ATOMIC_SEQ_CST);
  // A program is not interrupted for longer than its CPU is.
  for (int i = 0; i < kPatienceMs && __atomic_load_n(&gate_memory_->recording, __ATOMIC_SEQ_CST) != 0; ++i)
    ::usleep(1000);
}

Result<void> RingSlot::begin(std::uint64_t cgroup, std::uint32_t bytes, std::uint64_t packet_room) {
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
    struct rh_ring& one = ring(cpu);
    one.mask = bytes - 1;
    // A small ring leaves less time for the governor: it is called earlier.
    one.mark = bytes < (1U << 20U) ? bytes / 4 : bytes / 2;
    one.used = 1;
  }
  if (::bpf_map_update_elem(runs_, &cgroup, &number_, 0) != 0)
    return sys::last_error("bpf", "entering the run");
  cgroup_ = cgroup;
  begin_packets(packet_room);
  return {};
}

void RingSlot::end() {
  if (cgroup_ == 0) return;
  (void)::bpf_map_delete_elem(runs_, &cgroup_);
  cgroup_ = 0;
  end_packets();
}

}  // namespace rehearse::trace
