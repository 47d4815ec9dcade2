#include "verdict/failure.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>

using namespace rehearse::verdict;

namespace {

/// The action and one program that it ran, which ended last.
FailureFacts failed_script(int exit = 1) {
  FailureFacts facts;
  facts.traced = true;
  facts.exit = exit;
  facts.processes = {{1, 0, "sh", exit, std::nullopt, 0, 100}, {2, 1, "cat", 1, std::nullopt, 10, 20}};
  return facts;
}

std::vector<Finding> judge(const FailureFacts& facts) {
  return find_failures(facts, FailurePatterns::shipped());
}

std::string rules(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += (text.empty() ? "" : " ") + finding.rule;
  return text;
}

bool has(const Finding& finding, const std::string& kind, const std::string& text) {
  return std::ranges::any_of(finding.evidence,
                             [&](const auto& e) { return e.kind == kind && e.text == text; });
}

}  // namespace

TEST_CASE("a missing file is one that a failed process could not open and spoke of") {
  auto facts = failed_script();
  facts.calls = {{2, "openat", "/srv/gone", "gone", ENOENT},
                 {2, "openat", "/usr/share/locale/x.mo", "/usr/share/locale/x.mo", ENOENT}};
  facts.err = "cat: gone: No such file or directory\n";
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.missing-file");
  CHECK(has(found[0], "file", "/srv/gone"));
  CHECK(has(found[0], "process", "[2] cat: openat: ENOENT"));
  CHECK_FALSE(has(found[0], "file", "/usr/share/locale/x.mo"));
  CHECK(found[0].level == Level::kYellow);
  CHECK(found[0].enforce == "soft");
  CHECK_FALSE(found[0].fix.empty());
}

TEST_CASE("what is there and is no directory is not missing") {
  auto facts = failed_script();
  facts.calls = {{2, "chdir", "/etc/hosts", "/etc/hosts", ENOTDIR}};
  facts.err = "sh: 1: cd: can't cd to /etc/hosts\n";
  auto found = judge(facts);
  REQUIRE(rules(found) == "failure.not-a-directory");
  CHECK(has(found[0], "file", "/etc/hosts"));
  CHECK(found[0].why.find("not there") == std::string::npos);
  CHECK(found[0].fix.find("Create") == std::string::npos);
  facts.calls = {{2, "newfstatat", "/etc/passwd/", "/etc/passwd/", ENOTDIR, true}};
  facts.err = "ls: cannot access '/etc/passwd/': Not a directory\n";
  found = judge(facts);
  REQUIRE(rules(found) == "failure.not-a-directory");
  CHECK(has(found[0], "said", "ls: cannot access '/etc/passwd/': Not a directory"));
}

TEST_CASE("a line that speaks of another error, or of another path, is not the call's") {
  auto facts = failed_script();
  // cp looks first whether its destination is a directory.
  facts.calls = {{2, "openat", "/srv/kept", "/srv/kept", ENOTDIR},
                 {2, "openat", "/srv/kept", "/srv/kept", EACCES}};
  facts.err = "cp: cannot create regular file '/srv/kept': Permission denied\n";
  CHECK(rules(judge(facts)) == "failure.permission-denied");
  facts.calls = {{2, "openat", "/srv/x", "/srv/x", ENOENT}};
  facts.err = "cp: cannot create directory '/srv/x': File exists\n";
  CHECK(judge(facts).empty());
  facts.calls = {{2, "openat", "/srv/gone", "gone", ENOENT}};
  facts.err = "cat: gone: No such file or directory\ncat: other: No such file or directory\n";
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.missing-file");
  CHECK(has(found[0], "said", "cat: gone: No such file or directory"));
  CHECK_FALSE(has(found[0], "said", "cat: other: No such file or directory"));
}

TEST_CASE("lookups in vain of programs that ended well, or that nobody speaks of, are no failure") {
  auto facts = failed_script();
  facts.calls = {{2, "openat", "/etc/ld.so.preload", "/etc/ld.so.preload", ENOENT}};
  CHECK(judge(facts).empty());
  facts = failed_script(0);
  facts.processes[0].exit = 0;
  facts.calls = {{2, "openat", "/srv/gone", "gone", ENOENT}};
  facts.err = "cat: gone: No such file or directory\n";
  CHECK(judge(facts).empty());
}

TEST_CASE("words alone are not enough where calls are recorded") {
  auto facts = failed_script();
  facts.err = "error: No such file or directory\nPermission denied\n";
  CHECK(judge(facts).empty());
  facts.traced = false;
  CHECK(rules(judge(facts)) == "failure.permission-denied failure.missing-file");
}

