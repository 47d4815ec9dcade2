// The recording programs in the kernel (bpf/capture.bpf.c): loaded once a boot where a BPF filesystem keeps
// them, else by every run for itself.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::trace {

inline constexpr const char* kBpfFilesystem = "/sys/fs/bpf";

class Programs {
 public:
  /// Takes the programs that another run has left, or loads them: some 15 ms, once. Needs CAP_BPF and
  /// CAP_PERFMON; fails with kUnavailable where the kernel or its lockdown refuses.
  static Result<Programs> open();
  Programs(Programs&&) = default;
  Programs& operator=(Programs&&) = default;
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  ~Programs() { (void)detach(); }

  /// From now on events are recorded, for all runs: the first run attaches, the last one detaches. Where the
  /// programs are not shared, each run attaches its own.
  Result<void> attach();
  /// False: it is not known to have worked.
  bool detach();

  /// How often a program was skipped because it was running already, over all of them since they were loaded.
  [[nodiscard]] Result<std::uint64_t> recursion_misses() const;

  [[nodiscard]] int rings() const { return rings_.get(); }
  [[nodiscard]] int bells() const { return bells_.get(); }
  [[nodiscard]] int runs() const { return runs_.get(); }
  [[nodiscard]] std::uint32_t ring_bytes() const { return ring_bytes_; }
  [[nodiscard]] unsigned cpus() const { return cpus_; }
  [[nodiscard]] bool shared() const { return directory_.valid(); }
  /// Of the pins, if they are shared.
  [[nodiscard]] int directory() const { return directory_.get(); }

  /// For `rehearse gc`: detaches what killed runs left attached; with `all`, removes the pins too. Nothing
  /// happens while a run is active.
  static Result<void> collect(bool all);

 private:
  struct Program {
    std::string name;
    UniqueFd fd;
    UniqueFd link;
  };
  Programs() = default;
  Result<void> load();
  Result<void> pin();
  Result<bool> open_pinned();

  UniqueFd rings_;
  UniqueFd bells_;
  UniqueFd runs_;
  std::vector<Program> programs_;
  UniqueFd directory_;  ///< of the pins
  UniqueFd users_;      ///< its lock says that a run is active
  std::uint32_t ring_bytes_ = 0;
  unsigned cpus_ = 0;
};

}  // namespace rehearse::trace
