// What a run has written and may not keep: it had filled the state directory's filesystem.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rehearse::sandbox {

struct GivenBack {
  std::string layer;  ///< the name of its directory among the uppers
  std::string path;   ///< in the layer, without a leading slash
  std::uint64_t bytes = 0;
};

/// Makes the largest files below the upper directories one hole each, the largest first, until `enough`
/// says so. They keep their names, sizes, times and attributes. Nobody else changes the tree meanwhile.
std::vector<GivenBack> empty_largest_files(int uppers, const std::function<bool()>& enough);

}  // namespace rehearse::sandbox
