#include "sandbox/relay.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.h"

namespace rehearse::sandbox {
namespace {

constexpr std::size_t kChunk = 65536;

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// A descriptor on the operator's pipe or terminal that never blocks: a description of its own, so that the
/// operator's stays as it is. Invalid for files, which never block, and for what cannot be opened again.
UniqueFd non_blocking_twin(int fd) {
  const auto st = sys::stat_fd(fd);
  if (!st || (!S_ISFIFO(st->st_mode) && !S_ISCHR(st->st_mode))) return {};
  auto twin = sys::open(sys::fd_path(fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY);
  return twin ? std::move(*twin) : UniqueFd();
}

/// False: it is closed, or open `other_way` only; using it fails with EBADF.
bool is_open_for(int fd, int other_way) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != other_way;
}

bool has_place(int fd) {
  const auto st = sys::stat_fd(fd);
  return st && S_ISREG(st->st_mode) && ::lseek(fd, 0, SEEK_CUR) >= 0;
}

/// What one write takes at most where the descriptor may block: POLLOUT promises that a pipe has room for
/// this.
constexpr std::size_t kAtomic = 4096;

}  // namespace

Result<Relay> Relay::pipes(const Streams& streams, HostIds owner) {
  Relay relay(streams);
  RH_TRY(auto in, sys::pipe(0));
  RH_TRY(auto out, sys::pipe(0));
  RH_TRY(auto err, sys::pipe(0));
  set_nonblocking(in.write.get());
  set_nonblocking(out.read.get());
  set_nonblocking(err.read.get());
  relay.input_ = std::move(in.write);
  relay.out_.from = std::move(out.read);
  relay.err_.from = std::move(err.read);
  relay.out_.send_to(streams.out);
  relay.err_.send_to(streams.err);
  relay.out_.kept = streams.kept_out;
  relay.err_.kept = streams.kept_err;
  const bool readable = relay.again_open_ || is_open_for(streams.in, O_WRONLY);
  if (readable && has_place(streams.in)) {
    RH_TRY(relay.unread_, sys::dup(in.read.get()));
  }
  relay.child_fds_[0] = std::move(in.read);
  relay.child_fds_[1] = std::move(out.write);
  relay.child_fds_[2] = std::move(err.write);
  // What is closed to rehearse is to the action: it gets the wrong end.
  if (!readable) {
    relay.child_fds_[0] = std::move(relay.input_);
    relay.input_open_ = false;
  }
  for (auto [i, output] : {std::pair{1, &relay.out_}, std::pair{2, &relay.err_}}) {
    if (output->to >= 0 && !is_open_for(output->to, O_RDONLY)) relay.child_fds_[i] = std::move(output->from);
  }
  for (int i = 0; i < 3; ++i) relay.child_[i] = relay.child_fds_[i].get();
  RH_CHECK(give_pipes(relay.child_, owner));
  return relay;
}

Result<Relay> Relay::terminal(const Streams& streams, UniqueFd master, UniqueFd slave) {
  Relay relay(streams);
  relay.terminal_ = true;
  set_nonblocking(master.get());
  RH_TRY(relay.input_, sys::dup(master.get()));
  relay.out_.from = std::move(master);
  relay.out_.send_to(streams.out);
  relay.out_.kept = streams.kept_out;
  relay.child_fds_[0] = std::move(slave);
  for (int& end : relay.child_) end = relay.child_fds_[0].get();
  struct termios now = {};
  if (::tcgetattr(streams.in, &now) == 0) {
    ::tcsetattr(relay.child_[0], TCSANOW, &now);
    relay.resize();
    relay.saved_ = now;
    struct termios raw = now;
    ::cfmakeraw(&raw);
    ::tcsetattr(streams.in, TCSADRAIN, &raw);
  }
  return relay;
}

Relay::Relay(Relay&& other) noexcept
    : streams_(other.streams_),
      input_(std::move(other.input_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      pending_(std::move(other.pending_)),
      unread_(std::move(other.unread_)),
      input_open_(other.input_open_),
      again_open_(other.again_open_),
      in_bytes_(other.in_bytes_),
      kept_in_(other.kept_in_),
      input_cut_(other.input_cut_),
      terminal_(other.terminal_),
      saved_(other.saved_) {
  for (int i = 0; i < 3; ++i) {
    child_fds_[i] = std::move(other.child_fds_[i]);
    child_[i] = other.child_[i];
  }
  other.saved_.reset();
}

Relay::~Relay() {
  if (saved_) ::tcsetattr(streams_.in, TCSADRAIN, &*saved_);
}

void Relay::release_child_ends() {
  for (UniqueFd& end : child_fds_) end.reset();
}

void Relay::resize() const {
  struct winsize size = {};
  if (terminal_ && ::ioctl(streams_.in, TIOCGWINSZ, &size) == 0) ::ioctl(input_.get(), TIOCSWINSZ, &size);
}

/// Reading a terminal from the background stops the process (SIGTTIN).
bool Relay::in_foreground() const {
  const pid_t group = ::tcgetpgrp(streams_.in);
  return group < 0 || group == ::getpgrp();
}

void Relay::add_polls(std::vector<struct pollfd>& polls) {
  poll_in_ = poll_input_ = poll_out_ = poll_err_ = poll_out_reader_ = poll_err_reader_ = SIZE_MAX;
  const auto add = [&polls](std::size_t& slot, int fd, short events) {
    slot = polls.size();
    polls.push_back({fd, events, 0});
  };
  if (input_open_ && pending_.empty() && (again_open_ || in_foreground())) add(poll_in_, source(), POLLIN);
  if (input_.valid() && !pending_.empty()) add(poll_input_, input_.get(), POLLOUT);
  const auto add_output = [&](std::size_t& slot, std::size_t& reader, const Output& output) {
    // What the operator has not taken yet holds the action back, and nothing else.
    if (!output.pending.empty())
      add(slot, output.target(), POLLOUT);
    else if (output.from.valid())
      add(slot, output.from.get(), POLLIN);
    // No events are asked for: that the last reader has gone is told anyway.
    // Before the action has its own ends there is nobody to be told.
    if (output.pending.empty() && output.from.valid() && output.has_reader && !output.lost &&
        !child_fds_[0].valid())
      add(reader, output.target(), 0);
  };
  add_output(poll_out_, poll_out_reader_, out_);
  add_output(poll_err_, poll_err_reader_, err_);
}

void Relay::move(const std::vector<struct pollfd>& polls, std::size_t first) {
  const auto ready = [&](std::size_t slot) {
    return slot != SIZE_MAX && slot >= first && polls[slot].revents != 0;
  };
  if (ready(poll_in_) || ready(poll_input_)) move_input();
  for (auto [slot, output] : {std::pair{poll_out_, &out_}, std::pair{poll_err_, &err_}}) {
    if (!ready(slot)) continue;
    if (output->pending.empty())
      move_output(*output);
    else
      output->deliver();
  }
  if (ready(poll_out_reader_)) out_.abandoned = true;
  if (ready(poll_err_reader_)) err_.abandoned = true;
  for (Output* output : {&out_, &err_})
    if (output->abandoned && output->from.valid()) stop_reading(*output);
}

/// As a pipeline whose reader has ended does: the action's next write fails, and by default ends it. What it
/// has written by now is kept.
void Relay::stop_reading(Output& output) {
  output.give_up();
  output.unread = true;
  output.lost = true;
  move_output(output);
  output.from.reset();
  if (terminal_) input_.reset();  // the other descriptor of the same terminal: it hangs up
}

std::vector<std::string> Relay::unread() const {
  std::vector<std::string> streams;
  if (out_.unread) streams.emplace_back("standard output");
  if (err_.unread) streams.emplace_back("standard error");
  return streams;
}

void Relay::drain() {
  // A process left behind may write for ever: what was in the pipes at the end is a pipe's capacity each.
  for (Output* output : {&out_, &err_}) {
    for (int i = 0; i < 32 && output->from.valid() && move_output(*output); ++i) {
    }
  }
}

void Relay::give_back_input() {
  int left = 0;
  if (!unread_.valid() || again_open_ || ::ioctl(unread_.get(), FIONREAD, &left) != 0) return;
  const auto ahead = static_cast<off_t>(pending_.size()) + left;
  const auto read = static_cast<off_t>(in_bytes_);
  if (ahead > 0 && ahead <= read && ::lseek(streams_.in, -ahead, SEEK_CUR) >= 0)
    in_bytes_ -= static_cast<std::uint64_t>(ahead);
}

void Relay::flush(int interrupt) {
  while (true) {
    std::vector<struct pollfd> polls = {{interrupt, POLLIN, 0}};
    for (Output* output : {&out_, &err_}) {
      output->deliver();
      if (!output->pending.empty()) polls.push_back({output->target(), POLLOUT, 0});
    }
    if (polls.size() == 1) return;
    if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) return;
    if (polls[0].revents == 0) continue;
    for (Output* output : {&out_, &err_}) output->give_up();
    return;
  }
}

void Relay::Output::send_to(int fd) {
  to = fd;
  if (fd < 0) return;
  twin = non_blocking_twin(fd);
  const auto st = sys::stat_fd(fd);
  has_reader = st && (S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode));
}

void Relay::Output::give_up() {
  if (!std::exchange(pending, {}).empty()) lost = true;
}

/// Writes what the operator takes without waiting.
void Relay::Output::deliver() {
  while (!pending.empty()) {
    const int fd = target();
    std::size_t size = pending.size();
    if (!twin.valid()) {
      struct pollfd room = {fd, POLLOUT, 0};
      if (::poll(&room, 1, 0) == 0) return;
      size = std::min(size, kAtomic);
    }
    ssize_t n = ::send(fd, pending.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) n = ::write(fd, pending.data(), size);
    if (n >= 0) {
      pending.erase(0, static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      // However it fails, nobody gets it: the action's own writing fails next, as it would without us.
      abandoned = true;
      give_up();
    }
  }
}

bool Relay::move_output(Output& output) {
  static char buffer[kChunk];
  const ssize_t n = ::read(output.from.get(), buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {  // EIO: every holder of the terminal is gone
    output.from.reset();
    return false;
  }
  const auto size = static_cast<std::size_t>(n);
  const std::uint64_t room = streams_.kept_limit > output.total ? streams_.kept_limit - output.total : 0;
  if (output.kept >= 0) {
    const std::size_t keep = static_cast<std::size_t>(std::min<std::uint64_t>(room, size));
    if (keep < size || (keep > 0 && !sys::write_all(output.kept, {buffer, keep}))) output.cut = true;
  }
  output.total += size;
  if (output.to >= 0 && !output.lost) {
    output.pending.append(buffer, size);
    output.deliver();
  }
  return true;
}

/// False: there is nothing for the action now.
bool Relay::read_input() {
  char buffer[kChunk / 4];
  const ssize_t n = ::read(source(), buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0 && std::exchange(again_open_, false)) return false;  // and now the operator's own
  if (n <= 0) {
    input_open_ = false;
    if (terminal_)
      pending_ = end_of_file();
    else
      input_.reset();  // the action reads end of file
    return !pending_.empty();
  }
  ends_line_ = buffer[n - 1] == '\n';
  pending_.assign(buffer, static_cast<std::size_t>(n));
  in_bytes_ += pending_.size();
  if (streams_.kept_in >= 0) keep_input();
  return true;
}

/// What makes who reads lines from the terminal read end of file, as when it is typed (termios(3)): within a
/// line the first ends that.
std::string Relay::end_of_file() const {
  struct termios settings = {};
  if (::tcgetattr(input_.get(), &settings) != 0 || (settings.c_lflag & ICANON) == 0) return {};
  return std::string(ends_line_ ? 1 : 2, static_cast<char>(settings.c_cc[VEOF]));
}

void Relay::keep_input() {
  kept_in_ += pending_.size();
  if (kept_in_ > streams_.kept_limit || !sys::write_all(streams_.kept_in, pending_)) input_cut_ = true;
}

void Relay::move_input() {
  if (pending_.empty() && input_open_ && !read_input()) return;
  if (!input_.valid()) {
    pending_.clear();
    return;
  }
  const ssize_t n = ::write(input_.get(), pending_.data(), pending_.size());
  if (n > 0) {
    pending_.erase(0, static_cast<std::size_t>(n));
  } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
    pending_.clear();
    input_open_ = false;
    if (!terminal_) input_.reset();
  }
}

}  // namespace rehearse::sandbox
