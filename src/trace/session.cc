#include "trace/session.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/heap.h"
#include "base/no_signals.h"
#include "base/sys.h"
#include "trace/fleeting_images.h"
#include "trace/governor.h"
#include "trace/late_copies.h"
#include "trace/redactor.h"
#include "trace/store_writer.h"

namespace rehearse::trace {
namespace {

constexpr int kIntervalMs = 50;
constexpr std::size_t kHeapOfDrain = std::size_t{192} * 1024;  // what a small run takes
constexpr std::int64_t kLastPatienceNs = 2'000'000'000;

/// What was copied from one CPU's ring and is not yet in order with the others.
struct Pending {
  std::vector<char> bytes;
  std::size_t at = 0;
  std::uint64_t last_ns = 0;
  bool waiting = false;  ///< a record is reserved there and not yet written

  [[nodiscard]] const struct rh_head* front() const {
    return at < bytes.size() ? reinterpret_cast<const struct rh_head*>(bytes.data() + at) : nullptr;
  }
  [[nodiscard]] struct rh_head& front_to_change() {
    return *reinterpret_cast<struct rh_head*>(bytes.data() + at);
  }
  void pop() { at += front()->size; }
  /// Forgets what has been popped.
  void compact() {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    at = 0;
  }
};

class Recorder final : public Session {
 public:
  Recorder(Prepared prepared, StoreWriter store, SessionOptions options)
      : programs_(std::move(prepared.programs)),
        slot_(std::move(prepared.slot)),
        store_(std::move(store)),
        options_(std::move(options)),
        pending_(slot_.cpus()) {}

  ~Recorder() override { stop(); }

  Result<void> start(int cgroup) {
    struct stat st = {};
    if (::fstat(cgroup, &st) != 0) return sys::last_error("fstat", "the run's control group");
    RH_TRY(misses_before_, programs_.recursion_misses());
    wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.valid()) return sys::last_error("eventfd");
    const std::uint32_t most = programs_.ring_bytes();
    const std::uint32_t used = options_.buffer_bytes == 0 ? most : std::min(most, options_.buffer_bytes);
    RH_CHECK(slot_.begin(st.st_ino, used, options_.packet_bytes));
    RH_TRY(governor_, Governor::start(slot_, cgroup, [this] { (void)::eventfd_write(wake_.get(), 1); }));
    RH_CHECK(programs_.hook(cgroup));
    const NoSignals quiet;
    thread_ = std::thread([this] { drain(); });
    return {};
  }

  struct rh_gate& gate() override {
    return slot_.gate();
  }
  [[nodiscard]] int packet_program() const override { return programs_.packet_program(); }
  [[nodiscard]] std::uint16_t packet_class() const override { return slot_.packet_class(); }
  [[nodiscard]] bool hears_local_sockets() const override { return programs_.hears_local_sockets(); }
  [[nodiscard]] bool keeps_modules_out() const override { return programs_.keeps_modules_out(); }

  Completeness finish() override {
    slot_.end();
    stop();
    keep_result(store_.flush_if_old(UINT64_MAX));  // what is not kept is counted below
    Completeness result = prove();
    const std::string summary = nlohmann::json{
        {"records", result.records},
        {"syscalls", result.syscalls},
        {"lost", result.lost},
        {"cut", result.cut},
        {"freezes", result.freezes},
        {"frozen_ns", result.frozen_ns},
        {"brakes", result.brakes},
        {"braked_ns", result.braked_ns},
        {"packets", result.packets},
        {"packets_left_out", result.packets_left_out},
        {"bytes_left_out", result.bytes_left_out},
        {"trouble", result.trouble}}.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (auto done = store_.finish(summary); !done) result.trouble.push_back(done.error().what);
    result.stored_bytes = store_.stored_bytes();
    result.root = hex(store_.root());
    // Whoever has the rings next need not clear what was read to its end.
    for (unsigned cpu = 0; all_read() && cpu < slot_.cpus(); ++cpu) slot_.ring(cpu).used = 0;
    return result;
  }

  bool release() override { return programs_.detach(); }

