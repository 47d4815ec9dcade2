#include "sandbox/supervise.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "base/inherited.h"
#include "base/sys.h"
#include "base/units.h"
#include "sandbox/sandbox.h"

namespace rehearse::sandbox {
namespace {

constexpr std::int64_t kSampleNs = 50'000'000;    ///< how often limits are sampled
constexpr std::int64_t kGraceNs = 3'000'000'000;  ///< from a forwarded signal to the kill
constexpr std::int64_t kSettleNs = 200'000'000;   ///< for children that are ending on their own
constexpr std::int64_t kKillPatienceNs = 10'000'000'000;

/// The number that a process has inside, the last of its line in `status`; 0: it has ended.
pid_t number_inside(const std::string& directory) {
  const auto status = sys::read_file((directory + "/status").c_str(), 65536);
  const std::size_t line = status ? status->find("\nNSpid:") : std::string::npos;
  if (line == std::string::npos) return 0;
  const std::size_t end = std::min(status->find('\n', line + 1), status->size());
  const std::size_t last = status->find_last_of(" \t:", end - 1);
  return static_cast<pid_t>(std::strtol(status->c_str() + last + 1, nullptr, 10));
}

class Supervisor {
 public:
  Supervisor(const Plan& plan, const Supervision& run, Evidence& evidence)
      : plan_(plan), run_(run), evidence_(evidence) {}

  Result<void> run() {
    started_ = monotonic_ns();
    evidence_.earliest_stamp_ns = earliest_stamp_ns();
    evidence_.started_ns = realtime_ns();
    while (!action_ended_ && !killed_) RH_CHECK(step());
    if (run_.after != nullptr && !killed_ && evidence_.start_error.empty()) run_after(*run_.after);
    run_.relay->drain();
    end_stragglers();
    run_.relay->drain();
    run_.relay->give_back_input();
    run_.relay->flush(run_.signals->fd());
    evidence_.finished_ns = realtime_ns();
    account();
    return {};
  }

 private:
  Result<void> step();
  void run_after(AfterAction& wanted);
  Result<void> hear_init();
  void hear_signal();
  void keep_limits();
  bool writes_exceeded();
  void kill_all();
  void end_stragglers();
  void account();
  [[nodiscard]] std::vector<pid_t> others() const;
  void forward(int signal) const;
  [[nodiscard]] int timeout_ms() const;

