#include "effects/package_index.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/fd.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

struct PackageLists {
  std::string path;
  PackageLists() {
    char name[] = "/tmp/rehearse-packages-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
    for (const char* side : {"/lower", "/upper"}) std::filesystem::create_directories(path + side + info);
  }
  ~PackageLists() { std::filesystem::remove_all(path); }
  void list(const std::string& side, const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + side + info + "/" + name) << text;
  }
  [[nodiscard]] PackageIndex load(int cache = -1) const {
    const UniqueFd lower(::open((path + "/lower").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd upper(::open((path + "/upper").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return PackageIndex::load(lower.get(), upper.get(), cache);
  }
  static constexpr const char* info = "/var/lib/dpkg/info";
};

}  // namespace

TEST_CASE("a path belongs to the package whose list has it") {
  const PackageLists place;
  place.list("lower", "coreutils.list", "/.\n/usr\n/usr/bin\n/usr/bin/ls\n/usr/bin/a b\n");
  place.list("lower", "libc6:amd64.list", "/.\n/usr\n/usr/lib/libc.so.6");  // no newline at the end
  place.list("upper", "fresh.list", "/usr/bin/new\n");
  place.list("lower", "coreutils.md5sums", "/usr/bin/md5\n");
  PackageIndex index = place.load();
  CHECK(index.owner("/usr/bin/ls") == "coreutils");
  CHECK(index.owner("/usr/bin/a b") == "coreutils");
  CHECK(index.owner("/usr/lib/libc.so.6") == "libc6");
  CHECK(index.owner("/usr/bin/new") == "fresh");  // installed by the run
  CHECK(index.owners("/usr") == "several packages");
  CHECK(index.owner("/usr") == "");  // several packages' directory is nobody's
  CHECK(index.owner("/usr/bin/l") == "");
  CHECK(index.owner("/usr/bin/md5") == "");
  CHECK(index.owner("") == "");
}

TEST_CASE("the same package in lower and upper is one") {
  const PackageLists place;
  place.list("lower", "tool.list", "/usr/bin/tool\n");
  place.list("upper", "tool.list", "/usr/bin/tool\n");
  CHECK(place.load().owner("/usr/bin/tool") == "tool");
}

TEST_CASE("with a merged /usr a list's /bin/x is the host's /usr/bin/x") {
  const PackageLists place;
  place.list("lower", "old.list", "/bin/x\n/binary/y\n");
  CHECK(place.load().owner("/bin/x") == "old");
  std::filesystem::create_symlink("usr/bin", place.path + "/lower/bin");
  CHECK(place.load().owner("/usr/bin/x") == "old");
  CHECK(place.load().owner("/bin/x") == "");
  CHECK(place.load().owner("/binary/y") == "old");
}

TEST_CASE("a list that is not a plain file is not read") {
  const PackageLists place;
  std::ofstream(place.path + "/secret") << "/usr/bin/evil\n";
  std::filesystem::create_symlink(place.path + "/secret", place.path + "/upper/var/lib/dpkg/info/evil.list");
  REQUIRE(::mkfifo((place.path + "/upper/var/lib/dpkg/info/fifo.list").c_str(), 0600) == 0);
  CHECK(place.load().owner("/usr/bin/evil") == "");
}

TEST_CASE("the kept part of the index answers as the lists do, and is not believed when damaged") {
  const PackageLists place;
  for (int i = 0; i < 50; ++i) {
    std::string text = "/usr\n";
    for (int j = 0; j < 100; ++j) text += fmt::format("/usr/share/p{}/f{}\n", i, j);
    place.list("lower", fmt::format("p{}.list", i), text);
  }
  place.list("upper", "fresh.list", "/usr\n/usr/bin/new\n/usr/share/p1/f1\n");
  const UniqueFd cache(::open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string file = place.path + "/packages.cache";
  const auto check = [&] {
    PackageIndex index = place.load(cache.get());
    for (int round = 0; round < 2; ++round) {  // the second is answered from memory
      for (int i = 0; i < 50; ++i) {
        for (int j = 0; j < 100; ++j) {
          const std::string owner = i == 1 && j == 1 ? "" : fmt::format("p{}", i);
          if (index.owner(fmt::format("/usr/share/p{}/f{}", i, j)) != owner) return false;
        }
      }
    }
    return index.owner("/usr/bin/new") == "fresh" && index.owner("/usr").empty() &&
           index.owner("/no").empty();
  };
  CHECK(check());
  REQUIRE(std::filesystem::exists(file));
  CHECK(check());
  const auto size = std::filesystem::file_size(file);
  for (const std::uintmax_t cut : {std::uintmax_t{0}, std::uintmax_t{40}, size / 2, size - 1}) {
    std::filesystem::resize_file(file, cut);
    CHECK(check());
  }
  // Right in size, wrong inside: no answer leads out of the table.
  REQUIRE(check());
  std::fstream(file, std::ios::in | std::ios::out).seekp(200).write(std::string(4000, '\xff').c_str(), 4000);
  (void)check();
  place.list("lower", "late.list", "/usr/share/late\n");
  CHECK(place.load(cache.get()).owner("/usr/share/late") == "late");
}
