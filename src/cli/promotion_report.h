// What came of a promotion or rollback, for terminals and as JSON.
#pragma once

#include <string>

#include "promote/promote.h"

namespace rehearse::cli {

/// Schema "rehearse.promotion/1".
std::string promotion_json(const promote::Outcome& outcome);
/// `state_option`: of the commands that it names.
std::string promotion_text(const promote::Outcome& outcome, const std::string& state_option);

}  // namespace rehearse::cli
