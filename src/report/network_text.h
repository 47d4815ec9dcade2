// What the action tried to reach, for a terminal.
#pragma once

#include <string>

#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// How often each thing became of an attempt.
struct NetworkCounts {
  std::uint64_t denied = 0;
  std::uint64_t mocked = 0;  ///< replayed ones too
  std::uint64_t passed = 0;
};
NetworkCounts count_network(const RunRecord& record);
/// "2 denied, 1 mocked"; "" if there was nothing.
std::string network_line(const NetworkCounts& counts);

/// The name, unless the action could have given it to any address: what is judged, expected or compared goes
/// by the address then.
std::string proven_name(const NetworkRecord& to);

/// A destination a line, denied ones first, each with the processes that tried; then the names that were
/// looked up and led to nothing. At most `most` lines of each; what is left out is counted.
std::string network_text(const RunRecord& record, const Style& style, std::size_t most);

}  // namespace rehearse::report
