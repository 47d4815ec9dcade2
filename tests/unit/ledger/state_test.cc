// State directory, bundles and ledger on the real file system. They belong to root, so the tests need it.
#include "ledger/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "ledger/gc.h"
#include "ledger/ledger.h"

using namespace rehearse;
using namespace rehearse::ledger;

namespace {

/// A state directory that is gone after the test.
struct Place {
  std::string path;
  Place() {
    char name[] = "/tmp/rehearse-state-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = std::string(name) + "/state";
  }
  ~Place() { std::filesystem::remove_all(std::filesystem::path(path).parent_path()); }
  [[nodiscard]] StateDir open() const {
    auto state = StateDir::open(path, Create::kYes);
    REQUIRE(state);
    return std::move(*state);
  }
};

std::string finished_run(const StateDir& state, const std::vector<std::string>& argv = {"true"}) {
  auto bundle = state.create_run();
  REQUIRE(bundle);
  report::RunRecord record;
  record.id = bundle->id();
  record.created_ns = time_of_run(bundle->id());
  record.action.argv = argv;
  record.verdict.level = verdict::Level::kYellow;
  record.command.exit = 3;
  record.counts.created = 7;
  REQUIRE(bundle->finish(record));
  return bundle->id();
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("needs root");
  return false;
}

}  // namespace

TEST_CASE("only a whole run id is one") {
  CHECK(is_run_id("20261124-020515-abcdef"));
  for (const char* bad : {"", "20261124-020515-abcde", "20261124-020515-abcdef0", "20261124-020515-abcdeg",
                          "2026112a-020515-abcdef", "20261124/020515-abcdef", "../../../../etc/passwd",
                          "20261124-020515-ABCDEF", "20261124-0205-5-abcdef"}) {
    INFO(bad);
    CHECK(!is_run_id(bad));
  }
  CHECK(!is_run_id(std::string_view("20261124-020515-abcd\0f", 22)));
  CHECK(time_of_run("19700102-000001-800000") == 86401LL * 1'000'000'000 + 500'000'000);
}

TEST_CASE("ids sort as their runs began, also within one second") {
  const std::int64_t start = std::int64_t{1'800'000'000} * 1'000'000'000 + 999'000'000;
  std::string before;
  for (std::int64_t at = start; at < start + 2'000'000; at += 977) {
    const std::string id = run_id_of(at);
    REQUIRE(is_run_id(id));
    REQUIRE(before < id);
    REQUIRE(run_id_of(time_of_run(id)) == id);
    REQUIRE(std::abs(time_of_run(id) - at) <= 60);
    before = id;
  }
}

TEST_CASE("\"last\" is the newest run, however close they are") {
  Place place;
  const StateDir state = place.open();
  for (int i = 0; i < 50; ++i) {
    const std::string id = finished_run(state);
    auto last = state.open_run("last");
    REQUIRE(last);
    REQUIRE(last->id() == id);
  }
}

TEST_CASE("a state directory that others can reach is refused, with what to do") {
  if (!is_root()) return;
  const Place place;
  CHECK(StateDir::open(place.path, Create::kNo).error().exit == ExitCode::kUsage);
  { const StateDir state = place.open(); }
  struct stat st = {};
  REQUIRE(::stat(place.path.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777U) == 0700);
  for (const mode_t mode : {0750U, 0701U, 0777U}) {
    REQUIRE(::chmod(place.path.c_str(), mode) == 0);
    const auto open = StateDir::open(place.path, Create::kYes);
    REQUIRE(!open);
    CHECK(open.error().exit == ExitCode::kConfig);
    CHECK(!open.error().fix.empty());
  }
  REQUIRE(::chmod(place.path.c_str(), 0700) == 0);
  const std::string link = place.path + "-link";
  REQUIRE(::symlink(place.path.c_str(), link.c_str()) == 0);
  CHECK(StateDir::open(link, Create::kYes).error().exit == ExitCode::kConfig);
  CHECK(StateDir::open(link + "/", Create::kYes).error().exit == ExitCode::kConfig);
  for (const char* bad : {"", "relative", "/"})
    CHECK(StateDir::open(bad, Create::kYes).error().exit == ExitCode::kUsage);
}

TEST_CASE("runs are found by what their id begins with") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  CHECK(state.open_run("last").error().exit == ExitCode::kUsage);
  const std::string first = finished_run(state);
  const std::string second = finished_run(state);
  CHECK(state.open_run(first)->id() == first);
  CHECK(state.open_run(first.substr(0, 4)).error().exit == ExitCode::kUsage);  // both
  if (first.substr(0, 17) != second.substr(0, 17)) CHECK(state.open_run(first.substr(0, 17))->id() == first);
  CHECK(state.open_run("last")->id() == std::max(first, second));
  for (const char* bad : {"", "..", "../runs", "1999", "20261124-020515-abcdef-and-more", "*"}) {
    INFO(bad);
    CHECK(state.open_run(bad).error().exit == ExitCode::kUsage);
  }
}

TEST_CASE("a run is interrupted when its lock is free and it never finished") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  std::string id;
  {
    auto live = state.create_run();
    REQUIRE(live);
    id = live->id();
    CHECK(state.interrupted_runs()->empty());
  }
  CHECK(*state.interrupted_runs() == std::vector<std::string>{id});
  std::vector<std::string> released;
  const auto collected = collect_interrupted(state, [&](const std::string& run) -> Result<void> {
    released.push_back(run);
    return {};
  });
  REQUIRE(collected);
  CHECK(released == std::vector<std::string>{id});
  CHECK(state.interrupted_runs()->empty());
  auto ledger = Ledger::open(state);
  REQUIRE(ledger);
  const auto rows = ledger->list({});
  REQUIRE(rows->size() == 1);
  CHECK(rows->front().state == State::kInterrupted);
}

