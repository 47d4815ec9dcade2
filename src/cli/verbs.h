// The verbs of the command line, one file each: `VERB_verb.cc` defines `VERB_verb`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rehearse::cli {

enum class Color { kAuto, kAlways, kNever };

/// Options every verb takes, before or after its name.
struct Globals {
  std::string state = "/var/lib/rehearse";
  bool json = false;
  Color color = Color::kAuto;
};

/// Each takes the words after the verb and returns the process's exit code. Errors are printed by `main`,
/// once.
using Arguments = std::vector<std::string>;
Result<int> run_verb(Globals& globals, Arguments arguments);
Result<int> show_verb(Globals& globals, Arguments arguments);
Result<int> diff_verb(Globals& globals, Arguments arguments);
Result<int> trace_verb(Globals& globals, Arguments arguments);
Result<int> export_verb(Globals& globals, Arguments arguments);
Result<int> explain_verb(Globals& globals, Arguments arguments);
Result<int> policy_verb(Globals& globals, Arguments arguments);
Result<int> list_verb(Globals& globals, Arguments arguments);
Result<int> rm_verb(Globals& globals, Arguments arguments);
Result<int> gc_verb(Globals& globals, Arguments arguments);
Result<int> approve_verb(Globals& globals, Arguments arguments);
Result<int> reject_verb(Globals& globals, Arguments arguments);
Result<int> revoke_verb(Globals& globals, Arguments arguments);
Result<int> override_verb(Globals& globals, Arguments arguments);
Result<int> review_verb(Globals& globals, Arguments arguments);
Result<int> standing_verb(Globals& globals, Arguments arguments);
Result<int> promote_verb(Globals& globals, Arguments arguments);
Result<int> rollback_verb(Globals& globals, Arguments arguments);
Result<int> recover_verb(Globals& globals, Arguments arguments);
Result<int> doctor_verb(Globals& globals, Arguments arguments);

}  // namespace rehearse::cli
