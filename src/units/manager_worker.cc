#include "units/manager_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "base/confinement.h"
#include "base/message.h"
#include "base/sys.h"
#include "units/client_loop.h"
#include "units/manager.h"
#include "units/unit_directory.h"
#include "units/worker_message.h"

namespace rehearse::units {
namespace {

constexpr std::uint64_t kMemoryLimit = std::uint64_t{256} << 20U;
constexpr std::int64_t kDrainPatience = 5'000'000'000;

/// The worker's end of the channel.
class Channel {
 public:
  explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}

  /// Blocks; the supervisor always reads.
  void send(const WorkerMessage& message) const { (void)sys::write_all(socket_.get(), encode(message)); }
  /// Blocks until the answer to a question is there; what else comes is kept.
  Result<std::string> answer() {
    while (!ended_) {
      RH_TRY(auto message, next());
      if (!message || keep(*message)) continue;
      if (message->texts.size() == 1 && message->topic == Topic::kValue) {
        return std::move(message->texts.front());
      } else {
        return fail(message->texts.empty() ? "not known" : message->texts.front());
      }
    }
    return fail("the supervisor has gone");
  }
  /// Reads once, as there is something.
  Result<void> receive() {
    RH_CHECK(read());
    while (true) {
      RH_TRY(auto message, take_message(input_));
      if (!message) return {};
      (void)keep(*message);
    }
  }
  [[nodiscard]] bool stopping() const { return stopping_; }
  std::deque<WorkerMessage> take_edited() { return std::exchange(edited_, {}); }

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  Result<std::optional<WorkerMessage>> next() {
    RH_TRY(auto message, take_message(input_));
    if (message) return message;
    RH_CHECK(read());
    return take_message(input_);
  }
  Result<void> read() {
    std::string chunk(64U << 10U, '\0');
    const ssize_t n = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (n < 0 && errno != EINTR) return sys::last_error("recv", "from the supervisor");
    if (n == 0) ended_ = true;
    if (n > 0) input_.append(chunk, 0, static_cast<std::size_t>(n));
    return {};
  }

  UniqueFd socket_;
  std::string input_;
  std::deque<WorkerMessage> edited_;
  bool stopping_ = false;
  bool ended_ = false;

  /// Keeps what is no answer to a question. False if it is one.
  bool keep(WorkerMessage& message) {
    const Topic topic = message.topic;
    if (topic == Topic::kStop) stopping_ = true;
    if (topic == Topic::kEdited) edited_.push_back(std::move(message));
    return topic == Topic::kStop || topic == Topic::kEdited;
  }
};

class Source final : public PropertySource {
 public:
  explicit Source(Channel& channel) : channel_(channel) {}
  Result<std::string> unit_properties(const std::string& unit, const std::string& interface) override {
    channel_.send({Topic::kProperties, {}, {unit, interface}});
    return channel_.answer();
  }
  Result<std::string> unit_processes(const std::string& unit) override {
    channel_.send({Topic::kProcesses, {}, {unit}});
    return channel_.answer();
  }

 private:
  Channel& channel_;
};

class Editor final : public UnitFileEditor {
 public:
  explicit Editor(Channel& channel) : channel_(channel) {}
  void run(std::uint64_t ticket, std::vector<std::string> words) override {
    channel_.send({Topic::kEdit, {ticket}, std::move(words)});
  }

 private:
  Channel& channel_;
};

EditAnswer to_answer(WorkerMessage& message) {
  EditAnswer answer;
  if (message.numbers.size() != 2 || message.texts.size() != 2) return answer;
  answer.exit = static_cast<int>(message.numbers[1]) - 1;
  answer.out = std::move(message.texts[0]);
  answer.err = std::move(message.texts[1]);
  return answer;
}

Result<void> serve(const HostUnits& host, UniqueFd root, UniqueFd listener, Channel channel,
                   std::uint32_t uid_shift) {
  Source source(channel);
  Editor editor(channel);
  UnitDirectory finder(std::move(root));
  Manager manager(host, source, finder, editor);
  ClientLoop clients(manager, std::move(listener), uid_shift, [&channel](pid_t process) {
    channel.send({Topic::kClient, {static_cast<std::uint64_t>(process)}, {}});
    return static_cast<pid_t>(std::strtol(channel.answer().value_or("").c_str(), nullptr, 10));
  });
  std::uint64_t unrecorded = 0;
  std::int64_t drain_until = 0;
  while (!channel.ended()) {
    std::vector<struct pollfd> polls = {{channel.fd(), POLLIN, 0}};
    clients.add_polls(polls);
    const bool draining = channel.stopping();
    if (draining && drain_until == 0) {
      drain_until = monotonic_ns() + kDrainPatience;
      manager.abandon_edits("The action had ended before systemctl had.");
    }
    const int ready = ::poll(polls.data(), polls.size(), draining ? 0 : clients.patience());
    if (ready < 0 && errno != EINTR) return sys::last_error("poll");
    if (polls[0].revents != 0) RH_CHECK(channel.receive());
    clients.serve(std::span(polls).subspan(1));
    for (WorkerMessage& edited : channel.take_edited()) {
      const std::uint64_t ticket = edited.numbers.empty() ? 0 : edited.numbers[0];
      manager.answer(ticket, to_answer(edited));
    }
    clients.flush();
    for (const UnitRequest& request : manager.take_requests()) channel.send(to_message(request));
    if (unrecorded != manager.unrecorded()) {
      unrecorded = manager.unrecorded();
      channel.send({Topic::kUnrecorded, {unrecorded}, {}});
    }
    // All clients are dead: what their sockets hold is finite, and read when there is no more of it.
    if (draining && ready == 0) return {};
    if (draining && monotonic_ns() > drain_until) return fail("it cannot read all that was asked of it");
  }
  return {};
}

Result<void> work(const ManagerSetup& setup, UniqueFd channel, int supervisor, int status,
                  const WorkerProcess::Ready& ready) {
  RH_CHECK(limit_memory(kMemoryLimit));
  // What is asked last may be looked at when nothing of the run lives any more.
  if (!sys::set_namespace(setup.init_pidfd, CLONE_NEWNS))
    RH_CHECK(sys::set_namespace(setup.mounts, CLONE_NEWNS));
  RH_TRY(auto root, sys::open("/", O_PATH | O_DIRECTORY));
  int kept[] = {setup.listener, channel.get(), root.get(), status};
  RH_CHECK(close_others(kept));
  Confinement as;
  as.parent = supervisor;
  as.id = setup.uid_shift;  // root of the clone: it may read unit files of mode 0600
  as.allowance = Allowance::kReading;
  RH_CHECK(confine(as));
  RH_CHECK(ready());
  return serve(*setup.host, std::move(root), UniqueFd(setup.listener), Channel(std::move(channel)),
               setup.uid_shift);
}

}  // namespace

Result<ManagerWorker> ManagerWorker::start(const ManagerSetup& setup) {
  RH_TRY(auto pair, socket_pair(SOCK_STREAM));
  const pid_t supervisor = ::getpid();
  RH_TRY(auto process, WorkerProcess::start("the service manager's worker",
                                            [&](int status, const WorkerProcess::Ready& ready) {
                                              return work(setup, std::move(pair.second), supervisor, status,
                                                          ready);
                                            }));
  return ManagerWorker(std::move(process), std::move(pair.first));
}

}  // namespace rehearse::units
