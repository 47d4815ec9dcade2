// One promotion, rollback or recovery a host at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace rehearse::promote {

/// Held while it lives; dies with the process.
class HostLock {
 public:
  /// Waits up to `wait_ns`; kTryLater names who holds it. `run` is what others are told. `waiting` is told
  /// every now and then for whom. An error too if an end is asked for (stop_request.h).
  static Result<HostLock> take(const std::string& run, std::int64_t wait_ns,
                               const std::function<void(const std::string&)>& waiting = {});
  /// Nothing if somebody holds it; `holder` is told who.
  static Result<std::optional<HostLock>> try_take(const std::string& run, std::string* holder = nullptr);

 private:
  explicit HostLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace rehearse::promote
