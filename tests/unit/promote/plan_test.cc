#include "promote/promotion_plan.h"

#include <map>
#include <set>
#include <string>

#include "catch2/catch.hpp"
#include "promote/staleness.h"

using namespace rehearse;
using namespace rehearse::promote;
using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;

namespace {

std::uint64_t next_inode = 100;

Change change(std::string path, ChangeKind kind, FileType type = FileType::kFile) {
  Change record;
  record.path = std::move(path);
  record.kind = kind;
  record.type = type;
  Attributes attributes;
  attributes.ino = next_inode++;
  attributes.mode = 0644;
  if (kind != ChangeKind::kCreated) record.before = attributes;
  attributes.ino = next_inode++;
  attributes.mtime_ns = 1;
  if (kind != ChangeKind::kDeleted) record.after = attributes;
  return record;
}

Change renamed(std::string from, std::string to, FileType type) {
  Change record = change(std::move(to), ChangeKind::kRenamed, type);
  record.from = std::move(from);
  return record;
}

/// "verb path" of each rename, in order.
std::vector<std::string> lines(
    const std::vector<Change>& changes, const Selection& selection = {},
    const StandsAt& stands_at = [](auto, const auto&, const auto&) { return true; }) {
  const PlanLayer layers[] = {{0, "/"}};
  const auto plan = make_plan(changes, layers, selection, stands_at);
  REQUIRE(plan);
  std::vector<std::string> result;
  if (plan->layers.empty()) return result;
  for (const Step& step : plan->layers.front().steps) {
    if (step.kind == OperationKind::kAttributes) continue;
    if (step.kind == OperationKind::kExchange)
      result.push_back("exchange " + step.to.path);
    else if (step.to_kept)
      result.push_back("out " + step.from.path);
    else if (step.from.area == Area::kHost)
      result.push_back("rename " + step.from.path + " " + step.to.path);
    else
      result.push_back("in " + step.to.path);
  }
  return result;
}

using Lines = std::vector<std::string>;

Error refusal(const std::vector<Change>& changes, const Selection& selection = {}) {
  const PlanLayer layers[] = {{0, "/"}};
  const auto plan =
      make_plan(changes, layers, selection, [](auto, const auto&, const auto&) { return true; });
  REQUIRE(!plan);
  return plan.error();
}

}  // namespace

TEST_CASE("a file directly under the root") {
  CHECK(lines({change("/new", ChangeKind::kCreated), change("/old", ChangeKind::kModified)}) ==
        Lines{"in new", "exchange old"});
}

TEST_CASE("a deleted tree is one rename, and so is a created one") {
  CHECK(lines({change("/d", ChangeKind::kDeleted, FileType::kDir), change("/d/a", ChangeKind::kDeleted),
               change("/n", ChangeKind::kCreated, FileType::kDir), change("/n/b", ChangeKind::kCreated)}) ==
        Lines{"out d", "in n"});
}

TEST_CASE("a renamed directory is one rename, before what is changed in it") {
  CHECK(lines({renamed("/d", "/e", FileType::kDir), change("/e/x", ChangeKind::kModified)}) ==
        Lines{"rename d e", "exchange e/x"});
}

TEST_CASE("what is deleted below a renamed directory has the path that the host knows") {
  const auto stands = [](const char* at) {
    return [at](auto, const std::string& path, const auto&) { return path == at; };
  };
  const std::vector<Change> now = {renamed("/d", "/e", FileType::kDir), change("/d/x", ChangeKind::kDeleted)};
  CHECK(lines(now, {}, stands("d/x")) == Lines{"out d/x", "rename d e"});
  const std::vector<Change> older = {renamed("/d", "/e", FileType::kDir),
                                     change("/e/x", ChangeKind::kDeleted)};
  CHECK(lines(older, {}, stands("d/x")) == Lines{"out d/x", "rename d e"});
  // There was another directory of that name before.
  const std::vector<Change> both = {change("/e", ChangeKind::kDeleted, FileType::kDir),
                                    change("/e/x", ChangeKind::kDeleted),
                                    renamed("/d", "/e", FileType::kDir)};
  CHECK(lines(both, {}, stands("e/x")) == Lines{"out e", "out d", "in e"});
}

TEST_CASE("directories that change places go through the store") {
  CHECK(lines({renamed("/b", "/a", FileType::kDir), renamed("/a", "/b", FileType::kDir)}) ==
        Lines{"out b", "out a", "in a", "in b"});
}

TEST_CASE("what is moved out of a directory that goes is taken out first") {
  CHECK(lines({renamed("/d/sub", "/d", FileType::kDir),
               change("/d", ChangeKind::kDeleted, FileType::kDir)}) == Lines{"out d/sub", "out d", "in d"});
}

TEST_CASE("a new directory that something is moved into comes empty") {
  CHECK(lines({change("/n", ChangeKind::kCreated, FileType::kDir), renamed("/d", "/n/d", FileType::kDir),
               change("/n/f", ChangeKind::kCreated)}) == Lines{"out d", "in n", "in n/d", "in n/f"});
}

TEST_CASE("names that only look alike are not selected") {
  Selection only;
  only.only = {"/x/foo"};
  CHECK(lines({change("/x/foo", ChangeKind::kModified), change("/x/foobar", ChangeKind::kModified)}, only) ==
        Lines{"exchange x/foo"});
}

TEST_CASE("selections that cannot be carried out are refused") {
  Selection only;
  only.only = {"/n/f"};
  const Error parted = refusal(
      {change("/n", ChangeKind::kCreated, FileType::kDir), change("/n/f", ChangeKind::kCreated)}, only);
  CHECK(parted.what.find("/n/f needs its directory") == 0);
  CHECK(parted.exit == ExitCode::kUsage);
  Selection except;
  except.except = {"/d/a"};
  CHECK(refusal({change("/d", ChangeKind::kDeleted, FileType::kDir), change("/d/a", ChangeKind::kDeleted)},
                except)
            .what.find("/d/a is left out") == 0);
}

TEST_CASE("hostile manifests") {
  for (const char* path : {"relative", "/a/../b", "/a//b", "/a/.", "/.."}) {
    CAPTURE(path);
    CHECK(refusal({change(path, ChangeKind::kCreated)}).exit == ExitCode::kDataError);
  }
  Change masked = change("/secret", ChangeKind::kModified);
  masked.masked = true;
  CHECK(refusal({masked}).what.find("masked") != std::string::npos);
  Change overlay = change("/x", ChangeKind::kCreated);
  overlay.after->xattrs["user.overlay.opaque"] = "y";
  CHECK(refusal({overlay}).what.find("user.overlay.opaque") != std::string::npos);
  Change contradiction = change("/x", ChangeKind::kCreated);
  contradiction.before = contradiction.after;
  CHECK(refusal({contradiction}).exit == ExitCode::kDataError);
}

TEST_CASE("globs") {
  CHECK(glob_matches("/var/log/**", "/var/log/a/b"));
  CHECK(!glob_matches("/var/log/*", "/var/log/a/b"));
  CHECK(glob_matches("/var/log/*", "/var/log/a"));
  CHECK(!glob_matches("/var/log/**", "/var/logs"));
  CHECK(glob_matches("/r?n/utmp", "/run/utmp"));
}
