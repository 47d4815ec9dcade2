// Programs of rehearse's own that are run inside, one after the other: asked of the run's PID 1, which starts
// them under the action's filter. What they print comes out of the clone: hostile.
#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/stdio.h"

namespace rehearse {

class InsideTool {
 public:
  struct Ended {
    std::uint64_t ticket = 0;
    int exit = -1;  ///< exit status; -1: it could not be started, or was killed
    std::string out;
    std::string err;
  };

  /// `socket`: takes a ToolRequest at a time (sandbox/init/protocol.h). `root`: the run's. Output beyond
  /// `most` bytes a stream is read and dropped.
  InsideTool(UniqueFd socket, sandbox::HostIds root, std::size_t most)
      : socket_(std::move(socket)), root_(root), most_(most) {}

  /// One that runs longer is killed, with its process group.
  static constexpr std::uint32_t kPatienceSeconds = 15;
  /// `argv[0]`: a path inside. Its turn comes when those before it have ended.
  void run(std::uint64_t ticket, std::vector<std::string> argv);
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  [[nodiscard]] bool busy() const { return running_.has_value() || !queue_.empty(); }

  /// What is to be waited for: always the same number of entries.
  static constexpr std::size_t kPolls = 3;
  void add_polls(std::vector<struct pollfd>& polls) const;
  /// `polls`: those that add_polls() appended, with results. A tool that has ended.
  std::optional<Ended> serve(const struct pollfd* polls);

 private:
  void start_next();
  Result<void> start(const std::vector<std::string>& argv);
  void read(UniqueFd& pipe, std::string& into) const;

  struct Order {
    std::uint64_t ticket;
    std::vector<std::string> argv;
  };
  UniqueFd socket_;
  sandbox::HostIds root_;
  std::size_t most_;
  std::deque<Order> queue_;
  std::optional<Ended> running_;
  std::deque<Ended> failed_;  ///< that could not be started
  bool has_ended_ = false;
  UniqueFd out_;
  UniqueFd err_;
};

}  // namespace rehearse
