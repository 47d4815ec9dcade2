#include "effects/manifest.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/rename_index.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

Change full_change() {
  Change change;
  change.path = std::string("/etc/odd\n\xff name", 15);
  change.kind = ChangeKind::kRenamed;
  change.also = {"mode", "acl"};
  change.from = "/etc/old";
  change.package = "base-files";
  change.layer = 3;
  change.masked = true;
  Attributes attributes;
  attributes.dev = 1ULL << 60;
  attributes.ino = 42;
  attributes.generation = 7;
  attributes.ctime_ns = -5;
  attributes.mtime_ns = 1'700'000'000'123'456'789;
  attributes.mode = 04755;
  attributes.uid = 4294967294U;
  attributes.size = 1ULL << 40;
  attributes.link_group = 42;
  attributes.sha256 = sha256("x");
  attributes.xattrs["user.k"] = std::string("\0v", 2);
  change.before = attributes;
  attributes.mode = 0644;
  change.after = attributes;
  return change;
}

std::string write_manifest(const std::vector<Change>& changes, Sha256& root) {
  auto fd = sys::memfd("manifest", 0);
  auto copy = sys::dup(fd->get());
  auto writer = ManifestWriter::create(std::move(*fd));
  for (const Change& change : changes) REQUIRE((*writer)->add(change));
  root = *(*writer)->finish();
  ::lseek(copy->get(), 0, SEEK_SET);
  return *sys::read_all(copy->get());
}

Result<std::vector<Change>> read_back(const std::string& bytes) {
  auto fd = sys::memfd("manifest", 0);
  (void)sys::write_all(fd->get(), bytes);
  std::vector<Change> changes;
  auto done = read_manifest(fd->get(), [&](const Change& change) {
    changes.push_back(change);
    return true;
  });
  if (!done) return tl::make_unexpected(done.error());
  return changes;
}

}  // namespace

TEST_CASE("a manifest comes back as it was written") {
  Sha256 root;
  const std::string bytes = write_manifest({full_change(), full_change()}, root);
  const auto changes = read_back(bytes);
  REQUIRE(changes);
  REQUIRE(changes->size() == 2);
  const Change wanted = full_change();
  const Change& got = changes->back();
  CHECK(got.path == wanted.path);
  CHECK(got.kind == wanted.kind);
  CHECK(got.also == wanted.also);
  CHECK(got.from == wanted.from);
  CHECK(got.package == wanted.package);
  CHECK(got.layer == 3);
  CHECK(got.masked);
  CHECK(got.before->ctime_ns == -5);
  CHECK(got.before->dev == 1ULL << 60);
  CHECK(got.before->generation == wanted.before->generation);
  CHECK(got.before->xattrs == wanted.before->xattrs);
  CHECK(got.before->sha256 == wanted.before->sha256);
  CHECK(got.after->mode == 0644);
}

TEST_CASE(
    "a manifest cut off or changed at any byte is refused or harmless, never trusted silently when cut") {
  Sha256 root;
  const std::string bytes = write_manifest({full_change()}, root);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = read_back(bytes.substr(0, size));
    REQUIRE(!cut);
    CHECK(cut.error().exit == ExitCode::kDataError);
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string changed = bytes;
      changed[at] = value;
      (void)read_back(changed);  // must end, and must not crash
    }
  }
}

TEST_CASE("the root depends on what was done, not on when or where") {
  Sha256 first;
  Sha256 second;
  Change change = full_change();
  write_manifest({change}, first);
  change.after->ino = 99;
  change.after->ctime_ns = 12345;
  change.after->mtime_ns += 1;
  write_manifest({change}, second);
  CHECK(first == second);
  change.after->mode = 0600;
  write_manifest({change}, second);
  CHECK(first != second);
}

TEST_CASE("what differs between two objects, in words") {
  const Window window{100, 200};
  Attributes before;
  before.mode = 0644;
  before.mtime_ns = 50;
  before.sha256 = sha256("a");
  CHECK(compare(before, before, FileType::kFile, window).empty());
  Attributes after = before;
  after.mtime_ns = 150;
  CHECK(compare(before, after, FileType::kFile, window) == std::vector<std::string>{"touched"});
  after.mtime_ns = 10;  // set on purpose
  CHECK(compare(before, after, FileType::kFile, window) == std::vector<std::string>{"mtime"});
  after = before;
  after.sha256 = sha256("b");
  after.mode = 0600;
  after.uid = 1;
  after.xattrs = {{"user.x", "1"}, {"security.capability", "2"}, {"system.posix_acl_access", "3"}};
  CHECK(compare(before, after, FileType::kFile, window) ==
        std::vector<std::string>{"modified", "mode", "owner", "acl", "caps", "xattrs"});
}

TEST_CASE("a redirect leads inside the layer or nowhere") {
  CHECK(redirect_target("name", "a/b") == "a/b/name");
  CHECK(redirect_target("name", "") == "name");
  CHECK(redirect_target("/x/y", "a/b") == "x/y");
  for (const char* forged : {"", "/", "..", "/../etc", "a/../../b", "/a//b", "./a", "/a/"})
    CHECK(redirect_target(forged, "p").empty());
}
