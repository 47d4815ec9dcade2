#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "base/sys.h"
#include "trace/process_tree.h"
#include "trace/store_reader.h"
#include "trace/store_writer.h"

using namespace rehearse;
using namespace rehearse::trace;
using Ending = StoreReader::Ending;

namespace {

struct rh_call call(std::uint32_t tid, std::uint64_t time, std::uint64_t argument) {
  struct rh_call made = {};
  made.head.size = sizeof made;
  made.head.kind = RH_EXIT;
  made.head.args = 6;
  made.head.tid = tid;
  made.head.time_ns = time;
  made.head.nr = 39;
  made.arg[0] = argument;
  return made;
}

UniqueFd memory() {
  auto file = sys::memfd("trace", MFD_CLOEXEC);
  REQUIRE(file);
  return std::move(*file);
}

UniqueFd again(const UniqueFd& file) {
  auto copy = sys::open(sys::fd_path(file.get()).c_str(), O_RDWR);
  REQUIRE(copy);
  return std::move(*copy);
}

/// A whole file of `number` records, in many blocks.
UniqueFd written(std::uint64_t number, bool finish = true) {
  UniqueFd file = memory();
  auto store = StoreWriter::create(again(file), std::uint64_t{1} << 30U);
  REQUIRE(store);
  for (std::uint64_t i = 0; i < number; ++i) {
    const auto record = call(static_cast<std::uint32_t>(i % 7), i, i * 2654435761U);
    REQUIRE(store->add(record.head));
  }
  if (finish) {
    REQUIRE(store->finish("{\"trouble\":[]}"));
  } else {
    REQUIRE(store->flush_if_old(std::uint64_t{1} << 62U));
  }
  return file;
}

struct Read {
  std::uint64_t records = 0;
  bool in_order = true;
  Ending ending = Ending::kDamaged;
  std::string summary;
};

Read read(const UniqueFd& file) {
  Read result;
  auto reader = StoreReader::open(again(file));
  REQUIRE(reader);
  auto ending = reader->read([&](const Record& record) {
    result.in_order = result.in_order && record.argument(0) == result.records * 2654435761U;
    ++result.records;
    return true;
  });
  REQUIRE(ending);
  result.ending = *ending;
  result.summary = reader->summary();
  return result;
}

}  // namespace

