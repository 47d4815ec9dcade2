#include "verdict/path_globs.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "verdict/wildcard.h"

using namespace rehearse::verdict;

namespace {

bool matches(const std::string& glob, const std::string& path, bool below = false) {
  REQUIRE(PathGlobs::fault(glob).empty());
  PathGlobs globs;
  globs.add(glob);
  return !PathMatcher(globs).match(path, below).empty();
}

/// The same rules, written down once more in the plainest way.
bool by_hand(const std::vector<std::string>& glob, const std::vector<std::string>& path, std::size_t g = 0,
             std::size_t p = 0) {
  if (g == glob.size()) return p == path.size();
  if (glob[g] != "**")
    return p < path.size() && wildcard_matches(glob[g], path[p]) && by_hand(glob, path, g + 1, p + 1);
  if (g + 1 == glob.size()) return p < path.size();
  for (std::size_t rest = p; rest <= path.size(); ++rest)
    if (by_hand(glob, path, g + 1, rest)) return true;
  return false;
}

}  // namespace

TEST_CASE("Within a name: star, question mark, sets, backslash") {
  CHECK(wildcard_matches("*.conf", "nginx.conf"));
  CHECK(wildcard_matches("*", ""));
  CHECK(wildcard_matches("a*b*c", "a-b-b-c"));
  CHECK(!wildcard_matches("a*b*c", "a-c"));
  CHECK(wildcard_matches("rc?.d", "rc3.d"));
  CHECK(!wildcard_matches("rc?.d", "rc.d"));
  CHECK(wildcard_matches("[a-c]x", "bx"));
  CHECK(!wildcard_matches("[!a-c]x", "bx"));
  CHECK(wildcard_matches("[]]", "]"));
  CHECK(wildcard_matches("[ab", "[ab"));  // not closed: a bracket
  CHECK(wildcard_matches("\\*", "*"));
  CHECK(!wildcard_matches("\\*", "x"));
  CHECK(wildcard_matches("\\", "\\"));
  const std::string many(5000, 'a');
  CHECK(!wildcard_matches("*a*a*a*a*a*a*a*b", many));  // in bounded time
}

TEST_CASE("A path glob stays within a name, and ** does not") {
  CHECK(matches("/etc/cron.d/*", "/etc/cron.d/job"));
  CHECK(!matches("/etc/cron.d/*", "/etc/cron.d/a/b"));
  CHECK(matches("/etc/cron.d/**", "/etc/cron.d/a/b"));
  CHECK(!matches("/etc/cron.d/**", "/etc/cron.d"));  // below it
  CHECK(!matches("/etc/cron.d/**", "/etc/cron.d2/x"));
  CHECK(matches("**/.ssh/authorized_keys", "/root/.ssh/authorized_keys"));
  CHECK(matches("**/.ssh/authorized_keys", "/.ssh/authorized_keys"));
  CHECK(!matches("**/.ssh/authorized_keys", "/root/x.ssh/authorized_keys"));
  CHECK(matches("/a/**/z", "/a/z"));
  CHECK(matches("/a/**/z", "/a/b/c/z"));
  CHECK(!matches("/a/**/z", "/a/b/c"));
  CHECK(matches("/**", "/x"));
  CHECK(!matches("/**", "/"));
  CHECK(matches("/", "/"));
  CHECK(matches("/etc/\\*", "/etc/*"));
  CHECK(!matches("/etc/\\*", "/etc/x"));
}

TEST_CASE("A renamed directory stands for all that moved with it") {
  CHECK(!matches("/etc/cron.d/**", "/etc/cron.d"));
  CHECK(matches("/etc/cron.d/**", "/etc/cron.d", true));
  CHECK(matches("/etc/cron.d/**", "/etc", true));
  CHECK(matches("/home/*/.ssh/authorized_keys", "/home/bob", true));
  CHECK(matches("**/.ssh/authorized_keys", "/home/bob/.ssh", true));
  CHECK(!matches("**/.ssh/authorized_keys", "/home", true));  // it would match every directory
  CHECK(!matches("/etc/cron.d/**", "/usr", true));
}

TEST_CASE("Globs that cannot be meant are refused") {
  for (const char* wrong :
       {"etc/passwd", "", "*", "/etc/**x", "/etc/../passwd", "/a/./b", "/a/**/**/b", "/etc/"})
    CHECK(!PathGlobs::fault(wrong).empty());
  CHECK(!PathGlobs::fault(std::string(5000, '/')).empty());
  for (const char* right : {"/", "/**", "**", "**/x", "/etc/*.d/**", "/a/**/b/**"})
    CHECK(PathGlobs::fault(right).empty());
}

TEST_CASE("Equal globs have one number, and all that match are found, in any order of paths") {
  std::mt19937 random(20261129);
  const std::vector<std::string> names = {"a", "b", "ab", "**", "*", "a*", "?", "[ab]"};
  const auto draw = [&](std::size_t kinds) { return names[random() % kinds]; };
  PathGlobs globs;
  std::vector<std::vector<std::string>> parts;
  const auto join = [](const std::vector<std::string>& components) {
    std::string text;
    for (const std::string& component : components) text += "/" + component;
    return text;
  };
  for (int i = 0; i < 300; ++i) {
    std::vector<std::string> glob;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) glob.push_back(draw(names.size()));
    if (!PathGlobs::fault(join(glob)).empty()) continue;
    const auto known = globs.size();
    if (globs.add(join(glob)) == known) parts.push_back(glob);
  }
  REQUIRE(parts.size() > 100);
  CHECK(globs.add(join(parts[3])) == 3);
  PathMatcher matcher(globs);
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> path;
    for (std::size_t n = random() % 5; n > 0; --n) path.push_back(draw(3));
    const std::string text = path.empty() ? "/" : join(path);
    auto found = matcher.match(text);
    std::ranges::sort(found);
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t g = 0; g < parts.size(); ++g)
      if (by_hand(parts[g], path)) wanted.push_back(g);
    INFO(text);
    REQUIRE(found == wanted);
  }
}
