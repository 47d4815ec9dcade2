#include "report/text_diff.h"

#include <fmt/core.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

using namespace rehearse::report;

namespace {

std::string render(const std::vector<Hunk>& hunks) {
  std::string text = hunks.empty() ? "" : "--- a\n+++ b\n";
  for (const Hunk& hunk : hunks) {
    text += hunk_header(hunk) + "\n";
    for (const DiffLine& line : hunk.lines) {
      text += line.sign;
      text.append(line.text);
      text += '\n';
      if (line.no_newline) text += "\\ No newline at end of file\n";
    }
  }
  return text;
}

class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/rehearse-diff-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void write(const char* name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const char* name) const {
    std::ifstream in(path_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  [[nodiscard]] int run(const std::string& command) const {
    return std::system(("cd " + path_ + " && " + command).c_str());
  }

 private:
  std::string path_;
};

std::size_t changed_lines(const std::vector<Hunk>& hunks) {
  std::size_t count = 0;
  for (const Hunk& hunk : hunks) {
    for (const DiffLine& line : hunk.lines) count += line.sign != ' ' ? 1 : 0;
  }
  return count;
}

std::size_t changed_lines(const std::string& unified) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < unified.size(); at = unified.find('\n', at) + 1) {
    if ((unified[at] == '-' || unified[at] == '+') && unified.compare(at, 4, "--- ") != 0 &&
        unified.compare(at, 4, "+++ ") != 0)
      ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("Equal texts have no difference") {
  CHECK(diff_lines("", "").empty());
  CHECK(diff_lines("a\nb\n", "a\nb\n").empty());
}

TEST_CASE("The format is that of diff -u") {
  CHECK(render(diff_lines("a\nb\nc\n", "a\nx\nc\n")) == "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
  CHECK(render(diff_lines("", "a\n")) == "--- a\n+++ b\n@@ -0,0 +1 @@\n+a\n");
  CHECK(render(diff_lines("a\n", "")) == "--- a\n+++ b\n@@ -1 +0,0 @@\n-a\n");
  CHECK(render(diff_lines("a", "a\n")) ==
        "--- a\n+++ b\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

TEST_CASE("patch(1) turns the one into the other, and diff(1) finds no fewer lines") {
  const Scratch scratch;
  if (scratch.run("diff --version >/dev/null 2>&1") != 0) {
    WARN("SKIP: no diff here");
    return;
  }
  const bool patch = scratch.run("patch --version >/dev/null 2>&1") == 0;
  std::mt19937 random(4711);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 120; ++round) {
    std::vector<std::string> lines;
    const int alphabet = 1 + pick(30);
    for (int i = pick(80); i > 0; --i) lines.push_back(fmt::format("line {}", pick(alphabet)));
    std::vector<std::string> other = lines;
    for (int edits = pick(12); edits > 0; --edits) {
      const auto at = static_cast<std::ptrdiff_t>(other.empty() ? 0 : pick(static_cast<int>(other.size())));
      if (pick(2) == 0 && !other.empty()) {
        other.erase(other.begin() + at);
      } else {
        other.insert(other.begin() + at, fmt::format("line {}", pick(alphabet + 2)));
      }
    }
    const auto join = [&](const std::vector<std::string>& all) {
      std::string text;
      for (const auto& line : all) text += line + "\n";
      if (!text.empty() && pick(4) == 0) text.pop_back();
      return text;
    };
    const std::string before = join(lines);
    const std::string after = join(other);
    const auto hunks = diff_lines(before, after);
    scratch.write("a", before);
    scratch.write("b", after);
    (void)scratch.run("diff -u --label a --label b a b > wanted");
    CHECK(changed_lines(hunks) <= changed_lines(scratch.read("wanted")));
    CHECK(hunks.empty() == (before == after));
    if (patch && !hunks.empty()) {
      scratch.write("p", render(hunks));
      REQUIRE(scratch.run("patch -s -f -u -o got a p >/dev/null") == 0);
      CHECK(scratch.read("got") == after);
    }
  }
}

TEST_CASE("Very different texts stay correct and quick") {
  std::string a;
  std::string b;
  for (int i = 0; i < 60'000; ++i) {
    a += fmt::format("a{}\n", i);
    b += fmt::format("b{}\n", i);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto hunks = diff_lines(a, b);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  REQUIRE(hunks.size() == 1);
  CHECK(changed_lines(hunks) == 120'000);
}
