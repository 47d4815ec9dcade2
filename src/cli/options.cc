#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>

#include "cli/verbs.h"

namespace rehearse::cli {

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--state", globals.state, "State directory (default /var/lib/rehearse)")->type_name("DIR");
  app.add_flag("--json", globals.json, "Print one JSON document on standard output");
  app.add_option_function<std::string>(
         "--color",
         [&globals](const std::string& word) {
           globals.color = word == "always" ? Color::kAlways : word == "never" ? Color::kNever : Color::kAuto;
         },
         "auto, always or never (NO_COLOR is honoured)")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

Result<bool> parse(CLI::App& app, Arguments arguments) {
  // CLI11 takes the words last first.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::Success&) {
    std::fputs(app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    return fail(error.what(), ExitCode::kUsage, "see `rehearse " + app.get_name() + " --help`");
  }
  return true;
}

}  // namespace rehearse::cli
