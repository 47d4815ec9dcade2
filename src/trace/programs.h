// The programs in the kernel (bpf/): what records, and the network gate's part there. Loaded once a boot
// where a BPF filesystem keeps them, else by every run for itself.
#pragma once

#include <functional>
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
  /// After attach(): the hooks on socket addresses of the run. `cgroup`: its directory; they stay with its
  /// parent, which is rehearse's own.
  Result<void> hook(int cgroup);
  /// False: it is not known to have worked.
  bool detach();

  /// How often a program was skipped because it was running already, over all of them since they were loaded.
  [[nodiscard]] Result<std::uint64_t> recursion_misses() const;

  [[nodiscard]] int rings() const { return rings_.get(); }
  [[nodiscard]] int bells() const { return bells_.get(); }
  [[nodiscard]] int gates() const { return gates_.get(); }
  [[nodiscard]] int runs() const { return runs_.get(); }
  /// Of traffic control: for the loopback device of a run's network namespace.
  [[nodiscard]] int packet_program() const { return packets_.get(); }
  /// Whether the kernel's hooks tell of local sockets (Linux 6.7); else it is the trace that does.
  [[nodiscard]] bool hears_local_sockets() const;
  /// After attach(): the kernel loads no module for a process of a run. False: it lets no program say so.
  [[nodiscard]] bool keeps_modules_out() const { return keeps_modules_out_; }
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
    unsigned type = 0;  ///< of a hook: enum bpf_attach_type
  };
  /// What not every kernel takes.
  struct Extras {
    bool unix_hooks = false;
    bool modules = false;
  };
  Programs() = default;
  [[nodiscard]] Result<void> take_maps(const std::function<UniqueFd(const char*)>& get);
  [[nodiscard]] Result<void> take_programs(const std::function<UniqueFd(const char*)>& get);
  Result<void> attach_tracepoints(const std::string& links);
  Result<void> attach_hooks(int cgroup);
  Result<UniqueFd> lock_out_others() const;
  Result<void> load_what_can_be();
  Result<void> load(Extras extras);
  void keep_modules_out(const std::string& pin);
  Result<void> pin();
  Result<bool> open_pinned();

  UniqueFd rings_;
  UniqueFd bells_;
  UniqueFd gates_;
  UniqueFd runs_;
  std::vector<Program> programs_;  ///< on tracepoints
  std::vector<Program> hooks_;     ///< on socket addresses
  UniqueFd packets_;
  Program modules_;  ///< refuses modules
  bool keeps_modules_out_ = false;
  UniqueFd directory_;  ///< of the pins
  UniqueFd users_;      ///< its lock says that a run is active
  std::uint32_t ring_bytes_ = 0;
  unsigned cpus_ = 0;
};

}  // namespace rehearse::trace
