// Fingerprints: the same for runs that did the same, another one for any other effect.
#include <catch2/catch.hpp>

#include "report/fingerprint.h"

using namespace rehearse;
using namespace rehearse::report;

namespace {

RunRecord record() {
  RunRecord run;
  run.id = "20261129-120000-000001";
  run.host_name = "h";
  run.action.argv = {"sh", "-c", "echo x"};
  run.action.env = {{"TERM", "xterm"}, {"PATH", "/bin"}};
  run.command.exit = 0;
  run.verdict.level = verdict::Level::kYellow;
  run.verdict.policy_digest = "sha256:p";
  run.trace.emplace();
  run.network.push_back({});
  run.network.back().verdict = "denied";
  run.network.back().proto = "tcp";
  run.network.back().dst = "198.18.0.4";
  run.network.back().name = "example.com";
  run.network.back().port = 443;
  return run;
}

Fingerprint print(const RunRecord& run) {
  return *fingerprint_of(run, -1, -1);
}

}  // namespace

TEST_CASE("Runs that did the same have one fingerprint") {
  RunRecord a = record();
  RunRecord b = record();
  b.id = "20261130-120000-000001";
  b.created_ns = 5;
  b.action.env = {{"PATH", "/bin"}, {"TERM", "linux"}};
  b.network[0].dst = "198.18.0.9";  // synthetic
  b.command.wall_ns = 99;
  CHECK(print(a).digest == print(b).digest);
  CHECK(print(a).lines == std::vector<std::string>{"net denied tcp example.com:443"});
}

TEST_CASE("Anything else makes another one") {
  const std::string same = print(record()).digest;
  const auto differs = [&](auto change) {
    RunRecord run = record();
    change(run);
    return print(run).digest != same;
  };
  CHECK(differs([](RunRecord& run) { run.action.argv[2] = "echo y"; }));
  CHECK(differs([](RunRecord& run) { run.action.argv = {"sh", "-c", "echo", "x"}; }));
  CHECK(differs([](RunRecord& run) { run.action.uid = 1; }));
  CHECK(differs([](RunRecord& run) { run.action.cwd = "/tmp"; }));
  CHECK(differs([](RunRecord& run) { run.action.env[1].second = "/tmp"; }));
  CHECK(differs([](RunRecord& run) { run.action.inputs = "5e"; }));
  CHECK(differs([](RunRecord& run) { run.profile = "root"; }));
  CHECK(differs([](RunRecord& run) { run.host_name = "other"; }));
  CHECK(differs([](RunRecord& run) { run.verdict.policy_digest = "sha256:q"; }));
  CHECK(differs([](RunRecord& run) { run.network[0].port = 80; }));
  CHECK(differs([](RunRecord& run) { run.network.clear(); }));
  CHECK(differs([](RunRecord& run) {
    run.units.push_back({});
    run.units[0].unit = "x.service";
    run.units[0].request = "restart";
  }));
}

TEST_CASE("Policy and effects are not part of the template") {
  RunRecord run = record();
  const std::string action = print(run).action;
  run.verdict.policy_digest = "sha256:q";
  run.network.clear();
  CHECK(print(run).action == action);
}

TEST_CASE("Runs that do not count say why") {
  RunRecord run = record();
  run.command.exit = 3;
  CHECK(print(run).unclean == "the command failed");
  run = record();
  run.command.stdin_bytes = 1;
  CHECK(print(run).unclean == "it was given something to read on standard input");
  run = record();
  run.verdict.level = verdict::Level::kRed;
  CHECK(print(run).unclean == "it is red");
  run = record();
  run.trace.reset();
  CHECK(print(run).unclean == "what it did was not all recorded");
  CHECK(print(record()).unclean == "its changes are not kept");
}

TEST_CASE("Patterns of paths and classes of words") {
  CHECK(pattern_of("/var/log/a.20261129.log") == "/var/log/a.<n>.log");
  CHECK(pattern_of("/lib/libc.so.6") == "/lib/libc.so.6");
  CHECK(pattern_of("/t/0123abcd-1234-1234-1234-0123456789ab/x") == "/t/<uuid>/x");
  CHECK(pattern_of("/t/deadbeef0123cafe") == "/t/<hex>");
  CHECK(pattern_of("/usr/share/facadefacade") == "/usr/share/facadefacade");
  CHECK(class_of("2026-11-29T12:00:00Z") == "<time>");
  CHECK(class_of("4755") == "4755");
  CHECK(class_of("--since=2026-11-29") == "--since=2026-11-29");
  CHECK(class_of("0123abcd-1234-1234-1234-0123456789ab") == "<uuid>");
  CHECK(class_of("") == "");
}
