#include "report/terminal.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>

#include <chrono>
#include <fstream>

#include "base/clock.h"
#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;
using effects::Change;
using effects::ChangeKind;

namespace {

std::string report_text(const RunRecord& record, const std::vector<Change>& changes,
                        TerminalOptions options = {}) {
  const auto manifest = make_manifest(changes);
  Writer out;
  REQUIRE(write_terminal_report(out, record, manifest.get(), options));
  return out.text();
}

/// Peak resident memory; `reset` makes the present use the peak first (proc(5), clear_refs).
std::int64_t peak_kib(bool reset = true) {
  if (reset) {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";
  }
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::atoll(line.c_str() + 6);
  }
  return 0;
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<Change> few_changes() {
  std::vector<Change> changes;
  changes.push_back(change(ChangeKind::kCreated, "/etc/new"));
  changes.push_back(change(ChangeKind::kModified, "/etc/nginx/nginx.conf"));
  changes.back().package = "nginx-common";
  changes.back().after->sha256 = sha256("other");
  changes.push_back(change(ChangeKind::kDeleted, "/etc/old"));
  changes.push_back(change(ChangeKind::kMetadata, "/etc/shadow"));
  changes.back().after = changes.back().before;
  changes.back().after->mode = 0600;
  changes.back().package = "passwd";
  changes.push_back(change(ChangeKind::kRenamed, "/etc/b"));
  changes.back().from = "/etc/a";
  changes.back().after = changes.back().before;
  changes.push_back(change(ChangeKind::kType, "/etc/dir"));
  changes.back().type = effects::FileType::kSymlink;
  changes.back().after->target = "/tmp";
  changes.push_back(change(ChangeKind::kIdentical, "/etc/same"));
  return changes;
}

}  // namespace

TEST_CASE("Golden: a small report") {
  RunRecord record = sample();
  record.counts = {1, 1, 1, 1, 1, 1, 1};
  TerminalOptions options;
  options.bundle = "/var/lib/rehearse/runs/20261124-020515-abcdef";
  CHECK(report_text(record, few_changes(), options) ==
        R"(YELLOW  +1 ~1 −1 >1 m1 t1 files · 14 KiB · 1.8 s · exit 0
  A person has to decide. There is no policy yet.
  run       20261124-020515-abcdef  )" +
            rfc3339(record.created_ns) + R"(
  digest    sha256:00ff
            aardvark yucatan
  next      rehearse diff 20261124-020515-abcdef   rehearse show 20261124-020515-abcdef --json
  decide    rehearse approve 20261124-020515-abcdef@00ff --reason ...

Action as the runtime saw it
  command   sh -c 'echo hi > /etc/x'
  as        uid 0 gid 0 in /
  host      box, kernel 6.1.0, profile shifted
  with      PATH=/bin
  asked by  uid 0, login uid 1000, tty /dev/pts/0

YELLOW  core.not-judged
  There is no policy yet.
  fix: Decide.

Destructive  2 objects deleted, replaced or overwritten, all of them:
  − /etc/old  10 B
  t /etc/dir  now a symlink, → /tmp

Could not be observed
  fidelity 0.90
  at best YELLOW  the systemd manager is hidden
      its mock is not built yet

Changes by owner  + created  ~ modified  − deleted  > renamed  m metadata  t other type
  no package  +1 −1 >1 t1 files
    + /etc/new  20 B
    > /etc/a → /etc/b
    (2 listed above as destructive)
  nginx-common  ~1 file
    ~ /etc/nginx/nginx.conf  10 B → 20 B
  passwd  m1 file
    m /etc/shadow  mode 0644→0600
  1 more written or touched, yet as before but for times

Resources
  command   1.8 s wall, 0 us user, 0 us system, 0 B resident at most
  rehearse  plan 1.0 ms, build 2.0 ms, run 0 us, read 0 us, judge 0 us
  limit     write 1.0 GiB: project quota

Provenance
  mirror    the live host box, boot b00t
  rehearse  0.1.0, kernel 6.1.0
  manifest  sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

Kept
  bundle    /var/lib/rehearse/runs/20261124-020515-abcdef
  output    stdout 0 B, stderr 0 B
)");
}

