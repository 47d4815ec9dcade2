#include "effects/package_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/fd.h"

using namespace rehearse;
using namespace rehearse::effects;

namespace {

struct Place {
  std::string path;
  Place() {
    char name[] = "/tmp/rehearse-packages-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
    for (const char* side : {"/lower", "/upper"}) std::filesystem::create_directories(path + side + info);
  }
  ~Place() { std::filesystem::remove_all(path); }
  void list(const std::string& side, const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + side + info + "/" + name) << text;
  }
  [[nodiscard]] PackageIndex load() const {
    const UniqueFd lower(::open((path + "/lower").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd upper(::open((path + "/upper").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return PackageIndex::load(lower.get(), upper.get());
  }
  static constexpr const char* info = "/var/lib/dpkg/info";
};

}  // namespace

TEST_CASE("a path belongs to the package whose list has it") {
  const Place place;
  place.list("lower", "coreutils.list", "/.\n/usr\n/usr/bin\n/usr/bin/ls\n/usr/bin/a b\n");
  place.list("lower", "libc6:amd64.list", "/.\n/usr\n/usr/lib/libc.so.6");  // no newline at the end
  place.list("upper", "fresh.list", "/usr/bin/new\n");
  place.list("lower", "coreutils.md5sums", "/usr/bin/md5\n");
  const PackageIndex index = place.load();
  CHECK(index.owner("/usr/bin/ls") == "coreutils");
  CHECK(index.owner("/usr/bin/a b") == "coreutils");
  CHECK(index.owner("/usr/lib/libc.so.6") == "libc6");
  CHECK(index.owner("/usr/bin/new") == "fresh");  // installed by the run
  CHECK(index.owner("/usr") == "");               // several packages' directory is nobody's
  CHECK(index.owner("/usr/bin/l") == "");
  CHECK(index.owner("/usr/bin/md5") == "");
  CHECK(index.owner("") == "");
}

TEST_CASE("the same package in lower and upper is one") {
  const Place place;
  place.list("lower", "tool.list", "/usr/bin/tool\n");
  place.list("upper", "tool.list", "/usr/bin/tool\n");
  CHECK(place.load().owner("/usr/bin/tool") == "tool");
}

TEST_CASE("with a merged /usr a list's /bin/x is the host's /usr/bin/x") {
  const Place place;
  place.list("lower", "old.list", "/bin/x\n/binary/y\n");
  CHECK(place.load().owner("/bin/x") == "old");
  std::filesystem::create_symlink("usr/bin", place.path + "/lower/bin");
  CHECK(place.load().owner("/usr/bin/x") == "old");
  CHECK(place.load().owner("/bin/x") == "");
  CHECK(place.load().owner("/binary/y") == "old");
}

TEST_CASE("a list that is not a plain file is not read") {
  const Place place;
  std::ofstream(place.path + "/secret") << "/usr/bin/evil\n";
  std::filesystem::create_symlink(place.path + "/secret", place.path + "/upper/var/lib/dpkg/info/evil.list");
  REQUIRE(::mkfifo((place.path + "/upper/var/lib/dpkg/info/fifo.list").c_str(), 0600) == 0);
  CHECK(place.load().owner("/usr/bin/evil") == "");
}
