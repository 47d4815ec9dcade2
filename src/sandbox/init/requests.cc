#include "sandbox/init/requests.h"

#include <cstring>

#include "sandbox/init/program.h"
#include "sandbox/init/raw.h"
#include "sandbox/init/supervisor_link.h"

namespace rehearse::sandbox {

using raw::call;

namespace {

// What was asked for last, until it is started: one request is read at a time.
alignas(8) char request[kMaxToolRequest];
const char* words[kMaxToolWords + 2];

/// The strings that begin at `from` of the request's `size` bytes into `words`, a null after the first
/// `first`; false unless they are `first + rest` and end with the request.
bool split_request(long size, long from, std::uint32_t first, std::uint32_t rest) {
  if (first > kMaxToolWords || rest > kMaxToolWords - first) return false;
  const char** word = words;
  std::uint32_t count = 0;
  long begin = from;
  for (long i = from; i < size; ++i) {
    if (request[i] != 0) continue;
    if (count == first + rest) return false;
    if (count++ == first && first > 0) *word++ = nullptr;
    *word++ = request + begin;
    begin = i + 1;
  }
  *word = nullptr;
  return count == first + rest && rest > 0 && begin == size;
}

void start_as_tool(Start& start) {
  static const char* const environment[] = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
      "SYSTEMCTL_SKIP_SYSV=1", nullptr};
  start.umask = 022;
  start.cwd = "/";
  start.envp = environment;
}

/// Spawns what `words` say; its process id or a negative errno.
long spawn_and_close(Start& start) {
  const long pid = spawn(start);
  for (const int fd : start.fds) call(SYS_close, fd);
  return pid;
}

long seconds_now() {
  long now[2] = {};
  call(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, now);
  return now[0];
}

/// It leads a session of its own, and so a process group.
void stop_group(long pid) {
  if (pid <= 0) return;
  call(SYS_kill, -pid, 9);
  call(SYS_kill, pid, 9);
}

}  // namespace

void Tool::kill_if_late() const {
  if (pid > 0 && seconds_now() >= until_s) stop_group(pid);
}

void Tool::end(int error, int status) {
  const ToolEnd message = {error, status};
  call(SYS_write, kInitToolsFd, &message, sizeof message);
  pid = 0;
}

void Tool::run() {
  Start start = {};
  const long n = receive(kInitToolsFd, request, sizeof request, start.fds, 3);
  if (n <= 0) {
    // Nobody asks any more.
    if (n != kNoDescriptors) call(SYS_close, kInitToolsFd);
    if (n != kNoDescriptors) config->tools = 0;
    return;
  }
  ToolRequest head = {};
  memcpy(&head, request, sizeof head);
  start_as_tool(start);
  if (!split_request(n, sizeof head, 0, head.argc)) {
    for (const int fd : start.fds) call(SYS_close, fd);
    return end(kEnoent, 0);
  }
  const auto path = reinterpret_cast<std::uint64_t>(words[0]);
  start.candidates = &path;
  start.candidate_count = 1;
  start.argv = words;
  until_s = seconds_now() + static_cast<long>(head.seconds);
  pid = spawn_and_close(start);
  if (pid < 0) return end(static_cast<int>(-pid), 0);
  // It is reaped like one that ran.
  if (start.step != InitStep::kNone) end(static_cast<int>(-start.error), 0);
}

void Probe::end(InitStep step, long error, int status) {
  InitMessage message = {};
  message.event = InitEvent::kProbeEnded;
  message.step = step;
  message.error = static_cast<std::int32_t>(-error);
  message.status = status;
  send(message);
  pid = 0;
}

void Probe::stop() const {
  stop_group(pid);
}

void Probe::run(long size, const int fds[3]) {
  ProbeRequest head = {};
  memcpy(&head, request, sizeof head);
  Start start = action_start();
  start.terminal = false;
  memcpy(start.fds, fds, sizeof start.fds);
  if (!split_request(size, sizeof head, head.candidates, head.argc) || head.candidates == 0) {
    for (const int fd : start.fds) call(SYS_close, fd);
    return end(InitStep::kReceive, -kEnoent, 0);
  }
  start.candidates = reinterpret_cast<const std::uint64_t*>(words);
  start.candidate_count = head.candidates;
  start.argv = words + head.candidates + 1;
  pid = spawn_and_close(start);
  if (pid < 0) return end(InitStep::kFork, pid, 0);
  // It is reaped like one that ran.
  if (start.step != InitStep::kNone) return end(start.step, start.error, 0);
  InitMessage started = {};
  started.event = InitEvent::kProbeStarted;
  started.pid = static_cast<std::int32_t>(pid);
  send(started);
}

void hear_supervisor(Probe& probe) {
  int fds[3];
  memset(request, 0, sizeof(InitCommand));
  const long n = receive(kInitControlFd, request, sizeof request, fds, 3);
  if (n <= 0 && n != kNoDescriptors) quit(0);
  InitCommand command = {};
  memcpy(&command, request, sizeof command);
  if (command == InitCommand::kQuit) quit(0);
  if (command == InitCommand::kStop) return probe.stop();
  if (n < static_cast<long>(sizeof(ProbeRequest)) || command != InitCommand::kProbe) return;
  if (probe.pid == 0) return probe.run(n, fds);
  for (const int fd : fds) call(SYS_close, fd);
}

}  // namespace rehearse::sandbox