TEST_CASE("a bundle with another run's record, or a damaged one, says so") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  const std::string id = finished_run(state);
  const std::string file = place.path + "/runs/" + id + "/run.json";
  CHECK(state.open_run(id)->read_record());
  write_file(file,
             R"({"schema":"rehearse.run/1","id":"20200101-000000-abcdef","verdict":{"level":"green"}})");
  CHECK(state.open_run(id)->read_record().error().exit == ExitCode::kDataError);
  write_file(file, "{");
  CHECK(state.open_run(id)->read_record().error().exit == ExitCode::kDataError);
  REQUIRE(::unlink(file.c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", file.c_str()) == 0);
  CHECK(!state.open_run(id)->read_record());
}

TEST_CASE("the ledger takes finished runs in once, with odd words whole") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  const std::vector<std::string> argv = {"sh", "-c", "\xff\n\x1b[2J", ""};
  const std::string id = finished_run(state, argv);
  for (int times = 0; times < 2; ++times) {
    auto ledger = Ledger::open(state);
    REQUIRE(ledger);
    const auto rows = ledger->list({});
    REQUIRE(rows);
    REQUIRE(rows->size() == 1);
    CHECK(rows->front().id == id);
    CHECK(rows->front().argv == argv);
    CHECK(rows->front().exit == 3);
    CHECK(rows->front().counts.created == 7);
    CHECK(rows->front().verdict == "yellow");
  }
  CHECK(std::filesystem::is_empty(place.path + "/intake"));
}

TEST_CASE("a damaged ledger is set aside and built again from the runs") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  std::vector<std::string> runs = {finished_run(state), finished_run(state)};
  std::sort(runs.begin(), runs.end());
  { REQUIRE(Ledger::open(state)); }
  const std::string database = place.path + "/ledger.db";
  for (const std::string& damage : {std::string("not a database at all, and long enough to be looked at"),
                                    std::string("SQLite format 3\0", 16) + std::string(5000, '\xee')}) {
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(database + suffix);
    write_file(database, damage);
    std::string notice;
    auto ledger = Ledger::open(state, &notice);
    REQUIRE(ledger);
    CHECK(notice.find("damaged") != std::string::npos);
    const auto rows = ledger->list({});
    REQUIRE(rows);
    REQUIRE(rows->size() == 2);
    CHECK((*rows)[0].id == runs[1]);  // newest first
    CHECK((*rows)[1].id == runs[0]);
  }
  REQUIRE(std::filesystem::remove(database));
  std::string notice;
  auto ledger = Ledger::open(state, &notice);
  REQUIRE(ledger);
  CHECK(notice.empty());
  CHECK(ledger->list({})->size() == 2);
}

TEST_CASE("a ledger newer than this program is left alone") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  { REQUIRE(Ledger::open(state)); }
  {
    // user_version lies at byte 60 of the header (sqlite.org/fileformat2.html).
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(place.path + "/ledger.db" + suffix);
    std::fstream file(place.path + "/ledger.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);
    file.write("\0\0\0\x63", 4);
  }
  const auto ledger = Ledger::open(state);
  REQUIRE(!ledger);
  CHECK(ledger.error().exit == ExitCode::kConfig);
}

TEST_CASE("what gc chose is gone from disk and remembered as removed") {
  if (!is_root()) return;
  const Place place;
  const StateDir state = place.open();
  finished_run(state);
  auto live = state.create_run();
  REQUIRE(live);
  auto ledger = Ledger::open(state);
  REQUIRE(ledger);
  GcPolicy policy;
  policy.all = true;
  const GcHooks nothing = {[](const std::string&) -> Result<void> { return {}; },
                           [](const Bundle&) -> Result<std::uint64_t> { return std::uint64_t{0}; },
                           {},
                           [](const Bundle&) -> Result<void> { return {}; }};
  REQUIRE(collect_garbage(state, *ledger, policy, DryRun::kYes, nothing));
  CHECK(state.run_ids()->size() == 2);
  REQUIRE(collect_garbage(state, *ledger, policy, DryRun::kNo, nothing));
  CHECK(*state.run_ids() == std::vector<std::string>{live->id()});
  CHECK(ledger->list({})->empty());
  Filter all;
  all.include_removed = true;
  REQUIRE(ledger->list(all)->size() == 1);
  CHECK(ledger->list(all)->front().state == State::kRemoved);
}
