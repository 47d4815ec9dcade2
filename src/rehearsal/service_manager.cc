#include "rehearsal/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
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
constexpr int kEndPatience = 10'000;                   ///< milliseconds, for the worker to say its last
constexpr std::string_view kInterfaces = "org.freedesktop.systemd1.";
constexpr const char* kSystemctl = "/usr/bin/systemctl";

/// The number that a process, `pid` in this process's pid namespace, has in its own; 0 if it is gone.
unsigned long number_inside(std::uint64_t pid) {
  const auto status = sys::read_file(fmt::format("/proc/{}/status", pid).c_str(), 1U << 16U);
  constexpr std::string_view kField = "\nNSpid:";
  const auto at = status ? status->find(kField) : std::string::npos;
  if (at == std::string::npos) return 0;
  const std::string line =
      status->substr(at + kField.size(), status->find('\n', at + 1) - at - kField.size());
  return std::strtoul(line.substr(line.find_last_of(" \t") + 1).c_str(), nullptr, 10);
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
        tool_(std::move(owner.tools_), units::kMaxEditOutput) {
    for (const units::HostUnit& unit : known.units) known_.insert(unit.id);
  }

  /// Until the run ends, or the worker does.
  Result<void> run() {
    bool stopping = false;
    while (true) {
      std::vector<struct pollfd> polls = {
          {stopping ? -1 : owner_.stopped_.get(), POLLIN, 0},
          {worker_.channel(), static_cast<short>(POLLIN | (output_.empty() ? 0 : POLLOUT)), 0}};
      tool_.add_polls(polls);
      const int ready = ::poll(polls.data(), polls.size(), stopping ? kEndPatience : -1);
      if (ready < 0 && errno != EINTR) return sys::last_error("poll");
      if (ready == 0) return worker_.finish();  // which kills it
      if (polls[0].revents != 0) {
        stopping = true;
        worker_.stop();
      }
      if (polls[1].revents != 0) {
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
    if (!stopping) return fail("the service manager's worker ended by itself");
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
        owner_.requests_.push_back({std::move(request), static_cast<std::uint64_t>(monotonic_ns())});
        return {};
      }
      case Topic::kUnrecorded:
        if (message.numbers.size() == 1) owner_.unrecorded_ = message.numbers[0];
        return {};
      case Topic::kClient:
        if (message.numbers.size() != 1) break;
        output_ += units::encode({Topic::kValue, {}, {std::to_string(number_inside(message.numbers[0]))}});
        return {};
      case Topic::kValue:
      case Topic::kFailure:
      case Topic::kEdited:
        break;
    }
    return fail("the service manager's worker says what it may not");
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
  std::string input_;
  std::string output_;
};

Result<void> ServiceManager::begin(UniqueFd listener, UniqueFd init, UniqueFd tools) {
  RH_TRY(auto stop, sys::pipe(O_CLOEXEC));
  listener_ = std::move(listener);
  init_ = std::move(init);
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
}

void ServiceManager::wait_for_client() {
  struct pollfd polls[2] = {{stopped_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  while (::poll(polls, 2, -1) < 0 && errno == EINTR) {
  }
  if (polls[1].revents == 0) return;
  const auto serve = [this]() -> Result<void> {
    const std::int64_t deadline = monotonic_ns() + kReadPatience;
    RH_TRY(auto host, units::HostManager::connect(units::kHostManagerSocket, deadline));
    RH_TRY(const auto known, host.read(deadline));
    units::ManagerSetup setup;
    setup.host = &known;
    setup.listener = listener_.get();
    setup.init_pidfd = init_.get();
    setup.uid_shift = uid_shift_;
    RH_TRY(auto worker, units::ManagerWorker::start(setup));
    listener_.reset();  // the worker's alone: when it dies, nobody waits for an answer
    RH_CHECK(worker.wait_ready());
    return Session(*this, std::move(host), known, std::move(worker)).run();
  };
  const auto served = serve();
  listener_.reset();
  if (!served) trouble_.push_back(served.error().what);
}

}  // namespace rehearse
