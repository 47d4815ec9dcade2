#include "rehearsal/view_gaps.h"

#include <catch2/catch.hpp>

using namespace rehearse;
using trace::OwnLook;
using trace::View;

TEST_CASE("what is looked at by habit") {
  CHECK(is_looked_at_by_habit({View::kMounts, "/proc/self/mountinfo", "/usr/bin/df"}));
  CHECK(is_looked_at_by_habit({View::kNetwork, "addresses", "/usr/bin/curl"}));
  CHECK(is_looked_at_by_habit({View::kListing, "/proc/sys/net/ipv4", "/sbin/sysctl"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kMounts, "/proc/self/mountinfo", "/usr/bin/findmnt"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kNetwork, "routes", "/usr/bin/ip"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kNetwork, "interfaces", ""}));
  CHECK_FALSE(is_looked_at_by_habit({View::kListing, "/dev/shm", "/usr/bin/bash"}));
  CHECK(is_looked_at_by_habit({View::kLimits, "/proc/self/cgroup", "/usr/bin/rustup"}));
  CHECK(is_looked_at_by_habit({View::kInit, "/proc/1/limits", "/usr/bin/su"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kInit, "/proc/1/comm", "/usr/bin/su"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kLimits, "/proc/self/cgroup", "/usr/bin/grep"}));
  // What a program prints is looked at for a purpose where another acts on it.
  CHECK(is_looked_at_by_habit({View::kListing, "/proc", "/usr/bin/ps"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kListing, "/proc", "/usr/bin/ps", "grep"}));
  CHECK(is_looked_at_by_habit({View::kMounts, "/proc/self/mountinfo", "/usr/bin/df", "awk"}));
  CHECK_FALSE(is_looked_at_by_habit({View::kMounts, "devices", "/usr/bin/df", "awk"}));
  CHECK(is_looked_at_by_habit({View::kNetwork, "addresses", "/usr/bin/curl", "sh"}));
}

TEST_CASE("each kind of look is one gap, habits apart") {
  const std::set<OwnLook> looks = {{View::kMounts, "/proc/self/mounts", "/usr/bin/grep"},
                                   {View::kMounts, "/proc/self/mountinfo", "/usr/bin/df"},
                                   {View::kNetwork, "routes", "/usr/bin/ip"}};
  const auto gaps = view_gaps(looks, false);
  REQUIRE(gaps.size() == 3);
  CHECK(gaps[0].what == "network configuration of this host: routes (ip)");
  CHECK(gaps[1].what == "mount table of this host: /proc/self/mounts (grep)");
  CHECK(gaps[1].cap == verdict::Level::kYellow);
  CHECK(gaps[2].what == "mount table of this host: /proc/self/mountinfo (df)");
  CHECK(gaps[2].cap == verdict::Level::kGreen);
  CHECK(view_gaps(looks, true).size() == 2);
  CHECK(view_gaps({}, false).empty());
}