TEST_CASE("a child that failed earlier is not why the action failed") {
  auto facts = failed_script();
  facts.processes.push_back({3, 1, "rm", 1, std::nullopt, 30, 40});
  facts.calls = {{2, "openat", "/srv/gone", "gone", ENOENT},
                 {3, "unlinkat", "/srv/kept", "/srv/kept", EACCES}};
  facts.err = "cat: gone: No such file or directory\nrm: cannot remove '/srv/kept': Permission denied\n";
  const auto found = judge(facts);
  CHECK(rules(found) == "failure.permission-denied");
  CHECK(has(found[0], "file", "/srv/kept"));
}

TEST_CASE("what a silent process was refused counts, what it only asked does not") {
  auto facts = failed_script();
  facts.calls = {{2, "openat", "/srv/x", "/srv/x", EACCES}};
  CHECK(rules(judge(facts)) == "failure.permission-denied");
  facts.calls[0].asks = true;
  CHECK(judge(facts).empty());
}

TEST_CASE("no room is told even of a command that ended well, and then is advice") {
  auto facts = failed_script(0);
  facts.processes[0].exit = 0;
  facts.calls = {{2, "write", "/srv/big", "", ENOSPC}};
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.disk-full");
  CHECK(found[0].enforce == "advisory");
}

TEST_CASE("commands that are not there") {
  FailureFacts facts;
  facts.start_error = "command not found: nosuch";
  facts.start_errno = ENOENT;
  facts.exit = 127;
  CHECK(rules(judge(facts)) == "failure.missing-command");
  facts = failed_script(127);
  facts.err = "sh: 1: nosuch: not found\n";
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.missing-command");
  CHECK(has(found[0], "command", "nosuch"));
  // Also where the script went on.
  facts.exit = 0;
  facts.processes[0].exit = 0;
  CHECK(judge(facts).at(0).enforce == "advisory");
}

TEST_CASE("a program that ran was found, whatever directories lack it") {
  auto facts = failed_script();
  facts.processes[1] = {2, 1, "date", 1, std::nullopt, 10, 20};
  facts.calls = {{2, "execve", "/usr/local/bin/date", "/usr/local/bin/date", ENOENT, false, true}};
  facts.err = "date: cannot set date: Operation not permitted\n";
  CHECK(judge(facts).empty());
  // By another name than that of its file.
  facts.processes[1] = {2, 1, "systemctl", 1, std::nullopt, 10, 20, "reboot"};
  facts.calls[0] = {2, "execve", "/usr/local/bin/reboot", "/usr/local/bin/reboot", ENOENT, false, true};
  facts.err = "Failed to open initctl: cannot reboot\n";
  CHECK(judge(facts).empty());
  // What is spelled out is meant.
  facts.calls[0] = {2, "openat", "/etc/date", "/etc/date", ENOENT};
  facts.processes[1] = {2, 1, "date", 1, std::nullopt, 10, 20};
  facts.err = "date: cannot open /etc/date: No such file or directory\n";
  CHECK(rules(judge(facts)) == "failure.missing-file");
}

TEST_CASE("a socket is not meant by a plain word") {
  auto facts = failed_script();
  facts.endpoints = {{2, "unix /var/run/nscd/socket: absent, ENOENT", "/var/run/nscd/socket"}};
  facts.err = "Cannot open netlink socket\n";
  CHECK(judge(facts).empty());
  facts.err = "cannot connect to /var/run/nscd/socket\n";
  CHECK(rules(judge(facts)) == "failure.dependency-unreachable");
}

TEST_CASE("endpoints that a failed process could not reach") {
  auto facts = failed_script();
  facts.endpoints = {{2, "tcp 203.0.113.9:443: denied, ECONNREFUSED", ""}};
  CHECK(rules(judge(facts)) == "failure.dependency-unreachable");
  // Everybody looks for nscd.
  facts.endpoints = {{2, "unix /run/nscd/socket: absent, ENOENT", "/run/nscd/socket"}};
  CHECK(judge(facts).empty());
  facts.err = "cannot connect to /run/nscd/socket\n";
  CHECK(rules(judge(facts)) == "failure.dependency-unreachable");
  // A process that the action does not depend on.
  facts = failed_script(0);
  facts.processes[0].exit = facts.processes[1].exit = 0;
  facts.endpoints = {{2, "udp 203.0.113.9:123: denied", ""}};
  CHECK(judge(facts).empty());
}

