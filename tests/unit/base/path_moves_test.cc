#include "base/path_moves.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <vector>

using rehearse::PathMoves;

TEST_CASE("what was moved comes from where it was, however often and deep") {
  PathMoves moves;
  CHECK(moves.origin("/a/b") == "/a/b");
  moves.move("/a", "/x/y");
  CHECK(moves.origin("/x/y/b") == "/a/b");
  CHECK(moves.origin("/x/yy") == "/x/yy");
  moves.move("/x", "/z");  // takes along what was moved into it
  CHECK(moves.origin("/z/y/b") == "/a/b");
  CHECK(moves.origin("/z/other") == "/x/other");
  moves.move("/z/y/b", "/b");
  CHECK(moves.origin("/b/c") == "/a/b/c");
  moves.move("/z/y", "/a");  // and back
  CHECK(moves.origin("/a/k") == "/a/k");
}

TEST_CASE("an exchange and what is replaced") {
  PathMoves moves;
  moves.exchange("/a", "/d/b");
  CHECK(moves.origin("/a/1") == "/d/b/1");
  CHECK(moves.origin("/d/b/1") == "/a/1");
  moves.exchange("/a", "/d/b");
  CHECK(moves.origin("/a/1") == "/a/1");
  moves.move("/new", "/a");
  CHECK(moves.origin("/a") == "/new");
  moves.move("/a", "/a");
  CHECK(moves.origin("/a") == "/new");
}

TEST_CASE("another name leads to the same, until it is gone") {
  PathMoves moves;
  moves.link("/etc/shadow", "/tmp/q");
  CHECK(moves.origin("/tmp/q") == "/etc/shadow");
  CHECK(moves.origin("/etc/shadow") == "/etc/shadow");
  moves.move("/tmp", "/t");
  CHECK(moves.origin("/t/q") == "/etc/shadow");
  moves.link("/t/q", "/r");
  moves.forget("/t/q");
  CHECK(moves.origin("/t/q") == "/tmp/q");  // by the directory it is in
  CHECK(moves.origin("/r") == "/etc/shadow");
  moves.forget("/r");
  CHECK(moves.size() == 1);  // what was moved
}

TEST_CASE("as a tree that is really renamed") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    // A model: each object with its path now and its path before.
    std::map<std::string, std::string> objects;
    for (const char* top : {"/a", "/b", "/c"}) {
      objects.emplace(top, top);
      for (const char* leaf : {"/p", "/q", "/p/r"})
        objects.emplace(std::string(top) + leaf, std::string(top) + leaf);
    }
    PathMoves moves;
    for (int step = 0; step < 12; ++step) {
      std::vector<std::string> paths;
      for (const auto& [now, before] : objects) paths.push_back(now);
      const std::string from = paths[random() % paths.size()];
      const std::string into = paths[random() % paths.size()];
      const std::string to = into + "/n" + std::to_string(step);
      if (to.starts_with(from + '/') || into == from) continue;
      std::map<std::string, std::string> moved;
      for (const auto& [now, before] : objects) {
        const bool along = now == from || now.starts_with(from + '/');
        moved.emplace(along ? to + now.substr(from.size()) : now, before);
      }
      objects = std::move(moved);
      moves.move(from, to);
      for (const auto& [now, before] : objects) REQUIRE(moves.origin(now) == before);
    }
  }
}