TEST_CASE("A trace is read as it was written") {
  const Read result = read(written(50'000));
  CHECK(result.records == 50'000);
  CHECK(result.in_order);
  CHECK(result.ending == Ending::kWhole);
  CHECK(result.summary == "{\"trouble\":[]}");
}

TEST_CASE("A trace whose writer died is read to its last whole block") {
  const Read result = read(written(50'000, false));
  CHECK(result.records == 50'000);
  CHECK(result.ending == Ending::kUnended);
}

TEST_CASE("A byte that was changed is found, and nothing after it is believed") {
  const UniqueFd file = written(50'000);
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  for (const off_t at : {off_t{40}, off_t{300}, size / 2, size - 20}) {
    char byte = 0;
    REQUIRE(::pread(file.get(), &byte, 1, at) == 1);
    byte = static_cast<char>(byte ^ 1);
    REQUIRE(::pwrite(file.get(), &byte, 1, at) == 1);
    const Read result = read(file);
    CHECK(result.ending == Ending::kDamaged);
    CHECK(result.records < 50'000U + (at > size / 2 ? 1U : 0U));
    CHECK(result.in_order);
    byte = static_cast<char>(byte ^ 1);
    REQUIRE(::pwrite(file.get(), &byte, 1, at) == 1);
  }
  CHECK(read(file).ending == Ending::kWhole);
}

TEST_CASE("A trace that is cut short is unended or damaged, never whole") {
  const UniqueFd file = written(20'000);
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  for (const off_t to : {off_t{32}, off_t{100}, size / 2, size - 1}) {
    const UniqueFd part = written(20'000);
    REQUIRE(::ftruncate(part.get(), to) == 0);
    const Read result = read(part);
    CHECK((result.ending == Ending::kDamaged || result.ending == Ending::kUnended));
    CHECK(result.in_order);
  }
}

TEST_CASE("A trace that goes on after its end is not believed to be whole") {
  const UniqueFd file = written(20'000);
  REQUIRE(::lseek(file.get(), 0, SEEK_END) > 0);
  REQUIRE(::write(file.get(), "x", 1) == 1);
  CHECK(read(file).ending == Ending::kDamaged);
}

TEST_CASE("How a trace ends is known without reading it") {
  const UniqueFd file = written(20'000);
  auto reader = StoreReader::open(again(file));
  REQUIRE(reader);
  const auto tail = reader->tail();
  REQUIRE(tail);
  CHECK(tail->ended);
  REQUIRE(reader->read([](const Record&) { return true; }));
  CHECK(tail->root == reader->root());
  REQUIRE(::ftruncate(file.get(), ::lseek(file.get(), 0, SEEK_END) - 1) == 0);
  CHECK_FALSE(StoreReader::open(again(file))->tail()->ended);
}

TEST_CASE("A full trace ends with a note and its summary") {
  UniqueFd file = memory();
  auto store = StoreWriter::create(again(file), 3000);
  REQUIRE(store);
  std::uint64_t failures = 0;
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    const auto record = call(1, i, i * 2654435761U);
    if (!store->add(record.head)) ++failures;
  }
  CHECK(failures == 1);
  CHECK(store->cut() > 0);
  CHECK(store->cut() + store->records() == 30'000);
  REQUIRE(store->finish("{}"));
  const Read result = read(file);
  CHECK(result.ending == Ending::kCut);
  CHECK(result.records == store->records());
  CHECK(result.summary == "{}");
}

TEST_CASE("Processes: an endless storm and endless arguments take a bounded amount of memory") {
  ProcessTree tree;
  const auto fork = [&](std::uint32_t parent, std::uint32_t child) {
    struct rh_fork made = {};
    made.head = {sizeof made, RH_FORK, 0, 0, 10, parent, 0};
    made.parent_tgid = parent;
    made.child_tid = made.child_tgid = child;
    tree.add(Record(made.head));
  };
  fork(1, 2);
  fork(2, 3);
  for (std::uint32_t i = 0; i < 300'000; ++i) fork(3, 10 + i);
  CHECK(tree.processes().size() < 300'000);
  CHECK(tree.unlisted() + tree.processes().size() == 300'002);
  REQUIRE(tree.of_thread(300'009) != nullptr);
  CHECK(tree.of_thread(300'009)->id == 1);  // its maker's
  // The end of one that is not listed is not its maker's.
  struct rh_death death = {};
  death.head = {sizeof death, RH_DEATH, 0, 0, 20, 300'009, 0};
  death.tgid = 300'009;
  death.last = 1;
  tree.add(Record(death.head));
  CHECK_FALSE(tree.processes()[1].end_ns);

  std::vector<std::uint64_t> memory((sizeof(struct rh_chunk) + RH_CHUNK_BYTES) / 8);
  auto& chunk = *reinterpret_cast<struct rh_chunk*>(memory.data());
  std::size_t kept = 0;
  for (std::uint32_t round = 0; round < 3000; ++round) {
    struct rh_exec exec = {};
    exec.head = {sizeof exec, RH_EXEC, 0, 0, 15, 3, 0};
    exec.tgid = exec.old_tid = 3;
    tree.add(Record(exec.head));
    for (std::uint32_t piece = 0; piece < 8; ++piece) {
      chunk.head = {
          static_cast<std::uint32_t>(memory.size() * 8), RH_ARGV, 0, 0, 16, 3, piece * RH_CHUNK_BYTES};
      chunk.length = RH_CHUNK_BYTES;
      tree.add(Record(chunk.head));
    }
  }
  for (const auto& image : tree.processes()[1].images) kept += image->argv.size();
  CHECK(tree.processes()[1].images.size() <= 1024);
  CHECK(kept <= std::size_t{64} << 20U);
  CHECK(tree.processes()[1].images.back()->argv_cut);
}

TEST_CASE("Processes: threads, exec from one of them, and how each ended") {
  ProcessTree tree;
  const auto fork = [&](std::uint32_t parent, std::uint32_t child, std::uint32_t tgid, std::uint32_t inner) {
    struct rh_fork made = {};
    made.head = {sizeof made, RH_FORK, 0, 0, 10, parent, 0};
    made.parent_tgid = parent;
    made.child_tid = child;
    made.child_tgid = tgid;
    made.inner_tid = inner;
    tree.add(Record(made.head));
  };
  const auto death = [&](std::uint32_t tid, std::uint32_t tgid, int status, bool last) {
    struct rh_death made = {};
    made.head = {sizeof made, RH_DEATH, 0, 0, 20, tid, 0};
    made.tgid = tgid;
    made.status = status;
    made.last = last ? 1 : 0;
    tree.add(Record(made.head));
  };
  fork(5, 100, 100, 1);
  fork(100, 101, 101, 2);
  fork(101, 102, 101, 3);
  REQUIRE(tree.of_thread(102) != nullptr);
  CHECK(tree.of_thread(102)->id == 1);
  CHECK(tree.of_thread(102)->threads == 2);
  death(101, 101, 0, false);
  struct rh_exec exec = {};
  exec.head = {sizeof exec, RH_EXEC, 0, 0, 15, 101, 0};
  exec.tgid = 101;
  exec.old_tid = 102;
  std::memcpy(exec.comm, "true", 5);
  tree.add(Record(exec.head));
  REQUIRE(tree.of_thread(101) != nullptr);
  CHECK(tree.of_thread(102) == nullptr);
  CHECK(tree.of_thread(101)->comm == "true");
  CHECK_FALSE(tree.of_thread(101)->exit);
  death(101, 101, 9, true);
  CHECK(tree.of_thread(101) == nullptr);
  CHECK(tree.processes()[1].signal == 9);
  // The number is given to another process.
  fork(100, 101, 101, 9);
  REQUIRE(tree.of_thread(101) != nullptr);
  CHECK(tree.of_thread(101)->id == 2);
}
