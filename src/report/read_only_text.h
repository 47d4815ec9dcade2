// What the report says of a run that was not to write.
#pragma once

#include <string>
#include <vector>

#include "report/run_record.h"

namespace rehearse::report {

/// One attempt a line, raw: "openat(AT_FDCWD, "/etc/x", O_WRONLY) = EROFS on /etc/x by /usr/bin/tee".
std::vector<std::string> write_attempt_lines(const ReadOnlyRecord& record);

/// The section's lines; escaped and wrapped for so many columns (0: not).
std::string read_only_text(const ReadOnlyRecord& record, std::size_t columns);

}  // namespace rehearse::report
