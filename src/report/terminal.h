// The blast-radius report for a terminal or a plain text file.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "report/decision_text.h"
#include "report/run_record.h"
#include "report/writer.h"

namespace rehearse::report {

struct TerminalOptions {
  bool color = false;
  std::size_t columns = 0;       ///< 0: not a terminal, no width and nothing elided
  std::string bundle;            ///< path of the bundle, shown as the place where everything is kept
  std::string state_option;      ///< "--state DIR " if it is not the default, for the commands shown
  std::string not_checked = {};  ///< what the report does not vouch for; shown where it speaks of proof
};

/// Columns of the terminal `fd` refers to, 0 if it is none.
std::size_t terminal_columns(int fd);
/// NO_COLOR, TERM=dumb and whether `fd` is a terminal.
bool want_color(int fd);

/// Sections in the order of CONVENTIONS 4. Reads the manifest up to three times; memory is bounded whatever
/// its size. On a terminal long lists of created and modified paths are cut with a counted line; deletions
/// and replacements never are.
Result<void> write_terminal_report(Writer& out, const RunRecord& record, int manifest_fd,
                                   const TerminalOptions& options, const Decided& decided = {});

/// "+3 ~2 −1 files": zero counts are left out; "no file changes" if all are.
std::string counts_line(const effects::Counts& counts);

}  // namespace rehearse::report
