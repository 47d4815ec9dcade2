// The report as one file for a browser: it needs no script and no network, and shows nothing that it was not
// given by rehearse.
#pragma once

#include "base/result.h"
#include "report/decision_text.h"
#include "report/run_record.h"
#include "report/writer.h"

namespace rehearse::report {

/// Sections in the order of CONVENTIONS 4; each finding is `#f-<rule>-<n>`. A content security policy lets
/// the file load nothing and run nothing, and apply only its own style sheet. Changes beyond the first
/// thousands are counted, destructive ones never left out. Memory is bounded whatever the size of the
/// manifest. `state_option`: "--state DIR " if it is not the default.
Result<void> write_html_report(Writer& out, const RunRecord& record, int manifest_fd,
                               const std::string& state_option, const Decided& decided = {});

/// Text that is well-formed UTF-8 as text or attribute value of HTML.
std::string html_text(std::string_view utf8);

}  // namespace rehearse::report
