#include "gate/worker.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "base/confinement.h"
#include "base/sys.h"

namespace rehearse::gate {
namespace {

constexpr std::uint64_t kMemoryLimit = std::uint64_t{1} << 30U;  ///< twice what Engine lets be used

/// Descriptors of the worker, and the one it reports on.
std::vector<int> descriptors(const EngineSetup& setup, int status) {
  std::vector<int> kept = {setup.log, setup.control, status};
  if (setup.exchanges >= 0) kept.push_back(setup.exchanges);
  const RunSockets& sockets = *setup.sockets;
  for (const UniqueFd* socket :
       {&sockets.tcp4, &sockets.tcp6, &sockets.udp4, &sockets.udp6, &sockets.raw4, &sockets.raw6}) {
    if (socket->valid()) kept.push_back(socket->get());
  }
  return kept;
}

Result<void> work(const EngineSetup& setup, int supervisor, int status, const WorkerProcess::Ready& ready) {
  std::vector<int> kept = descriptors(setup, status);
  RH_CHECK(close_others(kept));
  RH_TRY(const std::uint64_t descriptors, limit_descriptors(Engine::kDescriptors));
  RH_TRY(const auto engine, Engine::create(setup, descriptors));
  RH_CHECK(limit_memory(kMemoryLimit));
  Confinement as;
  as.parent = supervisor;
  RH_CHECK(confine(as));
  RH_CHECK(ready());
  return engine->run();
}

}  // namespace

Result<Worker> Worker::start(const EngineSetup& setup) {
  RH_TRY(auto control, sys::pipe(O_CLOEXEC));
  EngineSetup made = setup;
  made.control = control.read.get();
  const pid_t supervisor = ::getpid();
  RH_TRY(auto process,
         WorkerProcess::start("the gate's worker", [&](int status, const WorkerProcess::Ready& ready) {
           return work(made, supervisor, status, ready);
         }));
  return Worker(std::move(process), std::move(control.write));
}

Result<void> Worker::finish() {
  control_.reset();
  return process_.finish();
}

}  // namespace rehearse::gate
