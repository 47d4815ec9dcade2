#include "rehearsal/action_file.h"

#include <catch2/catch.hpp>

using namespace rehearse;

namespace {

const std::string kActionHead =
    "schema = \"rehearse.action/1\"\nname = \"tune\"\nargv = [\"/bin/tune\", \"-a\"]\n";

std::string action_error(const std::string& text) {
  const auto file = parse_action_file(text, "a.toml");
  REQUIRE_FALSE(file);
  CHECK(file.error().exit == ExitCode::kConfig);
  CHECK_FALSE(file.error().fix.empty());
  return file.error().what;
}

}  // namespace

TEST_CASE("everything that an action file says") {
  const auto file = parse_action_file(
      kActionHead +
          "class = \"config\"\nextra_args = \"append\"\nuser = \"www-data\"\ncwd = \"/srv\"\n"
          "[env]\npass = [\"A\"]\nset = { B = \"1 2\" }\n"
          "[limits]\nwall = \"5m\"\nmemory = \"2GiB\"\npids = 512\ncpus = 2\nwrite = \"1GiB\"\n"
          "[mirror]\nhide = [\"/mnt\"]\nmask = [\"/root/key\"]\n"
          "[[pass]]\nto = \"tcp:example.org:443\"\n[[mock]]\nlisten = \"tcp:a:1\"\n[[deny]]\nto = "
          "\"tcp:b:2\"\n",
      "a.toml");
  REQUIRE(file);
  CHECK(file->name == "tune");
  CHECK(file->kind == "config");
  CHECK(file->env == std::vector<std::string>{"A", "B=1 2"});
  CHECK(file->wall_ns == 300'000'000'000);
  CHECK(file->memory_bytes == std::uint64_t{2} << 30U);
  CHECK(file->pids == 512);
  CHECK(file->cpus == 2.0);

  Options asked;
  asked.argv = {"more"};
  asked.user = "root";
  asked.pids = 7;
  asked.env = {"B=3"};
  const auto merged = with_action(asked, *file);
  REQUIRE(merged);
  CHECK(merged->argv == std::vector<std::string>{"/bin/tune", "-a", "more"});
  CHECK(merged->user == "root");
  CHECK(merged->cwd == "/srv");
  CHECK(merged->pids == 7);
  CHECK(merged->write_bytes == std::uint64_t{1} << 30U);
  CHECK(merged->env == std::vector<std::string>{"A", "B=1 2", "B=3"});
  CHECK(merged->hide == std::vector<std::string>{"/mnt"});
}

TEST_CASE("further words only where the file takes them") {
  const auto file = parse_action_file(kActionHead, "a.toml");
  REQUIRE(file);
  Options asked;
  CHECK(with_action(asked, *file));
  asked.argv = {"more"};
  const auto refused = with_action(asked, *file);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().exit == ExitCode::kUsage);
}

TEST_CASE("what is wrong with an action file is one line that names the place") {
  CHECK(action_error("name = \"x\"\nargv = [\"a\"]\n") == "a.toml:1:1: \"schema\" is missing");
  CHECK(action_error("schema = \"rehearse.action/2\"\n")
            .starts_with("a.toml:1:10: \"schema\": \"rehearse.action/2\""));
  CHECK(action_error(kActionHead + "nmae = 1\n").starts_with("a.toml:4:1: unknown key \"nmae\""));
  CHECK(action_error("schema = \"rehearse.action/1\"\nname = \"../x\"\nargv = [\"a\"]\n")
            .starts_with("a.toml:2:8: "));
  CHECK(action_error("schema = \"rehearse.action/1\"\nname = \"x\"\nargv = []\n")
            .find("\"argv\" is missing or empty") != std::string::npos);
  CHECK(action_error("schema = \"rehearse.action/1\"\nname = \"x\"\nargv = [\"a\", 1]\n")
            .starts_with("a.toml:3:14: \"argv\"[1] is a whole number, not a text"));
  CHECK(action_error(kActionHead + "extra_args = \"yes\"\n").starts_with("a.toml:4:14: "));
  CHECK(action_error(kActionHead + "cwd = \"srv\"\n").starts_with("a.toml:4:7: "));
  CHECK(
      action_error(kActionHead + "cwd = \"/srv\\u0000/x\"\n").starts_with("a.toml:4:7: \"cwd\": has a NUL"));
  CHECK(action_error(kActionHead + "[env]\nset = { \"A=B\" = \"c\" }\n").starts_with("a.toml:5:"));
  CHECK(action_error(kActionHead + "[env]\npass = [\"A=1\"]\n").starts_with("a.toml:5:8: "));
  CHECK(action_error(kActionHead + "[limits]\nwall = \"soon\"\n").starts_with("a.toml:5:8: "));
  CHECK(action_error(kActionHead + "[limits]\npids = 1\n").starts_with("a.toml:5:8: "));
  CHECK(action_error(kActionHead + "[expect]\nexti = 0\n").starts_with("a.toml:5:1: unknown key"));
}
