#include "report/file_diff.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;
using effects::ChangeKind;

namespace {

UniqueFd file_of(const std::string& content) {
  auto file = sys::memfd("side", 0);
  REQUIRE(file);
  REQUIRE(sys::write_all(file->get(), content));
  REQUIRE(::lseek(file->get(), 0, SEEK_SET) == 0);
  return std::move(*file);
}

effects::Change modified(const std::string& before, const std::string& after) {
  effects::Change c = change(ChangeKind::kModified, "/etc/x");
  c.before->sha256 = sha256(before);
  c.before->size = before.size();
  c.after->sha256 = sha256(after);
  c.after->size = after.size();
  return c;
}

Sides sides(const std::string& host, const std::string& kept) {
  return {[=](const std::string&) -> Result<UniqueFd> { return file_of(host); },
          [=](const effects::Change&) -> Result<UniqueFd> { return file_of(kept); }};
}

}  // namespace

TEST_CASE("Text is compared by line") {
  const FileDiff diff = diff_change(modified("a\nb\n", "a\nc\n"), sides("a\nb\n", "a\nc\n"));
  CHECK(diff.note.empty());
  CHECK(diff.text == "@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
}

TEST_CASE("A host file that moved on is not compared") {
  CHECK(diff_change(modified("a\n", "b\n"), sides("other\n", "b\n")).note ==
        "the host's file has changed since");
  CHECK(diff_change(modified("a\n", "b\n"), sides(std::string(3U << 20U, 'x'), "b\n")).note ==
        "the host's file has changed since");
  CHECK(diff_change(modified("a\n", "b\n"), sides("a\n", "forged\n")).note.find("not the recorded one") !=
        std::string::npos);
  CHECK(diff_change(modified("a\n", "b\n"), sides("a\n", "forged\n")).text.empty());
}

TEST_CASE("Binary and large files are told by size and digest") {
  const std::string binary("a\0b", 3);
  const FileDiff diff = diff_change(modified(binary, "b\n"), sides(binary, "b\n"));
  CHECK(diff.note.starts_with("binary: 3 B sha256:" + hex(sha256(binary))));
  const std::string large(kMaxDiffBytes + 1, 'x');
  CHECK(diff_change(modified(large, "b\n"), sides(large, "b\n")).note.starts_with("too large"));
}

TEST_CASE("What was another kind of object before is shown as new, with what it was") {
  effects::Change c = modified("", "new\n");
  c.kind = ChangeKind::kType;
  c.before->sha256.reset();
  c.before->target = "/etc/old";
  FileDiff diff = diff_change(c, sides("no file", "new\n"));
  CHECK(diff.header == std::vector<std::string>{"was a symlink, target /etc/old", "now a file"});
  CHECK(diff.note.empty());
  CHECK(diff.text == "@@ -0,0 +1 @@\n+new\n");
  CHECK((diff.made && !diff.gone));
  c = modified("old\n", "");
  c.kind = ChangeKind::kType;
  c.type = effects::FileType::kSymlink;
  c.after->sha256.reset();
  c.after->target = "x";
  diff = diff_change(c, sides("old\n", ""));
  CHECK(diff.header == std::vector<std::string>{"now a symlink", "target x"});
  CHECK(diff.text == "@@ -1 +0,0 @@\n-old\n");
  CHECK((!diff.made && diff.gone));
}

TEST_CASE("Metadata is in the header") {
  effects::Change c = change(ChangeKind::kMetadata, "/etc/x");
  c.after = c.before;
  c.after->mode = 0600;
  c.after->uid = 33;
  const FileDiff diff = diff_change(c, sides("", ""));
  CHECK(diff.header == std::vector<std::string>{"mode 0644→0600", "owner 0:0→33:0"});
  CHECK(diff.text.empty());
}

TEST_CASE("Lines are escaped, tabs stay") {
  CHECK(escape_line("+a\tb") == "+a\tb");
  CHECK(escape_line("+\x1b[2J\r") == "+\\u{001B}[2J\\u{000D}");
  CHECK(escape_line("\\ No newline at end of file") == "\\ No newline at end of file");
}

TEST_CASE("A filter means whole components") {
  CHECK(is_at_or_below("/x/foo", "/x/foo"));
  CHECK(is_at_or_below("/x/foo/bar", "/x/foo"));
  CHECK(is_at_or_below("/x/foo/bar", "/x/foo/"));
  CHECK(!is_at_or_below("/x/foobar", "/x/foo"));
  CHECK(!is_at_or_below("/x", "/x/foo"));
  CHECK(is_at_or_below("/x", "/"));
}

TEST_CASE("Host files: regular ones only, through no symlink, without touching the access time") {
  char name[] = "/tmp/rehearse-host-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string root = name;
  std::filesystem::create_directory(root + "/d");
  std::ofstream(root + "/d/file") << "x";
  std::filesystem::create_symlink("d", root + "/link");
  std::filesystem::create_symlink("file", root + "/d/leaf");
  REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
  auto fd = sys::open(name, O_PATH | O_DIRECTORY);
  REQUIRE(fd);
  CHECK(open_host_file(fd->get(), "/d/file"));
  CHECK(open_host_file(fd->get(), "/../d/file"));  // ".." stops at the root
  CHECK(!open_host_file(fd->get(), "/link/file"));
  CHECK(!open_host_file(fd->get(), "/d/leaf"));
  CHECK(!open_host_file(fd->get(), "/fifo"));  // and does not hang
  CHECK(!open_host_file(fd->get(), "/d"));
  CHECK(!open_host_file(fd->get(), std::string("/d/file\0x", 9)));
  std::filesystem::remove_all(root);
}

TEST_CASE("Below a renamed directory the host has another name") {
  HostNames names;
  effects::Change moved = change(ChangeKind::kRenamed, "/d9");
  moved.type = effects::FileType::kDir;
  moved.from = "/d1";
  effects::Change inner = moved;
  inner.path = "/d9/new";
  inner.from = "/d1/old";
  effects::Change back = moved;
  back.path = "/d1";
  back.from = "/d9";
  for (const effects::Change& c : {moved, inner, back}) names.take(c);
  const auto of = [&](ChangeKind kind, const char* path) { return names.of(change(kind, path)); };
  CHECK(of(ChangeKind::kModified, "/d9/f") == std::vector<std::string>{"/d1/f"});
  CHECK(of(ChangeKind::kModified, "/d1/f") == std::vector<std::string>{"/d9/f"});  // they changed places
  CHECK(of(ChangeKind::kModified, "/d9/new/f") == std::vector<std::string>{"/d1/old/f"});
  CHECK(of(ChangeKind::kModified, "/d9x/f") == std::vector<std::string>{"/d9x/f"});
  CHECK(of(ChangeKind::kDeleted, "/d9/f") == std::vector<std::string>{"/d9/f", "/d1/f"});
  CHECK(names.of(inner) == std::vector<std::string>{"/d1/old"});

  effects::Change c = modified("a\n", "b\n");
  c.path = "/d9/f";
  Sides both = sides("", "b\n");
  both.open_host = [](const std::string& path) -> Result<UniqueFd> {
    return file_of(path == "/d1/f" ? "a\n" : "other\n");
  };
  CHECK(diff_change(c, both, names).text == "@@ -1 +1 @@\n-a\n+b\n");
}

TEST_CASE("A hard link is no new content") {
  effects::Change made = modified("", "root:x\n");
  made.kind = ChangeKind::kCreated;
  made.path = "/tmp/s1";
  made.before.reset();
  made.after->nlink = 2;
  made.after->link_group = 7;
  effects::Change shadow = modified("root:x\n", "root:x\n");
  shadow.kind = ChangeKind::kIdentical;
  shadow.path = "/etc/shadow";
  shadow.before->nlink = 1;
  shadow.after->nlink = 2;
  shadow.after->link_group = 7;
  LinkNames links;
  for (const effects::Change* one : {&shadow, &made}) links.take(*one);
  const FileDiff diff = diff_change(made, sides("root:x\n", "root:x\n"), {}, links);
  CHECK(diff.header.at(0).starts_with("new hard link of /etc/shadow, mode "));
  CHECK(diff.note == "its content is that of /etc/shadow");
  CHECK(diff.text.empty());
  CHECK(diff_change(shadow, sides("root:x\n", "root:x\n"), {}, links).header ==
        std::vector<std::string>{"new hard link /tmp/s1"});
}
