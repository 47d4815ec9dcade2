// What is left of a run when it has ended: everything the report is made from, but the files themselves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/layer_builder.h"
#include "verdict/finding.h"

namespace rehearse::sandbox {

struct Leftover {
  pid_t pid = 0;  ///< inside
  std::string comm;
  std::vector<std::string> argv;  ///< claimed: a process may rewrite it
};

struct Evidence {
  std::optional<int> exit;
  std::optional<int> signal;
  std::string start_error;
  bool timed_out = false;
  bool ended_here = false;               ///< rehearse killed what still ran, at a limit or as it was asked to
  std::optional<int> interrupted_by;     ///< signal that rehearse got
  std::vector<std::string> limits_hit;   ///< one sentence each
  std::vector<std::string> limit_notes;  ///< how each limit was enforced
  std::vector<Leftover> leftover;
  std::vector<std::string> unobserved;  ///< never green
  std::vector<verdict::Gap> gaps;
  std::vector<LayerEvidence> layers;
  std::int64_t started_ns = 0;         ///< CLOCK_REALTIME
  std::int64_t earliest_stamp_ns = 0;  ///< at the start: what has an earlier ctime is as it was then
  std::int64_t finished_ns = 0;
  std::int64_t wall_ns = 0;
  std::int64_t user_ns = 0;
  std::int64_t system_ns = 0;
  std::uint64_t max_rss_bytes = 0;
  std::uint64_t stdin_bytes = 0;  ///< that it was given to read
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  bool output_cut = false;
  std::vector<std::string> unread;  ///< its streams that were closed, since nobody read them any more
  bool input_cut = false;           ///< the copy of what it was given to read is not all
  std::int64_t build_ns = 0;
};

}  // namespace rehearse::sandbox
