// What of a run's stores has to stay, by the journals that are kept with the run: where an operation in
// effect keeps its old object and gets its new one back to, and where something was kept aside for somebody.
// All else there is what staging made, of which the run has the original or has it back.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "ledger/state.h"
#include "promote/journal.h"

namespace rehearse::promote {

class StoreUse {
 public:
  /// `latest`: one more journal, which is over and not kept with the run yet.
  static Result<StoreUse> read(const ledger::Bundle& bundle, const Journal* latest = nullptr);

  /// A promotion that used the store with this token is in effect: no way leads back without it.
  [[nodiscard]] bool has_store(const std::string& token) const { return stores_.contains(token); }
  /// What lies in that store as `name` ("new/p1-0"), or something in it, stays.
  [[nodiscard]] bool has_name(const std::string& token, const std::string& name) const {
    return names_.contains({token, name});
  }
  /// An operation in effect has put an object of that store to `path` of the host, below the mount.
  [[nodiscard]] bool has_put(const std::string& token, const std::string& path) const {
    return put_.contains({token, path});
  }
  [[nodiscard]] bool has_put_above(const std::string& token, std::string_view path) const;
  /// Something of somebody's was kept aside at that path of the store.
  [[nodiscard]] bool keeps(const std::string& token, const std::string& path) const {
    return kept_.contains({token, path});
  }
  /// It was a place of a promotion that was taken back and has kept something there, or in others of its
  /// places.
  [[nodiscard]] bool may_keep(const std::string& token, const std::string& path) const {
    return undone_.contains({token, path});
  }
  [[nodiscard]] bool keeps_below(const std::string& token, std::string_view path) const;

 private:
  using Named = std::pair<std::string, std::string>;  ///< a token, and what is meant with it

  void take_promotion(const Journal& promotion, const std::vector<bool>& in_effect);
  void take_kept(const Journal& journal);
  void take(const JournalVolume& volume, const Place& place);

  std::set<std::string> stores_;
  std::set<Named> names_;
  std::set<Named> kept_;
  std::set<Named> put_;
  std::set<Named> undone_;
};

}  // namespace rehearse::promote
