// What changes of a few well-known files mean: accounts, packages, settings that start nothing. Taken while
// upper and lower are there, and kept in the record, so that a run can be judged again without them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "effects/change.h"
#include "effects/layer.h"
#include "report/run_record.h"

namespace rehearse {

class DerivedFacts {
 public:
  /// Each change, in any order.
  void note(const effects::Change& change);
  /// Reads the files that changed, in both versions, and fills in `accounts`, `packages` and `inert`. What
  /// cannot be read is said in the record: the facts are unknown then.
  void derive(const std::vector<effects::Layer>& layers, report::RunRecord& record) const;
  /// hosts(5) as the action left it, then, if it changed, as it was before.
  [[nodiscard]] std::string hosts(const std::vector<effects::Layer>& layers) const;

 private:
  struct Pair;
  [[nodiscard]] Pair read(const std::vector<effects::Layer>& layers, const char* path, std::size_t limit,
                          std::string& trouble) const;

  void list_inert(const std::vector<effects::Layer>& layers, report::RunRecord& record) const;

  std::map<std::string, effects::Change, std::less<>> changed_;  ///< by path
  std::vector<effects::Change> git_configs_;                     ///< made or changed
};

}  // namespace rehearse
