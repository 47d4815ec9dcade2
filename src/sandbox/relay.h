// The action's standard streams: pipes or a terminal of its own on one side, rehearse's own descriptors and
// the bundle on the other. The action never holds a descriptor of the host.
#pragma once

#include <poll.h>
#include <termios.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/stdio.h"

namespace rehearse::sandbox {

/// Where output goes. Descriptors are borrowed.
struct Streams {
  int in = 0;
  int out = 1;  ///< relayed live; -1: only kept
  int err = 2;
  int again = -1;     ///< a file that the action reads before `in`, from where it stands
  int kept_in = -1;   ///< a file to which all that is read from `in` is appended
  int kept_out = -1;  ///< files of the bundle
  int kept_err = -1;
  std::uint64_t kept_limit = std::uint64_t{16} << 20U;
};

class Relay {
 public:
  /// Pipes for all three streams; the action's ends are `owner`'s.
  static Result<Relay> pipes(const Streams& streams, HostIds owner);
  /// One terminal for all three; `master` becomes the relay's. The operator's terminal goes raw until
  /// destruction.
  static Result<Relay> terminal(const Streams& streams, UniqueFd master, UniqueFd slave);
  Relay(Relay&& other) noexcept;
  Relay& operator=(Relay&&) = delete;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// The action's ends, to be sent to init; closed by release_child_ends.
  [[nodiscard]] const int* child_ends() const { return child_; }
  void release_child_ends();

  /// Adds what to wait for; call before poll(2).
  void add_polls(std::vector<struct pollfd>& polls);
  /// Moves what can be moved without blocking; `polls` as filled by poll(2) from `first`.
  void move(const std::vector<struct pollfd>& polls, std::size_t first);
  /// After the action's end: moves what is still in the pipes, without waiting for who may still hold them.
  void drain();
  /// After drain: what was read ahead of a file and the action has not read stands before the file's place
  /// again, for whoever reads on.
  void give_back_input();
  /// After drain: waits until the operator has taken all output, or `interrupt` is readable; then the rest is
  /// lost.
  void flush(int interrupt);
  /// The operator's terminal has changed its size.
  void resize() const;

  [[nodiscard]] std::uint64_t in_bytes() const { return in_bytes_; }
  [[nodiscard]] std::uint64_t out_bytes() const { return out_.total; }
  [[nodiscard]] std::uint64_t err_bytes() const { return err_.total; }
  [[nodiscard]] bool cut() const { return out_.cut || err_.cut; }
  /// The file of what was read is not all of it.
  [[nodiscard]] bool input_cut() const { return input_cut_; }
  /// Which of the action's streams were closed to it because nobody reads the operator's any more: "standard
  /// output", "standard error".
  [[nodiscard]] std::vector<std::string> unread() const;

 private:
  struct Output {
    UniqueFd from;
    int to = -1;
    UniqueFd twin;        ///< of `to`, non-blocking
    std::string pending;  ///< read, and not taken by the operator yet
    int kept = -1;
    std::uint64_t total = 0;
    bool cut = false;
    bool lost = false;
    bool has_reader = false;  ///< `to` is a pipe or a socket: somebody reads it, or nobody any more
    bool abandoned = false;   ///< nobody any more
    bool unread = false;      ///< and the action was told

    void send_to(int fd);
    [[nodiscard]] int target() const { return twin.valid() ? twin.get() : to; }
    void deliver();
    void give_up();
  };
  explicit Relay(const Streams& streams) : streams_(streams), again_open_(streams.again >= 0) {}
  bool move_output(Output& output);
  void stop_reading(Output& output);
  void move_input();
  bool read_input();
  [[nodiscard]] std::string end_of_file() const;
  void keep_input();
  [[nodiscard]] int source() const { return again_open_ ? streams_.again : streams_.in; }
  [[nodiscard]] bool in_foreground() const;

  Streams streams_;
  UniqueFd input_;  ///< pipe's write end, or the master
  UniqueFd child_fds_[3];
  int child_[3] = {-1, -1, -1};
  Output out_;
  Output err_;
  std::string pending_;  ///< read from the operator, not yet taken by the action
  UniqueFd unread_;  ///< the action's end of its input, to see what it has left, if that can be given back
  bool input_open_ = true;
  bool ends_line_ = true;  ///< what was read last
  bool again_open_ = false;
  std::uint64_t in_bytes_ = 0;
  std::uint64_t kept_in_ = 0;
  bool input_cut_ = false;
  bool terminal_ = false;
  std::optional<struct termios> saved_;
  std::size_t poll_in_ = SIZE_MAX, poll_input_ = SIZE_MAX, poll_out_ = SIZE_MAX, poll_err_ = SIZE_MAX;
  std::size_t poll_out_reader_ = SIZE_MAX, poll_err_reader_ = SIZE_MAX;
};

}  // namespace rehearse::sandbox