TEST_CASE("databases are heard even where the client ends with 0") {
  for (const char* line :
       {"psql:a.sql:1: ERROR:  relation \"users\" does not exist", "ERROR:  42703: column \"x\" of nothing",
        "Error: in prepare, no such column: nocol", "ERROR 1054 (42S22) at line 1: Unknown column 'x'",
        "Parse error near line 1: no such table: t", "SQLSTATE[42S02]: Base table or view not found"}) {
    INFO(line);
    auto facts = failed_script(0);
    facts.processes[0].exit = facts.processes[1].exit = 0;
    facts.err = line;
    CHECK(rules(judge(facts)) == "failure.schema-mismatch");
  }
}

TEST_CASE("signals, time and memory") {
  FailureFacts facts;
  facts.traced = true;
  facts.signal = SIGKILL;
  facts.processes = {{1, 0, "sleep", std::nullopt, SIGKILL, 0, 5}};
  CHECK(rules(judge(facts)) == "failure.killed");
  facts.timed_out = true;
  CHECK(rules(judge(facts)) == "failure.timeout");
  facts.timed_out = false;
  facts.processes[0].signal = SIGPIPE;
  facts.signal = SIGPIPE;
  CHECK(judge(facts).empty());
  facts = failed_script(124);
  facts.processes = {{1, 0, "timeout", 124, std::nullopt, 0, 9},
                     {2, 1, "sleep", std::nullopt, SIGTERM, 1, 8}};
  CHECK(rules(judge(facts)) == "failure.timeout");
  facts = failed_script();
  facts.limits_hit = {"memory of 100 MiB"};
  CHECK(rules(judge(facts)) == "failure.killed");
}

TEST_CASE("a validator's no is a finding whatever the command's end") {
  auto facts = failed_script(0);
  facts.processes[0].exit = facts.processes[1].exit = 0;
  facts.checks = {{"visudo -c", {"/etc/sudoers.d/x"}, false, "syntax error near line 1"},
                  {"sshd -t", {"/etc/ssh/sshd_config"}, true, ""}};
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.config-invalid");
  CHECK(found[0].enforce == "soft");
  CHECK(has(found[0], "file", "/etc/sudoers.d/x"));
  CHECK_FALSE(has(found[0], "file", "/etc/ssh/sshd_config"));
  // Whether it was so before is said, where that is known.
  CHECK(found[0].fix.find("Whether it was valid before is not known") != std::string::npos);
  facts.checks[0].valid_before = false;
  facts.checks[0].said_before = "syntax error near line 9";
  const auto before = judge(facts);
  CHECK(has(before[0], "before", "was invalid before: syntax error near line 9"));
  CHECK(before[0].fix.find("invalid before the command, too") != std::string::npos);
  facts.checks[0].valid_before = true;
  CHECK(has(judge(facts)[0], "before", "was valid before"));
  // Of many files the one that is named, and always what was said.
  facts.checks = {{"nginx -t", std::vector<std::string>(20, "/etc/nginx/x"), false,
                   "unknown directive in /etc/nginx/b:8"}};
  facts.checks[0].files.push_back("/etc/nginx/b");
  const auto many = judge(facts);
  CHECK(has(many.at(0), "file", "/etc/nginx/b"));
  CHECK_FALSE(has(many.at(0), "file", "/etc/nginx/x"));
  CHECK(has(many.at(0), "said", "unknown directive in /etc/nginx/b:8"));
}

TEST_CASE("units and packages") {
  auto facts = failed_script(5);
  facts.units = {{2, "restart nosuch.service: Unit nosuch.service not found."}};
  facts.err = "Failed to restart nosuch.service: Unit nosuch.service not found.\n";
  CHECK(rules(judge(facts)) == "failure.service-failed");
  facts = failed_script();
  facts.err =
      "dpkg: error processing archive b.deb (--install):\n trying to overwrite '/usr/share/rh/f', which is "
      "also in "
      "package rh-a 1\n";
  const auto found = judge(facts);
  REQUIRE(rules(found) == "failure.package-conflict");
  CHECK(has(found[0], "file", "/usr/share/rh/f"));
}

TEST_CASE("hostile output costs little and evidence is bounded") {
  auto facts = failed_script();
  std::string err;
  for (int i = 0; i < 20000; ++i)
    err += "x: connection refused \x1b[2J onnection refused " + std::to_string(i) + '\n';
  err += std::string(3'000'000, 'a');
  facts.err = err;
  const auto found = judge(facts);
  for (const Finding& finding : found) CHECK(finding.evidence.size() <= 12);
  // A name that begins the output with a newline, found by fuzzing.
  facts.err = "\ngone: No such file\n";
  facts.calls = {{2, "openat", "/\ngone", "\ngone", ENOENT}};
  CHECK(judge(facts).empty());
  // Names that are not there a million times.
  facts.calls.assign(5000, {2, "openat", "/a", "aaaa", ENOENT});
  CHECK(judge(facts).size() <= 2);
}
