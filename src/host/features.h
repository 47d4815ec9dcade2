// What this kernel and host can do, found out by doing it in throw-away children. For `rehearse doctor` only:
// a run finds out by itself, at no extra cost.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "host/facts.h"

namespace rehearse::host {

enum class Status : std::uint8_t { kOk, kDegraded, kMissing };

struct Check {
  std::string id;     ///< stable: "namespaces.user"
  std::string group;  ///< heading
  Status status = Status::kOk;
  std::string what;       ///< the fact
  std::string meaning;    ///< if not ok: what it means for a rehearsal
  std::string fix;        ///< if not ok: what to do
  bool required = false;  ///< kMissing makes rehearsing impossible
};

/// Runs every probe; leaves nothing behind. `state_dir` need not exist: then its parent is looked at.
std::vector<Check> probe_host(const HostFacts& facts, const std::string& state_dir);

const char* to_string(Status status);

}  // namespace rehearse::host
