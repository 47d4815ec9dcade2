// The service manager of one rehearsal: nothing but a waiting thread until the action asks for it.
//
// The first client has the host's manager read and the worker started (units/manager_worker.h). What the
// worker cannot do it asks of this side, which believes it nothing: properties of units from the host's
// manager, and systemctl run inside to edit unit files.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "rehearsal/write_watch.h"
#include "sandbox/sandbox.h"
#include "units/manager.h"

namespace rehearse {

/// Who made a connection: the process that had this number in the run's pid namespace at that moment.
struct ManagerClient {
  std::uint32_t pid = 0;      ///< 0: not known
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
};

struct HeardRequest {
  units::UnitRequest request;
  ManagerClient client;
};

class ServiceManager final : public sandbox::ServiceManager {
 public:
  /// `uid_shift`: what the run's user namespace adds to ids.
  explicit ServiceManager(std::uint32_t uid_shift) : uid_shift_(uid_shift) {}
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;
  ~ServiceManager() override { end(); }

  /// Before begin(): tells it what is asked for that would change the host. Borrowed.
  void watch(WriteWatch& watch) { watch_ = &watch; }
  Result<void> begin(UniqueFd listener, UniqueFd init, UniqueFd mounts, UniqueFd tools) override;
  /// Nothing of the action lives any more. Then the others may be called.
  void end();

  [[nodiscard]] const std::vector<HeardRequest>& requests() const { return requests_; }
  /// Requests that were answered and not kept.
  [[nodiscard]] std::uint64_t unrecorded() const { return unrecorded_; }
  /// Why what is recorded may not be all.
  [[nodiscard]] const std::vector<std::string>& trouble() const { return trouble_; }

 private:
  class Session;
  void work();
  void wait_for_client();

  std::uint32_t uid_shift_;
  std::int64_t begun_ns_ = 0;  ///< CLOCK_REALTIME
  WriteWatch* watch_ = nullptr;
  UniqueFd listener_;
  UniqueFd init_;
  UniqueFd mounts_;
  UniqueFd tools_;
  UniqueFd stop_;     ///< closed: end
  UniqueFd stopped_;  ///< readable then
  // Of the thread, until it has ended.
  std::vector<HeardRequest> requests_;
  std::uint64_t unrecorded_ = 0;
  std::vector<std::string> trouble_;
  std::thread thread_;
};

}  // namespace rehearse
