// Records one run: drains its rings into the store, and freezes the run rather than lose a record.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "trace/preparation.h"
#include "trace/record.h"

namespace rehearse::trace {

struct SessionOptions {
  std::uint32_t buffer_bytes = 0;  ///< of each CPU's ring; 0: as large as they are made
  std::uint64_t store_limit = std::uint64_t{4} << 30U;
  std::uint64_t packet_bytes = 0;              ///< of packets to and from the gate that are recorded
  std::function<void(const Record&)> observe;  ///< called for each record in order, from the draining thread
};

/// What was recorded, and the proof that it is all. Each of the three counts is kept by somebody else.
struct Completeness {
  std::uint64_t records = 0;     ///< read from the rings
  std::uint64_t written = 0;     ///< by the kernel's programs
  std::uint64_t syscalls = 0;    ///< returns counted in the kernel before anything was written
  std::uint64_t exits = 0;       ///< records of returns, read
  std::uint64_t ring_bytes = 0;  ///< that the rings' heads say were written
  std::uint64_t ring_bytes_read = 0;
  std::uint64_t lost = 0;  ///< no room in the ring
  std::uint64_t recursion_misses = 0;
  std::uint64_t cut = 0;  ///< read, but not kept
  std::uint64_t stored_bytes = 0;
  std::uint64_t packets = 0;           ///< recorded
  std::uint64_t packets_left_out = 0;  ///< for want of room: no loss, since packets are an extra
  std::uint64_t bytes_left_out = 0;    ///< of those, and of recorded ones what was not kept
  std::uint64_t freezes = 0;
  std::int64_t frozen_ns = 0;
  std::uint64_t brakes = 0;  ///< calls held up in the kernel until there was room, in place of a loss
  std::int64_t braked_ns = 0;
  bool real_time = false;            ///< the governor runs with real-time priority
  std::string root;                  ///< hex digest that stands for the whole file
  std::vector<std::string> trouble;  ///< a line each: why the trace is not complete. Empty: it is

  [[nodiscard]] bool complete() const { return trouble.empty(); }
};

class Session {
 public:
  virtual ~Session() = default;

  /// Begins to record what happens in `cgroup` (a directory of the cgroup2 hierarchy; borrowed until the end)
  /// and below, into `store`. Nothing may be in it yet.
  static Result<std::unique_ptr<Session>> begin(int cgroup, UniqueFd store, SessionOptions options,
                                                Prepared prepared);

  /// The rules of the run's gate, shared with the kernel and zero until written: sockets are recorded and
  /// judged once `on` is set.
  virtual struct rh_gate& gate() = 0;
  /// For the run's loopback device; borrowed.
  [[nodiscard]] virtual int packet_program() const = 0;
  /// Whether the kernel's hooks tell of local sockets; else only the calls that name them do.
  [[nodiscard]] virtual bool hears_local_sockets() const = 0;
  /// Whether the kernel loads no module for the run's processes; else it may.
  [[nodiscard]] virtual bool keeps_modules_out() const = 0;
  /// RH_CLASS, with which it is to be attached there.
  [[nodiscard]] virtual std::uint16_t packet_class() const = 0;

  /// The control group is empty: reads the rest, ends the file. Once.
  virtual Completeness finish() = 0;
  /// After finish(), on any thread: this run has no more use for the programs. False: it is not known to have
  /// worked.
  virtual bool release() = 0;
};

}  // namespace rehearse::trace
