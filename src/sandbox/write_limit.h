// Keeps what a run writes within its limit, and the state filesystem from filling up.
//
// Where the filesystem has project quotas (ext4 with -O project,quota and prjquota; xfs with pquota) the
// kernel enforces the limit: the action gets EDQUOT. Elsewhere free space is sampled while the action runs;
// at the limit it is frozen and killed. The sampled limit is soft: what is written between two samples is not
// held back, but a floor of free space (5 %, at most 1 GiB) is kept the same way, and a few MiB for the
// report are taken beforehand. One call of fallocate(2) takes any size at once: what is more than there is
// room is refused (seccomp.h), and what went past the floor all the same is given back.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/given_back.h"

namespace rehearse::sandbox {

class WriteLimit {
 public:
  /// `uppers` is the bundle's directory of uppers (they exist, empty). Fails with kCantCreate when the
  /// filesystem is already below its floor.
  static Result<WriteLimit> create(int uppers, std::optional<std::uint64_t> limit);
  WriteLimit(WriteLimit&&) = default;
  WriteLimit& operator=(WriteLimit&&) = default;
  WriteLimit(const WriteLimit&) = delete;
  WriteLimit& operator=(const WriteLimit&) = delete;
  ~WriteLimit();

  /// When the layers stand and the action has not started: what lies there is not written by it.
  void begin();

  enum class State { kFine, kOverLimit, kBelowFloor };
  /// Of the run, now.
  using Processes = std::function<std::vector<pid_t>()>;
  /// Cheap (one statfs) unless the limit may be reached, then what was written is measured.
  [[nodiscard]] State check(const Processes& processes);
  /// After the run: the filesystem or the quota was full at some check, so the action saw ENOSPC or EDQUOT.
  [[nodiscard]] bool was_full() const { return was_full_; }
  /// What the action may take in all, the reserve left aside.
  [[nodiscard]] std::uint64_t room() const;
  /// When nothing of the run lives any more. Where it has taken the reserve, its largest files lose their
  /// content until half the room is free again: what is left could not be judged anyway, and the host, and
  /// the next run, need the space.
  [[nodiscard]] std::vector<GivenBack> give_back() const;
  /// For the report: how the limit is enforced.
  [[nodiscard]] std::string note() const;

 private:
  WriteLimit() = default;
  bool set_quota(int uppers, std::uint64_t limit);
  void lay_ballast();
  void observe_fullness();
  [[nodiscard]] std::uint64_t measure(const std::vector<pid_t>& processes, std::uint64_t free) const;

  UniqueFd uppers_;
  UniqueFd
      bundle_;  ///< outside the project: below it, statfs tells the project's space, not the filesystem's
  UniqueFd ballast_;  ///< space that is given back when the run has ended, for the manifest and the report
  std::optional<std::uint64_t> limit_;
  std::uint32_t project_ = 0;  ///< 0: no quota
  std::uint64_t floor_ = 0;
  std::uint64_t free_at_start_ = 0;
  std::uint64_t measure_below_ = 0;  ///< free space from which on it is measured
  std::uint64_t made_ = 0;           ///< bytes of the layers' own directories
  bool was_full_ = false;
  bool sized_ = true;  ///< the filesystem says how much of it is free
};

}  // namespace rehearse::sandbox
