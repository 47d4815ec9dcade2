#include "report/undo_text.h"

#include <fmt/format.h>

#include "base/escape.h"
#include "base/units.h"

namespace rehearse::report {

std::string undo_text(const UndoTrial& trial) {
  std::string text =
      trial.tried_ns == 0
          ? std::string("rollback  not tried yet: `rehearse approve` tries it on a stand-in first\n")
      : trial.verified
          ? fmt::format("rollback  verified in {} on a stand-in\n", format_duration(trial.took_ns))
          : fmt::format("rollback  NOT verified: {}\n", escape_text(trial.why, 400));
  for (const std::string& line : trial.irreversible)
    text += fmt::format("          cannot be taken back: {}\n", escape_text(line, 200));
  return text;
}

}  // namespace rehearse::report
