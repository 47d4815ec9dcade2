#include "rehearsal/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <unordered_set>

#include "base/clock.h"
#include "base/sys.h"
#include "rehearsal/inside_tool.h"
#include "units/host_units.h"
#include "units/manager_worker.h"
#include "units/worker_message.h"

namespace rehearse {
namespace {

constexpr std::int64_t kReadPatience = 5'000'000'000;  ///< for the host's manager, to tell what it has
constexpr std::int64_t kEndPatience = 10'000'000'000;  ///< for the worker to say its last
constexpr std::size_t kMostUnsent = 4U << 20U;         ///< with more the worker is not listened to
constexpr std::size_t kMostClients = 100'000;          ///< whose processes are known
constexpr std::string_view kInterfaces = "org.freedesktop.systemd1.";
constexpr const char* kSystemctl = "/usr/bin/systemctl";

/// The number that a process, `pid` in this process's pid namespace, has in the run's, which is a child of
/// this one; 0 if it is gone, or is none of a run's.
std::uint32_t number_inside(std::uint64_t pid) {
  const auto status = sys::read_file(fmt::format("/proc/{}/status", pid).c_str(), 1U << 16U);
  constexpr std::string_view kField = "\nNSpid:";
  const auto at = status ? status->find(kField) : std::string::npos;
  if (at == std::string::npos) return 0;
  unsigned here = 0;
  unsigned inside = 0;
  return std::sscanf(status->c_str() + at + kField.size(), "%u %u", &here, &inside) == 2 ? inside : 0;
}

}  // namespace

/// From the first client to the end of the run.
class ServiceManager::Session {
 public:
  Session(ServiceManager& owner, units::HostManager host, const units::HostUnits& known,
          units::ManagerWorker worker)
      : owner_(owner),
        host_(std::move(host)),
        worker_(std::move(worker)),
        tool_(std::move(owner.tools_), {owner.uid_shift_, owner.uid_shift_}, units::kMaxEditOutput) {
    for (const units::HostUnit& unit : known.units) known_.insert(unit.id);
  }

  /// Until the run ends, or the worker does.
  Result<void> run() {
    std::int64_t stop_until = 0;
    while (true) {
      const bool listens = output_.size() < kMostUnsent;
      std::vector<struct pollfd> polls = {
          {stop_until != 0 ? -1 : owner_.stopped_.get(), POLLIN, 0},
          {worker_.channel(), static_cast<short>((listens ? POLLIN : 0) | (output_.empty() ? 0 : POLLOUT)),
           0}};
      tool_.add_polls(polls);
      const std::int64_t left = stop_until == 0 ? -1 : std::max<std::int64_t>(0, stop_until - monotonic_ns());
      const int ready =
          ::poll(polls.data(), polls.size(), left < 0 ? -1 : static_cast<int>(left / 1'000'000));
      if (ready < 0 && errno != EINTR) return sys::last_error("poll");
      if (stop_until != 0 && monotonic_ns() >= stop_until)
        return fail("the service manager's worker does not end");  // and is killed
      if (polls[0].revents != 0) {
        stop_until = monotonic_ns() + kEndPatience;
        output_ += units::encode({units::Topic::kStop, {}, {}});
        if (tool_.busy()) owner_.trouble_.emplace_back("unit files were being edited when the action ended");
      }
      if (polls[1].revents != 0 && listens) {
        RH_TRY(const bool open, exchange());
        if (!open) break;
      }
      while (auto ended = tool_.serve(&polls[2])) {
        output_ += units::encode({units::Topic::kEdited,
                                  {ended->ticket, static_cast<std::uint64_t>(ended->exit + 1)},
                                  {std::move(ended->out), std::move(ended->err)}});
      }
      if (!output_.empty()) RH_CHECK(send());
    }
    RH_CHECK(worker_.finish());
    if (stop_until == 0) return fail("the service manager's worker ended by itself");
    return {};
  }