TEST_CASE("Nothing the action named can act on the terminal") {
  for (const std::string& name : hostile_names()) {
    std::vector<Change> changes = few_changes();
    for (Change& c : changes) {
      c.path += name;
      if (!c.from.empty()) c.from += name;
      c.package = c.package.empty() ? "" : name;
      if (c.after) {
        c.after->xattrs["user." + name] = name;
        c.after->target = name;
      }
    }
    for (const std::size_t columns : {0U, 40U, 200U}) {
      TerminalOptions options;
      options.columns = columns;
      options.bundle = "/x";
      require_harmless(report_text(hostile(name), changes, options));
    }
  }
}

TEST_CASE("A name of a mebibyte is cut for a terminal when created, and whole when deleted") {
  const std::string name = "/" + std::string(1U << 20U, 'n');
  TerminalOptions options;
  options.columns = 80;
  CHECK(report_text(sample(), {change(ChangeKind::kCreated, name)}, options).size() < 10'000);
  CHECK(report_text(sample(), {change(ChangeKind::kDeleted, name)}, options).find(name) != std::string::npos);
  CHECK(report_text(sample(), {change(ChangeKind::kCreated, name)}).find(name) != std::string::npos);
}

TEST_CASE("Deletions are never left out; creations are counted when they are, and only on a terminal") {
  std::vector<Change> changes;
  for (int i = 0; i < 2000; ++i) {
    changes.push_back(change(ChangeKind::kCreated, fmt::format("/new/{:05}.", i)));
    changes.push_back(change(ChangeKind::kDeleted, fmt::format("/old/{:05}.", i)));
  }
  changes.push_back(change(ChangeKind::kModified, "/etc/one"));
  changes.back().package = "small";
  TerminalOptions options;
  options.columns = 100;
  options.state_option = "--state /s ";
  const std::string terminal = report_text(sample(), changes, options);
  for (int i = 0; i < 2000; ++i) REQUIRE(terminal.find(fmt::format("/old/{:05}.", i)) != std::string::npos);
  const std::size_t listed = occurrences(terminal, "/new/");
  CHECK(listed < 100);
  CHECK(terminal.find(fmt::format("… {} more, see: rehearse --state /s diff 20261124-020515-abcdef --stat",
                                  2000 - listed)) != std::string::npos);
  CHECK(terminal.find("/etc/one") != std::string::npos);  // a small owner is not crowded out
  CHECK(occurrences(report_text(sample(), changes), "/new/") == 2000);
}

TEST_CASE("A rename that overwrote something is destructive") {
  Change c = change(ChangeKind::kRenamed, "/etc/b");
  c.from = "/etc/a";
  c.also = {"overwrote"};
  CHECK(report_text(sample(), {c}).find("Destructive  1 object") != std::string::npos);
  c.also = {};
  CHECK(report_text(sample(), {c}).find("Destructive") == std::string::npos);
}

TEST_CASE("Colour is never the only sign, and only there when asked for") {
  TerminalOptions options;
  const std::string plain = report_text(sample(), few_changes(), options);
  CHECK(plain.find('\x1b') == std::string::npos);
  options.color = true;
  std::string colored = report_text(sample(), few_changes(), options);
  CHECK(colored.find('\x1b') != std::string::npos);
  std::string stripped;
  for (std::size_t at = 0; at < colored.size(); ++at) {
    if (colored[at] == '\x1b') {
      at = colored.find('m', at);
    } else {
      stripped += colored[at];
    }
  }
  CHECK(stripped == plain);
}

TEST_CASE("The counts line") {
  CHECK(counts_line({}) == "no file changes");
  CHECK(counts_line({0, 0, 0, 0, 0, 0, 5}) == "no file changes");
  CHECK(counts_line({3, 2, 1, 0, 0, 0, 0}) == "+3 ~2 −1 files");
  CHECK(counts_line({1, 0, 0, 0, 0, 0, 9}) == "+1 file");
}

TEST_CASE("A command that was killed, timed out or never started is said so") {
  RunRecord record = sample();
  record.command.exit.reset();
  record.command.signal = 9;
  CHECK(report_text(record, {}).find("killed by SIGKILL") != std::string::npos);
  record.command.timed_out = true;
  CHECK(report_text(record, {}).find("timed out") != std::string::npos);
  record.command.error = "no such file\x1b[2J";
  CHECK(report_text(record, {}).find("never started") != std::string::npos);
  record.command.output_cut = true;
  CHECK(report_text(record, {}).find("CUT") != std::string::npos);
}

TEST_CASE("Two hundred thousand changes take bounded memory and little time", "[large]") {
  auto file = sys::memfd("manifest", 0);
  REQUIRE(file);
  auto reading = sys::dup(file->get());
  REQUIRE(reading);
  auto writer = effects::ManifestWriter::create(std::move(*file));
  REQUIRE(writer);
  for (int i = 0; i < 200'000; ++i) {
    Change c = change(i % 2 == 0 ? ChangeKind::kCreated : ChangeKind::kDeleted,
                      fmt::format("/srv/data/{:06}/file-with-a-name", i));
    c.package = fmt::format("package-{}", i % 500);
    REQUIRE((*writer)->add(c));
  }
  REQUIRE((*writer)->finish());
  const std::int64_t before = peak_kib();
  const auto start = std::chrono::steady_clock::now();
  auto null = sys::open("/dev/null", O_WRONLY);
  REQUIRE(null);
  Writer out(null->get());
  REQUIRE(write_terminal_report(out, sample(), reading->get(), {}));
  const std::int64_t grown = peak_kib(false) - before;
  const auto took = std::chrono::steady_clock::now() - start;
  WARN("200,000 changes: " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                           << " ms, grew by " << grown << " KiB");
#ifndef __SANITIZE_ADDRESS__  // whose allocator keeps what was freed
  CHECK(grown < 32 * 1024);
#endif
}

TEST_CASE("A hard link is called what it is, and what it is a link to is no noise") {
  Change shadow = change(ChangeKind::kIdentical, "/etc/shadow");
  shadow.after = shadow.before;
  shadow.after->nlink = 2;
  shadow.after->link_group = 7;
  shadow.also = {"hardlink"};
  Change made = change(ChangeKind::kCreated, "/tmp/\x1b[2Ks1");
  made.after->nlink = 2;
  made.after->link_group = 7;
  Change other = change(ChangeKind::kCreated, "/tmp/other");
  other.after->nlink = 2;
  other.after->link_group = 7;
  other.layer = 1;  // numbers are those of one layer
  const std::string text = report_text(sample(), {shadow, made, other});
  require_harmless(text);
  CHECK(text.find("= /etc/shadow  new hard link /tmp/") != std::string::npos);
  CHECK(text.find("s1  hard link of /etc/shadow, 20 B") != std::string::npos);
  CHECK(text.find("+ /tmp/other  2 hard links, 20 B") != std::string::npos);
  CHECK(text.find("written or touched") == std::string::npos);
  // Of a name that went, the deletion tells.
  shadow.before->nlink = 3;
  CHECK(report_text(sample(), {shadow}).find("1 more written or touched") != std::string::npos);
}

TEST_CASE("A command that never started has no program") {
  RunRecord record = sample();
  record.processes.resize(1);
  record.processes[0].id = 1;
  record.processes[0].exe = "/memfd:init";
  CHECK(report_text(record, {}).find("/memfd:init") != std::string::npos);
  record.trace.reset();
  record.command.error = "command not found: ./nosuch";
  CHECK(report_text(record, {}).find("/memfd:init") == std::string::npos);
}

TEST_CASE("What outlived the command has the number that it has everywhere else") {
  RunRecord record = sample();
  record.command.leftover = {{5, "sleep", {"sleep", "9"}, 4}, {6, "gone", {}}};
  const std::string text = report_text(record, {});
  CHECK(text.find("\n     4  sleep  sleep 9\n") != std::string::npos);
  CHECK(text.find("\n  pid 6 inside  gone") != std::string::npos);
}
