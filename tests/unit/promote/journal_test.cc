#include "promote/journal.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/digest.h"
#include "base/sys.h"
#include "catch2/catch.hpp"

using namespace rehearse;
using namespace rehearse::promote;

namespace {

UniqueFd memory_file() {
  return UniqueFd(::memfd_create("journal", MFD_CLOEXEC));
}

std::string content(int fd) {
  ::lseek(fd, 0, SEEK_SET);
  return sys::read_all(fd).value();
}

UniqueFd file_with(const std::string& text) {
  UniqueFd file = memory_file();
  REQUIRE(sys::write_all(file.get(), text));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

Operation some_operation(int number) {
  Operation operation;
  operation.kind = OperationKind::kExchange;
  operation.from = {Area::kStore, "upper/a/" + std::to_string(number)};
  operation.to = {Area::kHost, std::string("a/\xff\n") + std::to_string(number)};
  operation.object = {static_cast<std::uint64_t>(number), -5, 7, 9};
  operation.displaced = {1, 2, 3, 4};
  Settings settings;
  settings.mode = 04755;
  settings.mtime_ns = -1;
  settings.xattrs = {{"user.k", std::string("v\0w", 3)}};
  if (number % 2 == 0) operation.before = settings;
  if (number % 3 == 0) operation.after = settings;
  if (number == 4) operation.to_directory = 1;
  if (number != 1) operation.print = ObjectPrint{ObjectPrint::Content::kSparse, sha256("one")};
  if (number > 2) operation.displaced_print = ObjectPrint{ObjectPrint::Content::kLeftOut, sha256("other")};
  return operation;
}

std::string whole_journal() {
  UniqueFd file = memory_file();
  const int fd = ::dup(file.get());
  JournalHeader header;
  header.run = "20260101-000000-abcdef";
  header.number = 3;
  header.digest = "sha256:00";
  header.decision = 9;
  header.boot_id = "boot";
  auto writer = JournalWriter::create(std::move(file), header);
  REQUIRE(writer);
  JournalVolume volume;
  volume.mountpoint = "/srv";
  volume.layer = 2;
  volume.adopted = true;
  volume.token = "token";
  REQUIRE(writer->add(volume));
  REQUIRE(writer->add(Directory{7, std::nullopt, 0, {}, {}}));
  REQUIRE(
      writer->add(Directory{8, DirectoryHandle{-3, std::string("h\0\xff", 3)}, 0, "d/e", sha256("listing")}));
  for (int i = 0; i < 5; ++i) REQUIRE(writer->add(some_operation(i)));
  REQUIRE(writer->add_given_up("given up \xff"));
  REQUIRE(writer->add(Kept{0, "new/p1-0/\xff", "kept \n"}));
  REQUIRE(writer->mark(Stage::kReady, 41));
  REQUIRE(writer->mark(Stage::kCommitted, 42));
  std::string text = content(fd);
  ::close(fd);
  return text;
}

}  // namespace

TEST_CASE("a journal reads back as it was written") {
  const std::string text = whole_journal();
  const UniqueFd file = file_with(text);
  const auto journal = read_journal(file.get());
  REQUIRE(journal);
  CHECK(journal->header.number == 3);
  CHECK(journal->header.whole);
  CHECK(journal->volumes.at(0).token == "token");
  REQUIRE(journal->operations.size() == 5);
  for (int i = 0; i < 5; ++i) {
    const Operation& now = journal->operations[static_cast<std::size_t>(i)];
    const Operation then = some_operation(i);
    CHECK(now.from == then.from);
    CHECK(now.to == then.to);
    CHECK(now.object == then.object);
    CHECK(now.displaced == then.displaced);
    CHECK(now.before == then.before);
    CHECK(now.after == then.after);
    CHECK(now.print == then.print);
    CHECK(now.displaced_print == then.displaced_print);
    CHECK(now.from_directory == then.from_directory);
    CHECK(now.to_directory == then.to_directory);
  }
  REQUIRE(journal->directories.size() == 2);
  CHECK(!journal->directories[0].handle);
  CHECK(journal->directories[1] ==
        Directory{8, DirectoryHandle{-3, std::string("h\0\xff", 3)}, 0, "d/e", sha256("listing")});
  CHECK(journal->given_up == std::vector<std::string>{"given up \xff"});
  CHECK(journal->kept == std::vector<Kept>{{0, "new/p1-0/\xff", "kept \n"}});
  CHECK(journal->stage == Stage::kCommitted);
  CHECK(journal->ready_ns == 41);
  CHECK(journal->settled_ns == 42);
}

TEST_CASE("a journal of which nothing but its length outlived a power cut was only begun") {
  const UniqueFd file = file_with(std::string(300, '\0'));
  const auto journal = read_journal(file.get());
  REQUIRE(!journal);
  CHECK(journal.error().err == ENODATA);
}

TEST_CASE("an operation of a directory that the journal does not note is damage") {
  UniqueFd file = memory_file();
  const UniqueFd again(::dup(file.get()));
  auto writer = JournalWriter::create(std::move(file), {});
  REQUIRE(writer);
  JournalVolume volume;
  volume.mountpoint = "/";
  REQUIRE(writer->add(volume));
  REQUIRE(writer->add(Directory{7, std::nullopt, 0, {}, {}}));
  Operation operation;
  operation.from_directory = 1;
  REQUIRE(writer->add(operation));
  REQUIRE(writer->sync());
  const UniqueFd copy = file_with(content(again.get()));
  const auto journal = read_journal(copy.get());
  REQUIRE(!journal);
  CHECK(journal.error().exit == ExitCode::kDataError);
}

TEST_CASE("a journal cut off anywhere is the last whole record, never nonsense") {
  const std::string text = whole_journal();
  Stage last = Stage::kPreparing;
  std::size_t operations = 0;
  bool begun = false;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const UniqueFd file = file_with(text.substr(0, size));
    const auto journal = read_journal(file.get());
    if (!journal) {
      REQUIRE(!begun);
      REQUIRE(journal.error().err == ENODATA);
      continue;
    }
    begun = true;
    REQUIRE(journal->stage >= last);
    REQUIRE(journal->operations.size() >= operations);
    last = journal->stage;
    operations = journal->operations.size();
  }
  CHECK(last == Stage::kCommitted);
}

TEST_CASE("a flipped bit ends a journal before it") {
  const std::string text = whole_journal();
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const UniqueFd file = file_with(damaged);
    const auto journal = read_journal(file.get());
    if (journal) REQUIRE((journal->stage != Stage::kCommitted || journal->settled_ns == 42));
    if (journal) REQUIRE(journal->operations.size() <= 5);
    if (journal) REQUIRE(journal->stage < Stage::kCommitted);
  }
}

TEST_CASE("a journal is gone on with after a torn end") {
  const std::string text = whole_journal();
  UniqueFd file = file_with(text + "torn");
  const int fd = ::dup(file.get());
  auto writer = JournalWriter::reopen(std::move(file));
  REQUIRE(writer);
  REQUIRE(writer->mark(Stage::kUndone));
  const UniqueFd again = file_with(content(fd));
  ::close(fd);
  const auto journal = read_journal(again.get());
  REQUIRE(journal);
  CHECK(journal->stage == Stage::kUndone);
}
