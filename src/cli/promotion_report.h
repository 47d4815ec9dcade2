// What came of a promotion or rollback, for terminals and as JSON.
#pragma once

#include <string>

#include "promote/promote.h"

namespace rehearse::cli {

/// Schema "rehearse.promotion/1".
std::string promotion_json(const promote::Outcome& outcome);
std::string promotion_text(const promote::Outcome& outcome);

}  // namespace rehearse::cli
