// What the report tests share: manifests made of a few changes, and names that attack whoever prints them.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/sys.h"
#include "effects/manifest.h"
#include "report/run_record.h"

namespace rehearse::report::test {

inline const std::vector<std::string>& hostile_names() {
  static const std::vector<std::string> kNames = {
      "\x1b[2K\x1b[1A",                  // erases the line above
      "\x1b]52;c;ZXZpbA==\x07",          // OSC 52: writes the clipboard
      "\x1b]8;;http://evil/\x1b\\text",  // OSC 8: hyperlink
      "a\rVERDICT: GREEN",               // overwrites its row
      "a\n+ /etc/forged",                // forges a row
      "\xe2\x80\xae"
      "cod.exe",  // U+202E: right to left
      "a\xe2\x80\x8b"
      "b",  // U+200B: zero width
      "\xc2\x9b"
      "31m",                                // C1 CSI
      "\xff\xfe\x80",                       // not UTF-8
      "\xed\xa0\x80",                       // a lone surrogate, encoded
      "\xf3\xa0\x81\x81",                   // U+E0041: tag
      "=HYPERLINK(\"x\")<script>\\u{1B}"};  // formulas, markup, a forged escape
  return kNames;
}

/// No byte in it acts on a terminal or hides from a reader.
inline void require_harmless(const std::string& text, bool json = false) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = (byte < 0x20 && byte != '\n') || byte == 0x7f;
    if (control) FAIL("control byte " << static_cast<int>(byte) << " in output");
  }
  for (const char* sequence : {"\xe2\x80\xae", "\xe2\x80\x8b", "\xc2\x9b", "\xf3\xa0\x81\x81"}) {
    if (text.find(sequence) != std::string::npos) FAIL("an invisible character in output");
  }
  if (!json && text.find("\n+ /etc/forged") != std::string::npos) FAIL("a forged row");
}

inline UniqueFd make_manifest(const std::vector<effects::Change>& changes) {
  auto file = sys::memfd("manifest", 0);
  REQUIRE(file);
  auto reading = sys::dup(file->get());
  REQUIRE(reading);
  auto writer = effects::ManifestWriter::create(std::move(*file));
  REQUIRE(writer);
  for (const effects::Change& change : changes) REQUIRE((*writer)->add(change));
  REQUIRE((*writer)->finish());
  return std::move(*reading);
}

inline effects::Attributes attributes(std::uint64_t size = 10) {
  effects::Attributes a;
  a.ino = 7;
  a.mode = 0644;
  a.size = size;
  a.sha256 = sha256("content");
  return a;
}

inline effects::Change change(effects::ChangeKind kind, std::string path) {
  effects::Change c;
  c.kind = kind;
  c.path = std::move(path);
  if (kind != effects::ChangeKind::kCreated) c.before = attributes();
  if (kind != effects::ChangeKind::kDeleted) c.after = attributes(20);
  return c;
}

inline RunRecord sample() {
  RunRecord r;
  r.id = "20261124-020515-abcdef";
  r.digest = "sha256:00ff";
  r.created_ns = 1'795'500'315'123'456'789;
  r.host_name = "box";
  r.host_kernel = "6.1.0";
  r.host_boot_id = "b00t";
  r.tool_version = "0.1.0";
  r.requester.loginuid = 1000;
  r.requester.tty = "/dev/pts/0";
  r.action.argv = {"sh", "-c", "echo hi > /etc/x"};
  r.action.env = {{"HOME", "/root"}, {"PATH", "/bin"}};
  r.verdict.level = verdict::Level::kYellow;
  r.verdict.findings = {
      {"core.not-judged", verdict::Level::kYellow, "soft", {}, "There is no policy yet.", "Decide."}};
  r.verdict.fidelity_score = 0.9;
  r.command.exit = 0;
  r.command.wall_ns = 1'800'000'000;
  r.command.user_ns = 1;
  r.command.written_bytes = 14336;
  r.counts = {3, 2, 1, 0, 0, 0, 4};
  r.manifest_root = std::string(64, 'a');
  r.gaps = {{"the systemd manager is hidden", "its mock is not built yet", verdict::Level::kYellow}};
  r.limits = {"write 1.0 GiB: project quota"};
  r.layers = {{0, "/", "ext4", {"/mnt/again"}}, {1, "/boot", "vfat", {}}};
  r.phases = {1'000'000, 2'000'000, 3, 4, 5};
  return r;
}

/// The sample with a hostile name wherever the action could put one.
inline RunRecord hostile(const std::string& name) {
  RunRecord r = sample();
  r.action.argv = {"sh", name};
  r.action.cwd = "/" + name;
  r.action.env = {{"A", name}, {name, "v"}};
  r.action.name = name;
  r.command.error = name;
  r.command.leftover = {{42, name, {name, "x"}}};
  r.verdict.findings[0].evidence = {{"file", name}, {"process", name}};
  r.verdict.findings[0].why = name;
  r.gaps = {{name, name, verdict::Level::kYellow}};
  r.layers[0].mountpoint = "/" + name;
  r.layers[0].aliases = {name};
  r.requester.tty = name;
  return r;
}

}  // namespace rehearse::report::test
