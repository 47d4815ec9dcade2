// The decisions about runs, for people and documents: one line or object each, in the order they were made.
#pragma once

#include <span>
#include <string>

#include "ledger/decisions.h"

namespace rehearse::cli {

/// "approved    by ann (uid 1001), /dev/pts/1, at ..., until ...; used by RUN/1\n            reason" and so
/// on. Empty if there are none.
std::string decisions_text(std::span<const ledger::Decision> decisions);
/// A JSON array.
std::string decisions_json(std::span<const ledger::Decision> decisions);

/// "reviewed", "awaits review" or "OVERDUE".
const char* review_state(std::span<const ledger::Decision> all, const ledger::Decision& override_of,
                         std::int64_t now_ns);
/// Overrides with what came of them. The document's schema is "rehearse.overrides/1".
std::string overrides_text(std::span<const ledger::Decision> all, std::int64_t now_ns);
std::string overrides_json(std::span<const ledger::Decision> all, std::int64_t now_ns);

/// "ann (uid 1001)".
std::string person_text(std::uint32_t uid);

}  // namespace rehearse::cli
