#include "promote/unit_runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>

#include "base/clock.h"
#include "base/sys.h"
#include "base/units.h"

namespace rehearse::promote {
namespace {

using ledger::StepResult;
using ledger::UnitStep;

constexpr std::array<const char*, 2> kPrograms = {"/usr/bin/systemctl", "/bin/systemctl"};
constexpr std::size_t kMostSaid = 4096;
constexpr std::size_t kMostShown = std::size_t{1} << 20U;
constexpr std::size_t kMostNames = 128;  ///< in one question
/// systemd.unit(5), "Mapping of unit properties to their inverses": who is stopped with a unit, or by its
/// start.
constexpr std::array<std::string_view, 7> kFollowers = {
    "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "Conflicts", "ConflictedBy", "PropagatesStopTo"};

const char* program() {
  for (const char* path : kPrograms) {
    if (::access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

/// A process group of its own, standard output and error on `out`.
Result<pid_t> start(const char* path, const std::vector<std::string>& words, int out) {
  std::vector<const char*> argv = {path, "--no-pager", "--no-ask-password"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  static constexpr std::array<const char*, 6> kEnvironment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LC_ALL=C",
      "SYSTEMD_COLORS=0",
      "SYSTEMD_URLIFY=0",
      "HOME=/root",
      nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addchdir_np(&actions, "/");
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int err = ::posix_spawn(&child, path, &actions, &attributes, const_cast<char* const*>(argv.data()),
                                const_cast<char* const*>(kEnvironment.data()));
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (err != 0) return fail_errno(err, std::string("start ") + path);
  return child;
}

/// Until everybody who holds the other end has closed it, or the time is up: false.
bool drain(int fd, std::int64_t deadline_ns, std::size_t most, std::string& output) {
  std::array<char, 4096> piece = {};
  while (true) {
    const std::int64_t left = deadline_ns - monotonic_ns();
    if (left <= 0) return false;
    struct pollfd poll = {fd, POLLIN, 0};
    const struct timespec timeout = {left / 1'000'000'000, left % 1'000'000'000};
    const int ready = ::ppoll(&poll, 1, &timeout, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return true;
    output.append(piece.data(), static_cast<std::size_t>(n));
    if (output.size() > most) output.erase(0, output.size() - most);
  }
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

void add_words(std::string_view line, std::vector<std::string>& words) {
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    if (!word.empty()) words.emplace_back(word);
    line.remove_prefix(std::min(word.size() + 1, line.size()));
  }
}

/// What systemctl is to be told.
std::vector<std::string> words_of(const UnitStep& step) {
  std::vector<std::string> words;
  if (step.verb == "kill") {
    const auto space = step.mode.find(' ');
    words.push_back("--signal=" + step.mode.substr(0, space));
    if (space + 1 < step.mode.size()) words.push_back("--kill-who=" + step.mode.substr(space + 1));
  } else if (!step.mode.empty()) {
    words.push_back("--job-mode=" + step.mode);
  }
  words.push_back(step.verb);
  if (!step.unit.empty()) {
    words.emplace_back("--");
    words.push_back(step.unit);
  }
  return words;
}

}  // namespace

bool has_service_manager() {
  return ::access("/run/systemd/system", F_OK) == 0 && program() != nullptr;
}

Result<UnitRunner::Answer> UnitRunner::systemctl(const std::vector<std::string>& words,
                                                 std::size_t most_output) const {
  const char* path = program();
  if (path == nullptr) return fail("there is no systemctl", ExitCode::kUnavailable);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return sys::last_error("pipe");
  UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const std::int64_t deadline = monotonic_ns() + most_ns_;
  RH_TRY(const pid_t child, start(path, words, in.get()));
  in.reset();
  Answer answer;
  const bool ended = drain(out.get(), deadline, most_output, answer.output);
  if (!ended) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) return fail("no answer within " + format_duration(most_ns_), ExitCode::kUnavailable);
  answer.done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  answer.output = trimmed(std::move(answer.output));
  if (!answer.done && answer.output.empty())
    answer.output = WIFEXITED(status) ? fmt::format("systemctl ended with status {}", WEXITSTATUS(status))
                                      : fmt::format("systemctl was killed by signal {}", WTERMSIG(status));
  return answer;
}

Result<std::vector<UnitRunner::Seen>> UnitRunner::ask(std::vector<std::string> names) const {
  std::vector<std::string> words = {"show", "--property=Id", "--property=ActiveState"};
  for (const std::string_view property : kFollowers) words.push_back("--property=" + std::string(property));
  words.emplace_back("--");
  const std::size_t count = names.size();
  std::move(names.begin(), names.end(), std::back_inserter(words));
  RH_TRY(const Answer answer, systemctl(words, kMostShown));
  std::vector<Seen> seen;
  for (std::string_view rest = answer.output; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with("Id=")) seen.emplace_back().id = line.substr(3);
    if (seen.empty()) continue;
    if (line.starts_with("ActiveState=")) seen.back().state = line.substr(12);
    const std::size_t equal = line.find('=');
    if (std::find(kFollowers.begin(), kFollowers.end(), line.substr(0, equal)) != kFollowers.end())
      add_words(line.substr(equal + 1), seen.back().followers);
  }
  if (!answer.done || seen.size() != count) return fail("not all units were shown", ExitCode::kUnavailable);
  return seen;
}

std::vector<UnitRunner::Seen> UnitRunner::look_at(const std::vector<std::string>& names) const {
  std::vector<Seen> all;
  const std::int64_t deadline = monotonic_ns() + most_ns_;
  while (all.size() < names.size()) {
    const auto first = names.begin() + static_cast<std::ptrdiff_t>(all.size());
    const std::size_t count = std::min(kMostNames, names.size() - all.size());
    auto seen = ask({first, first + static_cast<std::ptrdiff_t>(count)});
    // One that cannot be shown is not to keep the others back.
    for (std::size_t i = 0; !seen && i < count; ++i) {
      auto one = monotonic_ns() < deadline ? ask({names[all.size()]}) : Result<std::vector<Seen>>();
      all.push_back(one && one->size() == 1 ? std::move(one->front()) : Seen());
    }
    if (seen) std::move(seen->begin(), seen->end(), std::back_inserter(all));
  }
  return all;
}

std::string UnitRunner::state_of(const std::string& unit) const {
  return unit.empty() ? std::string() : look_at({unit}).front().state;
}

void UnitRunner::carry_out(UnitStep& step, const std::function<void()>& begun) const {
  const std::int64_t started = monotonic_ns();
  step.before = state_of(step.unit);
  step.result = StepResult::kBegun;
  begun();
  auto answer = systemctl(words_of(step), kMostSaid);
  step.result = answer && answer->done ? StepResult::kDone : StepResult::kFailed;
  step.detail = answer ? std::move(answer->output) : answer.error().what;
  step.after = state_of(step.unit);
  // systemctl is content with a unit that is down, however it went.
  if (step.verb == "stop" && step.result == StepResult::kDone && step.after == "failed" &&
      step.before != "failed") {
    const bool starting = step.before == "activating";
    if (!starting) step.result = StepResult::kFailed;
    step.detail = starting ? "it was being started, and was cut off" : "it is down, and ended as failed";
  }
  step.took_ns = monotonic_ns() - started;
}

}  // namespace rehearse::promote
