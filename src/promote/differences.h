// What is different about an object, in words.
#pragma once

#include <string>

#include "effects/change.h"

namespace rehearse::promote {

/// "mode 0644 -> 0600, owner 0 -> 33, user.x, content"; empty if nothing is that a promotion compares.
/// `written`: the modification time counts. Raw: names of extended attributes may be hostile.
std::string differences(const effects::Attributes& then, const effects::Attributes& now, bool written);

}  // namespace rehearse::promote
