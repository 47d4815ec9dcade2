// The report as Markdown (CommonMark, as GitHub and GitLab show it), short enough for a comment.
//
// What the action or the requester chose stands, escaped, in <pre> blocks only, where no Markdown, link,
// mention or image is made of it.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "report/decision_text.h"
#include "report/run_record.h"
#include "report/writer.h"

namespace rehearse::report {

/// What GitHub takes as one comment, in bytes.
inline constexpr std::size_t kMarkdownLimit = 65'535;

/// Sections in the order of the other reports. Never longer than the limit: what does not fit is counted,
/// with the command that shows it. `state_option`: "--state DIR " if it is not the default.
Result<void> write_markdown_report(Writer& out, const RunRecord& record, int manifest_fd,
                                   const std::string& state_option, const Decided& decided = {});

}  // namespace rehearse::report
