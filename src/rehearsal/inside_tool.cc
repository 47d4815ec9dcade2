#include "rehearsal/inside_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/message.h"
#include "base/sys.h"
#include "sandbox/init/protocol.h"

namespace rehearse {

void InsideTool::run(std::uint64_t ticket, std::vector<std::string> argv) {
  queue_.push_back({ticket, std::move(argv)});
  start_next();
}

void InsideTool::start_next() {
  while (!running_ && !queue_.empty()) {
    Order order = std::move(queue_.front());
    queue_.pop_front();
    Ended ended;
    ended.ticket = order.ticket;
    if (const auto started = start(order.argv)) {
      running_ = std::move(ended);
      has_ended_ = false;
    } else {
      ended.err = started.error().what;
      failed_.push_back(std::move(ended));
    }
  }
}

Result<void> InsideTool::start(const std::vector<std::string>& argv) {
  sandbox::ToolRequest head = {};
  head.argc = static_cast<std::uint32_t>(argv.size());
  head.seconds = kPatienceSeconds;
  std::string request(reinterpret_cast<const char*>(&head), sizeof head);
  for (const std::string& word : argv) request.append(word.c_str(), word.size() + 1);
  if (request.size() > sandbox::kMaxToolRequest || argv.size() > sandbox::kMaxToolWords)
    return fail("too many words for one command");
  // Nothing of the host's is handed in, not even its /dev/null: what runs is the action's file. An empty pipe
  // ends at once.
  RH_TRY(auto in, sys::pipe(O_CLOEXEC));
  in.write.reset();
  RH_TRY(auto out, sys::pipe(O_CLOEXEC));
  RH_TRY(auto err, sys::pipe(O_CLOEXEC));
  const int fds[3] = {in.read.get(), out.write.get(), err.write.get()};
  RH_CHECK(sandbox::give_pipes(fds, root_));
  RH_CHECK(send_message(socket_.get(), request, fds));
  for (const auto* pipe : {&out.read, &err.read})
    if (::fcntl(pipe->get(), F_SETFL, O_NONBLOCK) != 0) return sys::last_error("fcntl", "O_NONBLOCK");
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  return {};
}

void InsideTool::add_polls(std::vector<struct pollfd>& polls) const {
  polls.push_back({running_ ? socket_.get() : -1, POLLIN, 0});
  polls.push_back({out_.get(), POLLIN, 0});
  polls.push_back({err_.get(), POLLIN, 0});
}

void InsideTool::read(UniqueFd& pipe, std::string& into) const {
  char chunk[16384];
  while (pipe.valid()) {
    const ssize_t n = ::read(pipe.get(), chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      pipe.reset();
      return;
    }
    into.append(chunk, std::min(static_cast<std::size_t>(n), most_ - std::min(most_, into.size())));
  }
}

std::optional<InsideTool::Ended> InsideTool::serve(const struct pollfd* polls) {
  if (!failed_.empty()) {
    Ended ended = std::move(failed_.front());
    failed_.pop_front();
    return ended;
  }
  if (!running_) return std::nullopt;
  if (polls[1].revents != 0) read(out_, running_->out);
  if (polls[2].revents != 0) read(err_, running_->err);
  if (polls[0].revents != 0) {
    sandbox::ToolEnd end = {};
    const ssize_t n = ::recv(socket_.get(), &end, sizeof end, MSG_DONTWAIT);
    has_ended_ = n >= 0;  // 0: there is no init any more
    if (n == sizeof end && end.error == 0 && WIFEXITED(end.status)) running_->exit = WEXITSTATUS(end.status);
    if (n == sizeof end && end.error == 0 && WIFSIGNALED(end.status))
      running_->err +=
          fmt::format("\nIt was killed by SIG{}{}.", sigabbrev_np(WTERMSIG(end.status)),
                      WTERMSIG(end.status) == SIGKILL
                          ? fmt::format(", as is what does not end within {} s", kPatienceSeconds)
                          : "");
  }
  if (!has_ended_) return std::nullopt;
  // What it left running may hold the pipes for ever: what is in them now is what it said.
  read(out_, running_->out);
  read(err_, running_->err);
  out_.reset();
  err_.reset();
  Ended ended = std::move(*running_);
  running_.reset();
  start_next();
  return ended;
}

}  // namespace rehearse
