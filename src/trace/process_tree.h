// Who ran, from whom, as what and how it ended: from the records of one run, in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/digest.h"
#include "trace/by_thread.h"
#include "trace/record.h"

namespace rehearse::trace {

/// One program that a process became: what the kernel executed, not what it was told.
struct Image {
  std::string path;    ///< of the executed file, as the sandbox sees it; "/memfd:NAME (deleted)" alike
  std::string asked;   ///< the name that it was executed by, of the kernel's own copy
  std::string script;  ///< the file that was asked for, if an interpreter was executed instead
  std::string
      argv;  ///< words, each ended by NUL, copied by the kernel's program before any of them could change
  bool argv_cut = false;  ///< part of it could not be read
  bool redacted = false;  ///< secrets in it were overwritten
  bool secure = false;    ///< setuid, setgid or file capabilities took effect
  struct rh_file file = {};
  std::optional<Sha256> sha256;  ///< if it was read while it was being executed
  std::uint64_t time_ns = 0;

  [[nodiscard]] std::vector<std::string> words() const { return words_of(argv, redacted); }
};

struct Process {
  std::uint32_t id = 0;      ///< stable within the run: 1 is the action, 0 what starts it
  std::uint32_t parent = 0;  ///< id
  std::uint32_t maker = 0;   ///< id of who forked it: its parent, but for CLONE_PARENT
  std::uint32_t pid = 0;     ///< on the host
  std::uint32_t inner_pid = 0;
  std::uint64_t start_ns = 0;  ///< CLOCK_MONOTONIC
  std::optional<std::uint64_t> end_ns;
  std::string comm;
  /// In order; none: it has executed nothing itself, and is what its maker was when it was made.
  std::vector<std::shared_ptr<Image>> images;
  std::shared_ptr<const Image> inherited;  ///< of its maker, at that moment
  struct rh_creds creds = {};              ///< the last that are known
  struct Uid {
    std::uint64_t time_ns = 0;
    std::uint32_t euid = 0;
  };
  std::vector<Uid> uids;       ///< effective ones, from the first that is known; of very many not all
  std::uint32_t threads = 1;   ///< in all
  std::uint64_t syscalls = 0;  ///< since it is the action's; a fork counts where it was called
  std::uint64_t failed = 0;
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
  std::uint64_t max_rss_bytes = 0;
  std::optional<int> exit;
  std::optional<int> signal;
};

class ProcessTree {
 public:
  /// Takes the next record, in the order of time.
  void add(const Record& record);

  /// By id. The first is the init of the run, which is rehearse's own.
  [[nodiscard]] const std::vector<Process>& processes() const { return processes_; }
  /// Whose thread `tid` is, if it is the action's own: from its first program on, since what sets the sandbox
  /// up is rehearse's.
  [[nodiscard]] const Process* of_action(std::uint32_t tid) const;
  /// Processes beyond the most that are kept; their threads count as their makers'.
  [[nodiscard]] std::uint64_t unlisted() const { return unlisted_; }
  /// Whose thread `tid` is at this moment.
  [[nodiscard]] const Process* of_thread(std::uint32_t tid) const;
  /// Its number in the pid namespace of the run; 0 if it is no thread of the run's at this moment.
  [[nodiscard]] std::uint32_t inner_tid(std::uint32_t tid) const;
  /// Whether a thread of the run has ever had number `inner` in its pid namespace.
  [[nodiscard]] bool was_inside(std::uint32_t inner) const { return inner_.contains(inner); }
  /// What `process` executes at this moment: its own last image, or what it was made with; null: none.
  [[nodiscard]] static const Image* image_of(const Process& process);

 private:
  Process* find(std::uint32_t tid);
  void fork(const struct rh_fork& fork);
  void exec(const Record& record, const struct rh_exec& exec);
  void image(const struct rh_image& image);
  void words(const struct rh_chunk& chunk);
  void death(const struct rh_death& death);

  struct Thread {
    std::uint32_t process = 0;  ///< id
    std::uint32_t inner_tid = 0;
  };

  std::vector<Process> processes_;
  std::uint64_t unlisted_ = 0;
  std::size_t argv_bytes_ = 0;  ///< kept of all argument lists
  ByThread<Thread> threads_;
  std::unordered_set<std::uint32_t> inner_;  ///< at most as many as there are pids
};

}  // namespace rehearse::trace
