// The calls that open a file by its name.
#pragma once

#include <cstdint>
#include <optional>

#include "trace/record.h"

namespace rehearse::trace {

/// The O_ flags that an open, openat, openat2 or creat asked for; nothing for other calls. openat2 has them
/// in memory, which is copied when it begins (`entry`): hearsay, and nothing if that is not there.
std::optional<std::uint64_t> open_flags(const Record& exit, const Record* entry);

/// Whether they ask for more than reading.
bool opens_for_writing(std::uint64_t flags);

}  // namespace rehearse::trace