 private:
  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    (void)::eventfd_write(wake_.get(), 1);
    thread_.join();
    governor_->emptied(UINT64_MAX);
    freezes_ = governor_->freezes();
    frozen_ns_ = governor_->frozen_ns();
    real_time_ = governor_->real_time();
    gave_up_ = governor_->gave_up();
    governor_.reset();
  }

  void drain() {
    ::pthread_setname_np(::pthread_self(), "trace-drain");
    warm_heap(kHeapOfDrain);
    while (!stopping_) {
      struct pollfd poll_wake = {wake_.get(), POLLIN, 0};
      if (::poll(&poll_wake, 1, kIntervalMs) > 0) {
        eventfd_t count = 0;
        (void)::eventfd_read(wake_.get(), &count);
      }
      pass(false);
      governor_->watch();
    }
    const std::int64_t until = monotonic_ns() + kLastPatienceNs;
    do {
      pass(true);
    } while (!all_read() && monotonic_ns() < until && (::usleep(1000), true));
  }

  [[nodiscard]] bool all_read() const {
    for (unsigned cpu = 0; cpu < slot_.cpus(); ++cpu) {
      const struct rh_ring& ring = slot_.ring(cpu);
      if (__atomic_load_n(&ring.head, __ATOMIC_ACQUIRE) != ring.tail) return false;
    }
    return true;
  }

  /// Takes what is there, and keeps in order what can have no predecessor any more.
  void pass(bool last) {
    // A record that is not seen below is stamped after this moment, or is waited for.
    const std::uint64_t asked = governor_->asked();
    auto cutoff = static_cast<std::uint64_t>(monotonic_ns());
    for (unsigned cpu = 0; cpu < slot_.cpus(); ++cpu) {
      take(slot_.ring(cpu), pending_[cpu]);
      if (pending_[cpu].waiting) cutoff = std::min(cutoff, pending_[cpu].last_ns);
    }
    governor_->emptied(asked);
    if (last) cutoff = UINT64_MAX;
    while (true) {
      Pending* first = nullptr;
      for (Pending& pending : pending_) {
        const auto* head = pending.front();
        if (head != nullptr && (first == nullptr || head->time_ns < first->front()->time_ns))
          first = &pending;
      }
      if (first == nullptr || first->front()->time_ns > cutoff) break;
      keep(first->front_to_change());
      first->pop();
    }
    keep_result(store_.flush_if_old(static_cast<std::uint64_t>(monotonic_ns())));
  }

