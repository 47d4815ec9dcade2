#include "cli/install_options.h"

#include "base/units.h"
#include "cli/command_line.h"

namespace rehearse::cli {

void InstallOptions::add_to(CommandLine& line, bool& dry_run) {
  line.flag("--no-units", no_units, "The files alone: ask nothing of the service manager");
  line.option("--unit-wait", unit_wait, "How long each request to it may take (default 2m)")
      .type_name("TIME");
  line.option("--wait", wait, "How long to wait for another promotion (default 10s)").type_name("TIME");
  line.flag("--dry-run", dry_run, "Check everything and print the operations; change nothing");
}

Result<void> InstallOptions::read(promote::UnitOrder& units, std::int64_t& wait_ns) const {
  RH_TRY(wait_ns, of_option("--wait", parse_duration(wait)));
  units.carry_out = !no_units;
  RH_TRY(units.most_ns, of_option("--unit-wait", parse_duration(unit_wait)));
  return {};
}

}  // namespace rehearse::cli
