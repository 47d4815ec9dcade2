#include "effects/untouched.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/sys.h"
#include "base/tree.h"

namespace rehearse::effects {
namespace {

/// An upper whose root has had its change time for longer than a tick of the clock.
struct Upper {
  std::string path = "/tmp/rehearse-untouched-XXXXXX";
  UniqueFd root;
  std::int64_t ctime_ns = 0;

  Upper() {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    root = std::move(*sys::open(path.c_str(), O_RDONLY | O_DIRECTORY));
    ctime_ns = to_ns(sys::stat_fd(root.get())->st_ctim);
    while (earliest_stamp_ns() <= ctime_ns) ::usleep(1000);
  }
  Upper(const Upper&) = delete;
  Upper& operator=(const Upper&) = delete;
  ~Upper() { (void)remove_tree(AT_FDCWD, path.c_str()); }
};

TEST_CASE("an upper that nothing was done to is told from every other") {
  const Upper upper;
  const int root = upper.root.get();
  REQUIRE(is_untouched(root, upper.ctime_ns));
  CHECK(is_untouched(root, upper.ctime_ns));  // looking does nothing to it

  SECTION("another mode") {
    REQUIRE(::fchmod(root, 0711) == 0);
  }
  SECTION("the same mode again") {
    REQUIRE(::fchmod(root, 0700) == 0);
  }
  SECTION("other times") {
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    REQUIRE(::futimens(root, times) == 0);
  }
  SECTION("a name") {
    REQUIRE(::mkdirat(root, "made", 0700) == 0);
  }
  SECTION("a name that is gone again") {
    REQUIRE(::mkdirat(root, "made", 0700) == 0);
    REQUIRE(::unlinkat(root, "made", AT_REMOVEDIR) == 0);
  }
  CHECK_FALSE(is_untouched(root, upper.ctime_ns));
}

TEST_CASE("an upper with names in it is touched, whatever the clock says") {
  const Upper upper;
  REQUIRE(::mkdirat(upper.root.get(), "made", 0700) == 0);
  CHECK_FALSE(is_untouched(upper.root.get(), to_ns(sys::stat_fd(upper.root.get())->st_ctim)));
}

}  // namespace
}  // namespace rehearse::effects
