// The table of validators, packaging/failures/validators.toml, carried within the binary; and which of them
// have anything to say of a run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"

namespace rehearse {

struct Validator {
  std::vector<std::string> files;  ///< patterns, verdict/path_globs.h
  std::vector<std::string> run;    ///< "{unit}": once for each unit that changed
  std::string unsure;              ///< RE2: output with it says that the validator itself could not work
  std::string passed;              ///< RE2: a failure with this output came after all was read: it is valid
  std::int64_t timeout_ns = 30'000'000'000;
};

/// `path` is for errors; they are kConfig and name file, line, column, the thing and the remedy.
Result<std::vector<Validator>> parse_validators(std::string_view text, const std::string& path);
const std::vector<Validator>& shipped_validators();

/// One run of one.
struct Validation {
  const Validator* validator = nullptr;
  std::vector<std::string> argv;
  std::vector<std::string> files;  ///< that have changed: the first of them
};

struct Validations {
  std::vector<Validation> runs;
  bool cut = false;  ///< more has changed than was looked at, or than is validated
};

/// By the manifest of a run.
Validations validations_for(const std::vector<Validator>& validators, const ledger::Bundle& bundle);

/// The unit that a path below a directory of unit files belongs to, as systemd-analyze takes it: the path of
/// a unit file, the name for a drop-in; "" if it is neither.
std::string unit_of_path(std::string_view path);

}  // namespace rehearse
