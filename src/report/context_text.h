// The sections about what lies around a run: who is affected, and what became of other runs of the same
// action.
#pragma once

#include <string>

#include "base/json_writer.h"
#include "report/run_record.h"
#include "report/style.h"

namespace rehearse::report {

/// Escaped and wrapped for so many columns (0: not).
std::string affected_text(const Affected& affected, std::size_t columns);
std::string history_text(const History& history, const Style& style, std::size_t columns);

/// At most this is the share of runs that fail, at 95 %, if none of `clean` independent ones did: 0 to 1.
double failure_bound(std::uint64_t clean);

/// Members `affected` and `history` of the document.
void write_affected(JsonWriter& json, const Affected& affected);
void write_history(JsonWriter& json, const History& history);

}  // namespace rehearse::report
