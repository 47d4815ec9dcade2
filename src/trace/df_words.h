// What df(1) is asked for by its words beside free space.
#pragma once

#include <string>
#include <vector>

namespace rehearse::trace {

struct DfAsks {
  bool kinds = false;    ///< of filesystems, to show them or to choose by them
  bool sources = false;  ///< what is mounted, in a table of columns by name
};
DfAsks df_asks(const std::vector<std::string>& words);

}  // namespace rehearse::trace
