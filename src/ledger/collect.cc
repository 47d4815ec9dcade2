#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "base/sys.h"
#include "ledger/layout.h"
#include "ledger/ledger.h"

namespace rehearse::ledger {
namespace {

Result<bool> collect_one(const StateDir& state, const std::string& id,
                         const std::function<Result<void>(const std::string& id)>& release) {
  RH_TRY(Bundle bundle, state.open_run(id));
  RH_TRY(const bool free, bundle.try_lock());
  if (!free || bundle.finished()) return false;  // somebody else was here first
  if (release) RH_CHECK(release(id));
  RH_CHECK(bundle.remove_part("uppers"));
  // The ledger reads it from the intake: a bundle without run.json is an interrupted run.
  auto moved = sys::rename_at(state.fd(), in(kActive, id).c_str(), state.fd(), in(kIntake, id).c_str());
  if (!moved && moved.error().err != ENOENT) return tl::make_unexpected(std::move(moved).error());
  return true;
}

}  // namespace

Result<std::vector<std::string>> collect_interrupted(
    const StateDir& state, const std::function<Result<void>(const std::string& id)>& release) {
  RH_TRY(const std::vector<std::string> ids, state.interrupted_runs());
  std::vector<std::string> collected;
  std::optional<Error> first;
  for (const std::string& id : ids) {
    auto done = collect_one(state, id, release);
    if (!done) {
      if (!first) first = with_context(done.error(), "cleaning up after interrupted run " + id).value();
    } else if (*done) {
      collected.push_back(id);
    }
  }
  if (first) return tl::make_unexpected(std::move(*first));
  return collected;
}

}  // namespace rehearse::ledger
