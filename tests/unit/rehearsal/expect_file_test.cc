#include "rehearsal/expect_file.h"

#include <catch2/catch.hpp>

#include "rehearsal/action_file.h"
#include "rehearsal/validators.h"

using namespace rehearse;

namespace {

const std::string kExpectHead = "schema = \"rehearse.expect/1\"\n";

std::string expect_error(const std::string& text) {
  const auto expected = parse_expect_file(text, "e.toml");
  REQUIRE_FALSE(expected);
  CHECK(expected.error().exit == ExitCode::kConfig);
  CHECK_FALSE(expected.error().fix.empty());
  return expected.error().what;
}

}  // namespace

TEST_CASE("everything that can be expected") {
  const std::string tables =
      "[expect]\nexit = 0\nwall = \"<30s\"\ncpu = \"< 5s\"\nmemory = \"<1GiB\"\nwrite = \"<10MiB\"\n"
      "may_change = [\"/etc/nginx/**\"]\nmust_change = [\"/etc/nginx/nginx.conf\"]\nmust_not_change = "
      "[\"/etc/passwd\"]\n"
      "net = [\"api.example.com:80\", \"udp:[2001:db8::1]:53\"]\nunits = [\"nginx.service:reload\", "
      "\"manager:daemon-reload\"]\n"
      "level = \"red\"\n"
      "[expect.accounts]\nmust = [\"user-added:deploy\", \"member-added:deploy:*\"]\n[expect.packages]\nmay "
      "= []\n"
      "must_not = [\"*:nginx*\"]\n"
      "[[probe]]\nrun = [\"nginx\", \"-t\"]\n[[probe]]\nrun = [\"curl\", \"localhost\"]\nexit = 7\ntimeout = "
      "\"5s\"\nstdout = [\"ok\"]\n";
  const auto expected = parse_expect_file(kExpectHead + tables, "e.toml");
  REQUIRE(expected);
  CHECK(expected->source == "e.toml");
  CHECK(expected->exit == 0);
  CHECK(expected->wall_ns == 30'000'000'000);
  CHECK(expected->cpu_ns == 5'000'000'000);
  CHECK(expected->memory_bytes == std::uint64_t{1} << 30U);
  CHECK(expected->level == verdict::Level::kRed);
  REQUIRE(expected->probes.size() == 2);
  CHECK(expected->probes[1].exit == 7);
  CHECK(expected->probes[1].timeout_ns == 5'000'000'000);
  CHECK(expected->net->size() == 2);
  CHECK(expected->accounts.must.size() == 2);
  CHECK_FALSE(expected->accounts.may);
  CHECK(expected->packages.may == std::vector<std::string>());
  CHECK(expected->packages.must_not.size() == 1);

  const auto action =
      parse_action_file("schema = \"rehearse.action/1\"\nname = \"x\"\nargv = [\"a\"]\n" + tables, "a.toml");
  REQUIRE(action);
  CHECK(action->expected.probes.size() == 2);
  CHECK(action->expected.must_change == expected->must_change);
  Options options;
  CHECK(plan_expectations(options, &*action).value().has_value());
  options.expect = "/nonexistent";
  CHECK(plan_expectations(options, &*action).error().exit == ExitCode::kUsage);
  CHECK(plan_expectations(options, nullptr).error().exit == ExitCode::kUsage);
}

TEST_CASE("an empty list expects nothing, an absent one does not expect") {
  const auto expected = parse_expect_file(kExpectHead + "[expect]\nnet = []\n", "e.toml");
  REQUIRE(expected);
  CHECK(expected->net == std::vector<std::string>());
  CHECK_FALSE(expected->may_change);
}

TEST_CASE("what is wrong with expectations is one line that names the place") {
  CHECK(expect_error("[expect]\nexit = 0\n").starts_with("e.toml:1:1: \"schema\" is missing"));
  CHECK(expect_error("schema = \"x\"\n").starts_with("e.toml:1:10: "));
  CHECK(expect_error(kExpectHead).find("nothing is expected") != std::string::npos);
  CHECK(expect_error(kExpectHead + "[expect]\nexti = 0\n")
            .starts_with("e.toml:3:1: unknown key \"exti\" of [expect]"));
  CHECK(expect_error(kExpectHead + "[expect]\nexit = 256\n").starts_with("e.toml:3:8: "));
  CHECK(expect_error(kExpectHead + "[expect]\nwall = \"30s\"\n").starts_with("e.toml:3:8: "));
  CHECK(expect_error(kExpectHead + "[expect]\nwall = \"<soon\"\n").starts_with("e.toml:3:8: "));
  CHECK(expect_error(kExpectHead + "[expect]\nmay_change = [\"etc\"]\n").starts_with("e.toml:3:14: "));
  CHECK(expect_error(kExpectHead + "[expect]\nnet = [\"example.com\"]\n").starts_with("e.toml:3:7: "));
  CHECK(expect_error(kExpectHead + "[expect]\nunits = [\"nginx\"]\n").starts_with("e.toml:3:9: "));
  CHECK(expect_error(kExpectHead + "[expect]\nmay_change = [\"/etc**\"]\n").starts_with("e.toml:3:14: "));
  CHECK(expect_error(kExpectHead + "[expect]\naccounts = [\"user-added:x\"]\n").starts_with("e.toml:3:12: "));
  const std::string vague = expect_error(kExpectHead + "[expect.accounts]\nmust = [\"deploy\"]\n");
  CHECK(vague.starts_with("e.toml:3:8: "));
  CHECK(vague.find("\"deploy\" does not say what becomes of what") != std::string::npos);
  CHECK(parse_expect_file(kExpectHead + "[expect.accounts]\nmay = [\"password-*:x\", \"*:y\"]\n", "e.toml"));
  CHECK(
      expect_error(kExpectHead + "[expect.accounts]\nmay = [\"installed:x\"]\n").starts_with("e.toml:3:7: "));
  CHECK(expect_error(kExpectHead + "[expect.packages]\nmust_not = [\"removed:\"]\n")
            .starts_with("e.toml:3:12: "));
  CHECK(expect_error(kExpectHead + "[expect.packages]\nmusst = []\n")
            .starts_with("e.toml:3:1: unknown key \"musst\""));
  CHECK(expect_error(kExpectHead + "[expect.packages]\n").find("is empty") != std::string::npos);
  CHECK(expect_error(kExpectHead + "[expect]\nlevel = \"green\"\n").starts_with("e.toml:3:9: "));
  CHECK(expect_error(kExpectHead + "[[probe]]\nexit = 0\n").find("\"run\" is missing") != std::string::npos);
  CHECK(expect_error(kExpectHead + "[[probe]]\nrun = [\"a\"]\ntimeout = \"2h\"\n")
            .starts_with("e.toml:4:11: "));
}

TEST_CASE("the shipped validators are read, and units are found by the paths of their files") {
  CHECK(shipped_validators().size() >= 5);
  CHECK(unit_of_path("/etc/systemd/system/a.service") == "/etc/systemd/system/a.service");
  CHECK(unit_of_path("/etc/systemd/system/a.service.d/x.conf") == "a.service");
  CHECK(unit_of_path("/etc/systemd/system/a.service.d/x.txt").empty());
  CHECK(unit_of_path("/etc/systemd/system/foo.d/x.conf").empty());
  CHECK(unit_of_path("a.service").empty());
  const auto broken = parse_validators(
      "schema = \"rehearse.validators/1\"\n[[validator]]\nfiles = [\"x\"]\nrun = [\"x\"]\n", "v.toml");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().what.starts_with("v.toml:3:9: "));
}