  void take(struct rh_ring& ring, Pending& pending) {
    pending.compact();
    std::uint64_t tail = ring.tail;
    const std::uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_ACQUIRE);
    pending.waiting = false;
    std::uint64_t begin = tail;  // of those that lie in a row and are not copied yet
    const auto copy = [&] {
      char* from = reinterpret_cast<char*>(ring.data + (begin & ring.mask));
      pending.bytes.insert(pending.bytes.end(), from, from + (tail - begin));
      std::memset(from, 0, tail - begin);
      begin = tail;
    };
    while (tail != head) {
      if (((tail ^ begin) & ~ring.mask) != 0) copy();  // the ring begins again
      auto* record = reinterpret_cast<struct rh_head*>(ring.data + (tail & ring.mask));
      const std::uint32_t size = __atomic_load_n(&record->size, __ATOMIC_ACQUIRE);
      if (size == 0) {
        pending.waiting = true;
        break;
      }
      if (size < sizeof *record || size > RH_RECORD_MAX || size % 8 != 0 || size > head - tail) {
        malformed_ = true;  // nothing can be made of what follows
        copy();
        begin = tail = head;
        break;
      }
      pending.last_ns = record->time_ns;
      tail += size;
    }
    copy();
    read_bytes_ += tail - ring.tail;
    __atomic_store_n(&ring.tail, tail, __ATOMIC_RELEASE);
    __atomic_store_n(&ring.rung, 0, __ATOMIC_RELEASE);
  }

  void keep(struct rh_head& head) {
    ++records_;
    redactor_.redact(head);
    name_sender(head);
    if (head.kind == RH_EXIT) ++exits_;
    if (const auto* late = late_.before(Record(head))) {
      redactor_.redact(const_cast<struct rh_head&>(*late));  // in memory of late_'s own
      pass_on(*late);
    }
    pass_on(head);
    if (const auto* image = images_.after(Record(head))) pass_on(*image);
  }

  /// Only we know who we are.
  void name_sender(struct rh_head& head) const {
    if (head.kind != RH_SIGNAL || head.size < sizeof(struct rh_signal) || head.nr != self_) return;
    auto& signal = reinterpret_cast<struct rh_signal&>(head);
    if (signal.sender == RH_BY_OUTSIDER) signal.sender = RH_BY_REHEARSE;
  }

  void pass_on(const struct rh_head& head) {
    if (options_.observe) options_.observe(Record(head));
    keep_result(store_.add(head));
  }

  void keep_result(const Result<void>& done) {
    if (!done && store_error_.empty()) store_error_ = done.error().what;
  }

  Completeness prove() {
    Completeness result;
    result.records = records_;
    result.exits = exits_;
    result.ring_bytes_read = read_bytes_;
    for (unsigned cpu = 0; cpu < slot_.cpus(); ++cpu) {
      const struct rh_ring& ring = slot_.ring(cpu);
      result.written += ring.records;
      result.syscalls += ring.syscalls;
      result.ring_bytes += ring.head;
      result.lost += ring.lost;
      result.brakes += ring.brakes;
      result.braked_ns += static_cast<std::int64_t>(ring.braked_ns);
    }
    result.cut = store_.cut();
    const struct rh_gate& gate = slot_.gate();
    result.packets = gate.packets;
    result.packets_left_out = gate.packets_left_out;
    result.bytes_left_out = gate.bytes_left_out;
    result.freezes = freezes_;
    result.frozen_ns = frozen_ns_;
    result.real_time = real_time_;
    const auto trouble = [&](bool wrong, std::string line) {
      if (wrong) result.trouble.push_back(std::move(line));
    };
    trouble(result.lost != 0, std::to_string(result.lost) + " records were lost: the rings were full");
    trouble(result.records != result.written, std::to_string(result.written) + " records were written and " +
                                                  std::to_string(result.records) + " read");
    trouble(result.exits != result.syscalls, std::to_string(result.syscalls) +
                                                 " system calls were counted and " +
                                                 std::to_string(result.exits) + " recorded");
    trouble(result.ring_bytes != result.ring_bytes_read, "the rings hold more than was read");
    trouble(result.exits == 0, "nothing was recorded");
    trouble(malformed_, "a ring held something that is no record");
    trouble(gave_up_, "the records could not be read in time, and the run was killed");
    trouble(result.cut != 0, std::to_string(result.cut) + " records were not kept: " + store_error_);
    if (const auto misses = programs_.recursion_misses()) {
      result.recursion_misses = *misses - misses_before_;
      trouble(result.recursion_misses != 0,
              std::to_string(result.recursion_misses) + " times a recording program was not run");
    } else {
      trouble(true, misses.error().what);
    }
    return result;
  }

  Programs programs_;
  RingSlot slot_;
  StoreWriter store_;
  SessionOptions options_;
  Redactor redactor_;
  LateCopies late_;
  FleetingImages images_;
  std::vector<Pending> pending_;
  const std::uint32_t self_ = static_cast<std::uint32_t>(::getpid());
  UniqueFd wake_;
  std::unique_ptr<Governor> governor_;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  std::uint64_t records_ = 0;
  std::uint64_t exits_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t misses_before_ = 0;
  std::uint64_t freezes_ = 0;
  std::int64_t frozen_ns_ = 0;
  bool real_time_ = false;
  bool gave_up_ = false;
  bool malformed_ = false;
  std::string store_error_;
};

}  // namespace

Result<std::unique_ptr<Session>> Session::begin(int cgroup, UniqueFd store, SessionOptions options,
                                                Prepared prepared) {
  RH_TRY(auto writer, StoreWriter::create(std::move(store), options.store_limit));
  auto made = std::make_unique<Recorder>(std::move(prepared), std::move(writer), std::move(options));
  RH_CHECK(made->start(cgroup));
  return made;
}

}  // namespace rehearse::trace
