#include "sandbox/after_run.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/message.h"
#include "base/sys.h"
#include "sandbox/init_config.h"
#include "sandbox/stdio.h"

namespace rehearse::sandbox {
namespace {

constexpr std::int64_t kKillPatience = 10'000'000'000;
constexpr const char* kToolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string search_path(const Plan& plan) {
  for (const auto& [name, value] : plan.request.env) {
    if (name == "PATH") return value;
  }
  return kToolPath;
}

Result<std::string> request_of(const InsideProgram& program, const Plan& plan) {
  if (program.argv.empty()) return fail("there is no command");
  const std::vector<std::string> candidates = exec_candidates(program.argv.front(), search_path(plan));
  ProbeRequest head = {};
  head.command = InitCommand::kProbe;
  head.candidates = static_cast<std::uint32_t>(candidates.size());
  head.argc = static_cast<std::uint32_t>(program.argv.size());
  std::string request(reinterpret_cast<const char*>(&head), sizeof head);
  for (const auto* list : {&candidates, &program.argv})
    for (const std::string& word : *list) request.append(word.c_str(), std::strlen(word.c_str()) + 1);
  if (request.size() > kMaxToolRequest || candidates.size() + program.argv.size() > kMaxToolWords)
    return fail("too many words for one command");
  return request;
}

}  // namespace

Result<bool> AfterRun::start_next() {
  while (auto program = wanted_.next()) {
    running_.emplace();
    begun_ = monotonic_ns();
    running_->started_ns = static_cast<std::uint64_t>(begun_);
    deadline_ = begun_ + program->timeout_ns;
    const auto asked = ask(*program);
    if (asked) return true;
    running_->error = asked.error().what;
    finish();
  }
  return false;
}

Result<void> AfterRun::ask(const InsideProgram& program) {
  RH_TRY(const std::string request, request_of(program, plan_));
  // Nothing of the host's is handed in, not even its /dev/null. An empty pipe ends at once.
  RH_TRY(auto in, sys::pipe(O_CLOEXEC));
  in.write.reset();
  RH_TRY(auto out, sys::pipe(O_CLOEXEC));
  RH_TRY(auto err, sys::pipe(O_CLOEXEC));
  for (const auto* pipe : {&out.read, &err.read})
    if (::fcntl(pipe->get(), F_SETFL, O_NONBLOCK) != 0) return sys::last_error("fcntl", "O_NONBLOCK");
  const int fds[3] = {in.read.get(), out.write.get(), err.write.get()};
  RH_CHECK(give_pipes(fds, action_ids(plan_)));
  RH_CHECK(send_message(control_, request, fds));
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  return {};
}

void AfterRun::add_polls(std::vector<struct pollfd>& polls) const {
  polls.push_back({out_.get(), POLLIN, 0});
  polls.push_back({err_.get(), POLLIN, 0});
}

void AfterRun::move(const struct pollfd* polls) {
  if (!running_) return;
  if (polls[0].revents != 0) read(out_, running_->out);
  if (polls[1].revents != 0) read(err_, running_->err);
}

/// At most as much as a pipe holds: one that writes without end does not keep the supervisor from its limits.
void AfterRun::read(UniqueFd& pipe, std::string& into) {
  char chunk[16384];
  for (int round = 0; round < 8 && pipe.valid(); ++round) {
    const ssize_t n = ::read(pipe.get(), chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      pipe.reset();
      return;
    }
    into.append(chunk, std::min(static_cast<std::size_t>(n),
                                kMostInsideOutput - std::min(kMostInsideOutput, into.size())));
  }
}

void AfterRun::hear(const InitMessage& message) {
  if (!running_) return;
  if (message.event == InitEvent::kProbeStarted) {
    running_->pid = static_cast<std::uint32_t>(message.pid);
    return;
  }
  const bool no_program = message.step == InitStep::kExec || message.step == InitStep::kInterpreter;
  if (no_program || message.step == InitStep::kWorkingDirectory) {
    running_->error = std::strerror(message.error);
    running_->exit = no_program && message.error == ENOENT ? 127 : 126;
  } else if (message.step != InitStep::kNone) {
    running_->error = std::string("it could not be started: ") + std::strerror(message.error);
  } else if (WIFEXITED(message.status)) {
    running_->exit = WEXITSTATUS(message.status);
  } else if (WIFSIGNALED(message.status)) {
    running_->signal = WTERMSIG(message.status);
  }
  finish();
}

Result<void> AfterRun::keep_time() {
  if (!running_ || monotonic_ns() < deadline_) return {};
  if (running_->timed_out) return fail("a probe cannot be ended");
  running_->timed_out = true;
  deadline_ = monotonic_ns() + kKillPatience;
  const InitCommand command = InitCommand::kStop;
  if (::send(control_, &command, sizeof command, MSG_NOSIGNAL) != sizeof command)
    return sys::last_error("send", "to init");
  return {};
}

/// What it left running may hold the pipes for ever: what is in them now is what it said.
void AfterRun::finish() {
  read(out_, running_->out);
  read(err_, running_->err);
  out_.reset();
  err_.reset();
  running_->wall_ns = monotonic_ns() - begun_;
  InsideEnd end = std::move(*running_);
  running_.reset();
  wanted_.ended(std::move(end));
}

}  // namespace rehearse::sandbox
