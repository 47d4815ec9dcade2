#include "effects/git_config.h"

#include <catch2/catch.hpp>

using rehearse::effects::git_config_starts_nothing;
using rehearse::effects::is_git_config;

TEST_CASE("what git's settings may start") {
  const std::string_view made =
      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n";
  const std::string before(made);
  CHECK(git_config_starts_nothing(""));
  CHECK(git_config_starts_nothing(made));
  CHECK(git_config_starts_nothing(before +
                                  "[remote \"origin\"]\n\turl = /srv/a.git\n\tfetch = +refs/*:refs/*\n"));
  CHECK(git_config_starts_nothing(before + "# fsmonitor = x\n[User]\nName = A B\n"));
  for (const char* more :
       {"\thooksPath = /tmp\n", "\tfsmonitor = /tmp/x\n", "\tsshCommand = x\n", "\teditor = x\n",
        "[alias]\n\tx = !id\n", "[include]\n\tpath = /tmp/x\n", "[filter \"x\"]\n\tclean = x\n",
        "[credential]\n\thelper = x\n", "[remote \"a\"]\n\turl = ext::sh -c id\n",
        "[remote \"a\"]\n\tuploadpack = x\n", "[core] fsmonitor = x\n", "\tbare = a\\\n",
        "[submodule \"a\"]\n\tupdate = !id\n", "[extensions]\n\tworktreeConfig = true\n", "nonsense = 1\n",
        "[core \"a\" \"b\"]\n", "[core]]\n", "[user]\n\tname = \"a\\nb\"\n"})
    CHECK_FALSE(git_config_starts_nothing(before + more));
  CHECK_FALSE(git_config_starts_nothing("bare = true\n"));
  CHECK_FALSE(git_config_starts_nothing(std::string("[core]\n\0bare = 1\n", 17)));
  CHECK(is_git_config("/tmp/a/.git/config"));
  CHECK_FALSE(is_git_config("/tmp/a/.git/hooks/config"));
}
