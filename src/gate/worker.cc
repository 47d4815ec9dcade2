#include "gate/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/confinement.h"
#include "base/message.h"

namespace rehearse::gate {
namespace {

constexpr std::uint64_t kMemoryLimit = std::uint64_t{1} << 30U;  ///< twice what Engine lets be used

/// The sockets in the order in which they are sent.
template <class Sockets>
auto all(Sockets& sockets) {
  return std::array{&sockets.tcp4, &sockets.tcp6, &sockets.udp4, &sockets.udp6,
                    &sockets.raw4, &sockets.raw6, &sockets.syn4, &sockets.syn6};
}

/// A byte each says which there are.
Result<void> send_sockets(int to, const RunSockets& sockets) {
  std::string there;
  std::vector<int> fds;
  for (const UniqueFd* socket : all(sockets)) {
    there += socket->valid() ? '1' : '0';
    if (socket->valid()) fds.push_back(socket->get());
  }
  return send_message(to, there, fds);
}

Result<RunSockets> receive_sockets(int from) {
  RunSockets sockets;
  const auto places = all(sockets);
  RH_TRY(auto message, receive_message(from, places.size()));
  if (message.text.empty()) return fail("the supervisor has given up");
  std::size_t next = 0;
  for (std::size_t i = 0; i < std::min(places.size(), message.text.size()); ++i) {
    if (message.text[i] == '1' && next < message.fds.size()) *places[i] = std::move(message.fds[next++]);
  }
  if (!sockets.tcp4.valid() || !sockets.udp4.valid() || !sockets.raw4.valid() || !sockets.syn4.valid())
    return fail("the run's sockets did not arrive");
  return sockets;
}

Result<void> work(const EngineSetup& setup, int supervisor, int status, const WorkerProcess::Ready& ready) {
  std::vector<int> kept = {setup.log, setup.control, status};
  if (setup.exchanges >= 0) kept.push_back(setup.exchanges);
  RH_CHECK(close_others(kept));
  RH_TRY(const std::uint64_t descriptors, limit_descriptors(Engine::kDescriptors));
  RH_TRY(const auto engine, Engine::create(setup, descriptors));
  RH_CHECK(limit_memory(kMemoryLimit));
  Confinement as;
  as.parent = supervisor;
  RH_CHECK(confine(as));
  RH_TRY(const auto sockets, receive_sockets(setup.control));
  RH_CHECK(engine->begin(sockets));
  RH_CHECK(ready());
  return engine->run();
}

}  // namespace

Result<Worker> Worker::start(const EngineSetup& setup) {
  RH_TRY(auto control, socket_pair(SOCK_SEQPACKET));
  EngineSetup made = setup;
  made.control = control.second.get();
  const pid_t supervisor = ::getpid();
  RH_TRY(auto process, WorkerProcess::start("the gate's worker",
                                            [&](int status, const WorkerProcess::Ready& ready) {
                                              return work(made, supervisor, status, ready);
                                            },
                                            {setup.kernel, sizeof *setup.kernel}));
  return Worker(std::move(process), std::move(control.first));
}

Result<void> Worker::serve(const RunSockets& sockets) {
  auto sent = send_sockets(control_.get(), sockets);
  // One that has ended has said why.
  RH_CHECK(process_.wait_ready());
  return sent;
}

Result<void> Worker::finish() {
  end();
  return process_.finish();
}

}  // namespace rehearse::gate
