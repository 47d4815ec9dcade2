// A program as a user of librehearse would write it: nothing but the public header. Rehearses `argv[2...]`
// with state in `argv[1]` and prints the run's document.

#include <unistd.h>

#include <cstdio>

#include "rehearse/rehearse.h"

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  rehearse::Options options;
  options.state = argv[1];
  options.argv.assign(argv + 2, argv + argc);
  options.wall_ns = 20'000'000'000;
  options.out = STDERR_FILENO;
  const auto result = rehearse::rehearse_action(options);
  if (const auto* failed = std::get_if<rehearse::Failure>(&result)) {
    std::fprintf(stderr, "%s\n", failed->what.c_str());
    return failed->exit_code;
  }
  const auto& outcome = std::get<rehearse::Outcome>(result);
  std::fprintf(stderr, "run %s exit %d\n", outcome.id.c_str(), outcome.exit.value_or(-1));
  if (const auto failed = rehearse::write_document(options.state, outcome.id, STDOUT_FILENO)) {
    std::fprintf(stderr, "%s\n", failed->what.c_str());
    return failed->exit_code;
  }
  switch (outcome.level) {
    case rehearse::Level::kGreen:
      return 0;
    case rehearse::Level::kYellow:
      return 10;
    case rehearse::Level::kRed:
      return 11;
    case rehearse::Level::kInconclusive:
      break;
  }
  return 12;
}