  const Plan& plan_;
  const Supervision& run_;
  Evidence& evidence_;
  std::int64_t started_ = 0;
  std::int64_t next_sample_ = 0;
  std::int64_t kill_at_ = 0;
  bool action_started_ = false;
  bool action_ended_ = false;
  bool killed_ = false;
  std::vector<struct pollfd> polls_;
  AfterRun* after_ = nullptr;              ///< while it runs
  std::optional<RunCgroup::Usage> usage_;  ///< of the action, where more ran after it
};

int Supervisor::timeout_ms() const {
  std::int64_t until = next_sample_;
  if (run_.limits->wall_ns && !action_ended_) until = std::min(until, started_ + *run_.limits->wall_ns);
  if (after_ != nullptr && after_->busy()) until = std::min(until, after_->deadline());
  if (kill_at_ != 0) until = std::min(until, kill_at_);
  return static_cast<int>(std::max<std::int64_t>(0, (until - monotonic_ns() + 999'999) / 1'000'000));
}

Result<void> Supervisor::step() {
  if (next_sample_ == 0) next_sample_ = started_ + kSampleNs;
  polls_.clear();
  polls_.push_back({run_.control, POLLIN, 0});
  polls_.push_back({run_.signals->fd(), POLLIN, 0});
  polls_.push_back({killed_ ? -1 : run_.stop, POLLIN, 0});
  polls_.push_back({run_.recorder == nullptr ? -1 : run_.recorder->attention(), POLLIN, 0});
  if (after_ != nullptr) after_->add_polls(polls_);
  run_.relay->add_polls(polls_);
  const int ready = ::poll(polls_.data(), polls_.size(), timeout_ms());
  if (ready < 0 && errno != EINTR) return sys::last_error("poll");
  if (ready > 0) {
    if (polls_[1].revents != 0) hear_signal();
    constexpr std::size_t kOwn = 4;
    if (after_ != nullptr) after_->move(&polls_[kOwn]);
    run_.relay->move(polls_, after_ != nullptr ? kOwn + AfterRun::kPolls : kOwn);
    if (polls_[0].revents != 0) RH_CHECK(hear_init());
    if (polls_[2].revents != 0) kill_all();
    if (polls_[3].revents != 0) run_.recorder->attend();
  }
  if (!action_ended_ || after_ != nullptr) keep_limits();
  if (after_ != nullptr) RH_CHECK(after_->keep_time());
  return {};
}

/// The action has ended, and what it left running has not: a server it started can be asked.
void Supervisor::run_after(AfterAction& wanted) {
  const RunCgroup::Usage before = run_.cgroup->usage();
  AfterRun programs(run_.control, plan_, wanted);
  after_ = &programs;
  const auto all = [&]() -> Result<void> {
    while (!killed_ && !evidence_.interrupted_by) {
      RH_TRY(const bool more, programs.start_next());
      if (!more) break;
      usage_ = before;
      while (programs.busy() && !killed_) RH_CHECK(step());
    }
    return {};
  };
  if (const auto done = all(); !done)
    evidence_.unobserved.push_back("after the action: " + done.error().what);
  after_ = nullptr;
}

Result<void> Supervisor::hear_init() {
  InitMessage message = {};
  const ssize_t n = ::recv(run_.control, &message, sizeof message, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (n != sizeof message) {
    if (!action_started_) return fail("the sandbox's init ended before the action started");
    // Nothing inside can kill PID 1; the kernel may (memory). What it would have said is lost.
    evidence_.unobserved.emplace_back("the sandbox's init was killed: how the action ended is not known");
    killed_ = true;
    return {};
  }
  switch (message.event) {
    case InitEvent::kReady:
      return {};
    case InitEvent::kStarted:
      action_started_ = true;
      run_.relay->release_child_ends();
      return {};
    case InitEvent::kExited:
      evidence_.wall_ns = monotonic_ns() - started_;
      evidence_.user_ns = message.user_us * 1000;
      evidence_.system_ns = message.system_us * 1000;
      evidence_.max_rss_bytes = static_cast<std::uint64_t>(message.max_rss_kib) * 1024;
      if (WIFEXITED(message.status)) evidence_.exit = WEXITSTATUS(message.status);
      if (WIFSIGNALED(message.status)) evidence_.signal = WTERMSIG(message.status);
      action_ended_ = true;
      return {};
    case InitEvent::kProbeStarted:
    case InitEvent::kProbeEnded:
      if (after_ != nullptr) after_->hear(message);
      return {};
    case InitEvent::kFailed:
      if (message.step == InitStep::kExec || message.step == InitStep::kInterpreter ||
          message.step == InitStep::kWorkingDirectory) {
        // The sandbox stood; it is the command that cannot run. As a shell says it: 127 not found, 126 not
        // executable.
        evidence_.start_error = describe(message.step, message.error, plan_);
        evidence_.exit = message.error == ENOENT && message.step != InitStep::kWorkingDirectory ? 127 : 126;
        action_ended_ = true;
        return {};
      }
      return fail_for(message.error, describe(message.step, message.error, plan_), ExitCode::kFailure,
                      "see `rehearse doctor`");
  }
  return fail("the sandbox's init said something unknown");
}

void Supervisor::hear_signal() {
  struct signalfd_siginfo info = {};
  if (::read(run_.signals->fd(), &info, sizeof info) != sizeof info) return;
  const int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGWINCH) {
    run_.relay->resize();
    return;
  }
  if (evidence_.interrupted_by) {  // asked twice
    kill_all();
    return;
  }
  evidence_.interrupted_by = signal;
  forward(signal);
  kill_at_ = monotonic_ns() + kGraceNs;
}

void Supervisor::keep_limits() {
  const std::int64_t now = monotonic_ns();
  if (run_.limits->wall_ns && !action_ended_ && now >= started_ + *run_.limits->wall_ns) {
    evidence_.timed_out = true;
    evidence_.limits_hit.push_back("wall time of " + format_duration(*run_.limits->wall_ns));
    kill_all();
    return;
  }
  if (kill_at_ != 0 && now >= kill_at_) {
    kill_all();
    return;
  }
  if (now < next_sample_) return;
  next_sample_ = now + kSampleNs;
  if (writes_exceeded()) kill_all();
}

/// Notes which limit of writing is exceeded, if one is.
bool Supervisor::writes_exceeded() {
  switch (run_.writes->check([this] { return run_.cgroup->processes().value_or(std::vector<pid_t>()); })) {
    case WriteLimit::State::kFine:
      return false;
    case WriteLimit::State::kOverLimit:
      evidence_.limits_hit.push_back("written bytes: more than " +
                                     format_bytes(run_.limits->write_bytes.value_or(0)));
      return true;
    case WriteLimit::State::kBelowFloor:
      evidence_.limits_hit.emplace_back("free space of the state directory's filesystem fell to its reserve");
      return true;
  }
  return false;
}

/// Freezes first, so that nothing is half done differently while thousands die; killing thaws.
void Supervisor::kill_all() {
  (void)run_.cgroup->freeze();
  if (!run_.cgroup->kill()) {
    // Before Linux 5.14 there is no cgroup.kill: PID 1 takes all others with it.
    (void)sys::pidfd_signal(run_.init_pidfd, SIGKILL);
  }
  killed_ = true;
  evidence_.ended_here = true;
  if (evidence_.wall_ns == 0) evidence_.wall_ns = monotonic_ns() - started_;
  if (!evidence_.exit && !evidence_.signal) evidence_.signal = SIGKILL;
}

std::vector<pid_t> Supervisor::others() const {
  auto pids = run_.cgroup->processes();
  if (!pids) return {};
  std::erase(*pids, run_.init_pid);
  return *pids;
}

/// A process number may be somebody else's by the time it is used: the group is asked again once it is held.
void Supervisor::forward(int signal) const {
  for (const pid_t pid : others()) {
    const auto process = sys::pidfd_open(pid);
    if (!process) continue;
    const std::vector<pid_t> still = others();
    if (std::find(still.begin(), still.end(), pid) != still.end())
      (void)sys::pidfd_signal(process->get(), signal);
  }
}

/// The action has ended; what it left running is named and killed.
void Supervisor::end_stragglers() {
  if (!killed_) {
    const std::int64_t settled = monotonic_ns() + kSettleNs;
    std::vector<pid_t> left = others();
    while (!left.empty() && monotonic_ns() < settled) {
      struct timespec pause = {0, 5'000'000};
      ::nanosleep(&pause, nullptr);
      run_.relay->drain();
      left = others();
    }
    if (left.empty()) return;
    (void)run_.cgroup->freeze();
    for (const pid_t pid : others()) {
      Leftover process;
      const std::string directory = "/proc/" + std::to_string(pid);
      process.pid = number_inside(directory);
      if (auto comm = sys::read_file((directory + "/comm").c_str(), 4096)) {
        while (!comm->empty() && comm->back() == '\n') comm->pop_back();
        process.comm = *comm;
      }
      if (auto line = sys::read_file((directory + "/cmdline").c_str(), std::size_t{4} << 20U)) {
        for (std::size_t at = 0; at < line->size();) {
          process.argv.emplace_back(line->c_str() + at);
          at += process.argv.back().size() + 1;
        }
      }
      evidence_.leftover.push_back(std::move(process));
    }
    if (!run_.cgroup->kill()) (void)sys::pidfd_signal(run_.init_pidfd, SIGKILL);
  }
  // PID 1 died with the rest; its end means that the whole pid namespace is empty.
  struct pollfd end = {run_.init_pidfd, POLLIN, 0};
  if (::poll(&end, 1, static_cast<int>(kKillPatienceNs / 1'000'000)) != 1) {
    (void)sys::pidfd_signal(run_.init_pidfd, SIGKILL);
    if (::poll(&end, 1, static_cast<int>(kKillPatienceNs / 1'000'000)) != 1) {
      evidence_.unobserved.emplace_back("a process of the action cannot be killed (it waits in the kernel)");
    }
  }
}

void Supervisor::account() {
  const RunCgroup::Usage now = run_.cgroup->usage();
  const RunCgroup::Usage usage = usage_.value_or(now);
  if (usage.user_ns + usage.system_ns > 0) {
    evidence_.user_ns = usage.user_ns;
    evidence_.system_ns = usage.system_ns;
  }
  evidence_.max_rss_bytes = std::max(evidence_.max_rss_bytes, usage.memory_peak_bytes);
  if (now.memory_oom_kills > 0)
    evidence_.limits_hit.push_back("memory of " + format_bytes(plan_.memory_bytes));
  if (now.pids_refused > 0)
    evidence_.limits_hit.push_back("number of processes: " + std::to_string(plan_.pids));
  if (run_.limits->wall_ns && !evidence_.timed_out && evidence_.wall_ns > *run_.limits->wall_ns) {
    evidence_.timed_out = true;
    evidence_.limits_hit.push_back("wall time of " + format_duration(*run_.limits->wall_ns) +
                                   ", noticed when the action had ended");
  }
  // An action that ended between two samples may have gone past a limit all the same.
  if (!killed_) (void)writes_exceeded();
  if (run_.writes->was_full()) {
    evidence_.limits_hit.emplace_back(
        "disk space: the layers' filesystem or quota was full, writes fail with ENOSPC or EDQUOT");
  }
  evidence_.stdin_bytes = run_.relay->in_bytes();
  evidence_.stdout_bytes = run_.relay->out_bytes();
  evidence_.stderr_bytes = run_.relay->err_bytes();
  evidence_.output_cut = run_.relay->cut();
  evidence_.unread = run_.relay->unread();
  evidence_.input_cut = run_.relay->input_cut();
}

}  // namespace

Result<Signals> Signals::create() {
  Signals made;
  sigset_t heard;
  sigset_t before;
  sigemptyset(&heard);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
    // What was ignored when rehearse was started (nohup) stays so; a blocked one would be heard all the same.
    if ((inherited().ignored_signals >> static_cast<unsigned>(signal - 1) & 1U) == 0 || signal == SIGWINCH)
      sigaddset(&heard, signal);
  }
  if (::sigprocmask(SIG_BLOCK, &heard, &before) != 0) return sys::last_error("sigprocmask");
  static_assert(sizeof before <= sizeof made.saved_);
  std::memcpy(made.saved_, &before, sizeof before);
  made.fd_.reset(::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!made.fd_.valid()) return sys::last_error("signalfd");
  return made;
}

Signals::~Signals() {
  if (!fd_.valid()) return;
  sigset_t before;
  std::memcpy(&before, saved_, sizeof before);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

std::string describe(InitStep step, int error, const Plan& plan) {
  const std::string why = std::string(": ") + strerrordesc_np(error);
  switch (step) {
    case InitStep::kExec:
      if (error == ENOENT) return "command not found: " + plan.request.argv.front();
      return "cannot execute " + plan.request.argv.front() + why;
    case InitStep::kInterpreter:
      return "cannot execute " + plan.request.argv.front() +
             ": it is there, its interpreter (what its first line or its ELF header names) is not";
    case InitStep::kWorkingDirectory:
      return "working directory " + plan.request.cwd + " cannot be entered inside" + why;
    case InitStep::kCgroup:
      return "joining the run's control groups failed" + why;
    case InitStep::kSetIds:
      return "becoming root of the user namespace failed" + why;
    case InitStep::kExecInit:
      return "executing the sandbox's init failed" + why;
    case InitStep::kKeyring:
      return "making a fresh session keyring failed" + why;
    case InitStep::kLoopback:
      return "bringing up loopback in the network namespace failed" + why;
    case InitStep::kParentDeath:
      return "tying the sandbox's life to rehearse failed" + why;
    case InitStep::kUnshare:
      return "locking the mount namespace failed" + why;
    case InitStep::kMountCgroup:
      return "mounting the run's own cgroup tree failed" + why;
    case InitStep::kCapabilities:
      return "dropping capabilities failed" + why;
    case InitStep::kLimits:
      return "setting resource limits failed" + why;
    case InitStep::kSeccomp:
      return "installing the system call filter failed" + why;
    case InitStep::kFork:
      return "starting the action's process failed" + why;
    case InitStep::kSession:
      return "starting a session failed" + why;
    case InitStep::kTerminal:
      return "taking the terminal failed" + why;
    case InitStep::kActionIds:
      return "becoming the requested user failed" + why;
    case InitStep::kReadConfig:
    case InitStep::kReceive:
    case InitStep::kDescriptors:
    case InitStep::kNone:
      break;
  }
  return "setting up the sandbox's init failed" + why;
}

Result<void> supervise(const Plan& plan, const Supervision& run, Evidence& evidence) {
  return Supervisor(plan, run, evidence).run();
}

}  // namespace rehearse::sandbox
