// The options that promote and rollback have in common.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "promote/unit_work.h"

namespace rehearse::cli {

class CommandLine;

struct InstallOptions {
  std::string wait = "10s";
  std::string unit_wait = "2m";
  bool no_units = false;

  /// --no-units --unit-wait --wait --dry-run
  void add_to(CommandLine& line, bool& dry_run);
  /// Once the line is parsed.
  Result<void> read(promote::UnitOrder& units, std::int64_t& wait_ns) const;
};

}  // namespace rehearse::cli