 private:
  /// False at the end of what the worker says.
  Result<bool> exchange() {
    std::string chunk(64U << 10U, '\0');
    const ssize_t n = ::recv(worker_.channel(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return n == 0;
    if (n == 0) return false;
    if (n > 0) input_.append(chunk, 0, static_cast<std::size_t>(n));
    while (true) {
      RH_TRY(auto message, units::take_message(input_));
      if (!message) return true;
      RH_CHECK(hear(std::move(*message)));
    }
  }

  Result<void> hear(units::WorkerMessage message) {
    using units::Topic;
    switch (message.topic) {
      case Topic::kProperties:
      case Topic::kProcesses:
        return tell(message);
      case Topic::kEdit:
        return edit(std::move(message));
      case Topic::kRequest: {
        RH_TRY(auto request, units::to_request(std::move(message)));
        if (owner_.requests_.size() >= units::kMaxRecords) return fail("the worker records more than it may");
        const auto client = static_cast<std::size_t>(request.process);
        if (owner_.watch_ != nullptr && units::changes_host(request))
          owner_.watch_->note({"unit request", request.request + ' ' + request.unit, {}, 0, {}, {}, 0});
        HeardRequest& heard = owner_.requests_.emplace_back();
        heard.request = std::move(request);
        if (client > 0 && client <= clients_.size()) heard.client = clients_[client - 1];
        return {};
      }
      case Topic::kUnrecorded:
        if (message.numbers.size() == 1) owner_.unrecorded_ = message.numbers[0];
        return {};
      case Topic::kClient:
        if (message.numbers.size() != 1) break;
        output_ += units::encode({Topic::kValue, {}, {std::to_string(note_client(message.numbers[0]))}});
        return {};
      case Topic::kStop:
      case Topic::kValue:
      case Topic::kFailure:
      case Topic::kEdited:
        break;
    }
    return fail("the service manager's worker says what it may not");
  }

  /// The number by which the worker knows that client from now on; 0: not known.
  std::size_t note_client(std::uint64_t pid) {
    const std::uint32_t inside = number_inside(pid);
    if (inside == 0 || clients_.size() >= kMostClients) return 0;
    clients_.push_back({inside, static_cast<std::uint64_t>(monotonic_ns())});
    return clients_.size();
  }

  /// Only of units that the host's manager has loaded: the question would load others.
  Result<void> tell(const units::WorkerMessage& asked) {
    const auto& texts = asked.texts;
    const bool properties = asked.topic == units::Topic::kProperties;
    if (texts.size() != (properties ? 2 : 1)) return fail("the service manager's worker asks wrongly");
    const bool may =
        known_.contains(texts[0]) && (!properties || texts[1].empty() || texts[1].starts_with(kInterfaces));
    auto value = !may         ? Result<std::string>(fail("the host has not loaded it"))
                 : properties ? host_.unit_properties(texts[0], texts[1])
                              : host_.unit_processes(texts[0]);
    if (!host_.answers() && !host_silent_) {
      host_silent_ = true;
      owner_.trouble_.push_back(
          "the host's service manager has stopped answering: what was said of its units may be wrong");
    }
    output_ += value ? units::encode({units::Topic::kValue, {}, {std::move(*value)}})
                     : units::encode({units::Topic::kFailure, {}, {value.error().what}});
    return {};
  }

  Result<void> edit(units::WorkerMessage asked) {
    if (asked.numbers.size() != 1 || tool_.waiting() >= units::kMaxTickets)
      return fail("the service manager's worker asks for too much");
    std::vector<std::string> argv = {kSystemctl, "--root=/"};
    std::move(asked.texts.begin(), asked.texts.end(), std::back_inserter(argv));
    tool_.run(asked.numbers[0], std::move(argv));
    return {};
  }

  Result<void> send() {
    const ssize_t n = ::send(worker_.channel(), output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) output_.erase(0, static_cast<std::size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
      return sys::last_error("send", "to the service manager's worker");
    return {};
  }

  ServiceManager& owner_;
  units::HostManager host_;
  units::ManagerWorker worker_;
  InsideTool tool_;
  std::unordered_set<std::string> known_;
  std::vector<ManagerClient> clients_;
  bool host_silent_ = false;
  std::string input_;
  std::string output_;
};

Result<void> ServiceManager::begin(UniqueFd listener, UniqueFd init, UniqueFd mounts, UniqueFd tools) {
  RH_TRY(auto stop, sys::pipe(O_CLOEXEC));
  begun_ns_ = realtime_ns();
  listener_ = std::move(listener);
  init_ = std::move(init);
  mounts_ = std::move(mounts);
  tools_ = std::move(tools);
  stop_ = std::move(stop.write);
  stopped_ = std::move(stop.read);
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "cannot start the service manager's thread");
  }
  return {};
}

void ServiceManager::work() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  try {
    wait_for_client();
  } catch (const std::exception& exception) {
    trouble_.emplace_back(exception.what());
  }
}

void ServiceManager::end() {
  if (!thread_.joinable()) return;
  stop_.reset();
  thread_.join();
  mounts_.reset();
}

void ServiceManager::wait_for_client() {
  struct pollfd polls[2] = {{stopped_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  while (::poll(polls, 2, -1) < 0 && errno == EINTR) {
  }
  if (polls[1].revents == 0) return;
  const auto serve = [this]() -> Result<void> {
    const std::int64_t deadline = monotonic_ns() + kReadPatience;
    RH_TRY(auto host, units::HostManager::connect(units::kHostManagerSocket, deadline));
    RH_TRY(auto known, host.read(deadline));
    // What the action has done to unit files before its first question is not the host's manager's knowledge.
    known.read_at_ns = std::min(known.read_at_ns, begun_ns_);
    units::ManagerSetup setup;
    setup.host = &known;
    setup.listener = listener_.get();
    setup.init_pidfd = init_.get();
    setup.mounts = mounts_.get();
    setup.uid_shift = uid_shift_;
    RH_TRY(auto worker, units::ManagerWorker::start(setup));
    RH_CHECK(worker.wait_ready());
    listener_.reset();  // the worker's alone: when it dies, nobody waits for an answer
    return Session(*this, std::move(host), known, std::move(worker)).run();
  };
  if (const auto served = serve(); !served) trouble_.push_back(served.error().what);
  listener_.reset();
}

}  // namespace rehearse
