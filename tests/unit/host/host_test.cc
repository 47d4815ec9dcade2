#include <catch2/catch.hpp>

#include "host/cgroups.h"
#include "host/identity.h"
#include "host/listeners.h"
#include "host/mounts.h"

using namespace rehearse;
using namespace rehearse::host;

namespace {
std::vector<std::string> visible(const std::string& text) {
  const auto mounts = parse_mountinfo(text);
  REQUIRE(mounts);
  std::vector<std::string> sources;
  for (const std::size_t i : visible_mounts(*mounts)) sources.push_back((*mounts)[i].source);
  return sources;
}
}  // namespace

TEST_CASE("a line of mountinfo") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt\\0402,x rw,noatime master:1 shared:2 - ext3 /dev/ro\\134ot "
      "rw,errors=continue\n");
  REQUIRE(mounts);
  const Mount& mount = mounts->front();
  CHECK(mount.id == 36);
  CHECK(mount.parent == 35);
  CHECK(mount.major == 98);
  CHECK(mount.root == "/mnt1");
  CHECK(mount.mountpoint == "/mnt 2,x");
  CHECK(mount.fstype == "ext3");
  CHECK(mount.source == "/dev/ro\\ot");
  CHECK(!mount.read_only());
  CHECK(mount.has_option("noatime"));
  CHECK(mount.has_super_option("errors=continue"));
}

TEST_CASE("lines that are not mountinfo are refused with their number") {
  for (const char* bad : {"x", "1 2 3 / / rw - ext4 a b", "1 2 8:1 / / rw", "1 2 8:1 / rel rw - ext4 a b",
                          "1 2 8:1 / / rw shared:1"}) {
    const auto mounts = parse_mountinfo(std::string("1 0 8:1 / / rw - ext4 a rw\n") + bad + "\n");
    REQUIRE(!mounts);
    CHECK(mounts.error().what.find("line 2") != std::string::npos);
  }
}

TEST_CASE("covered mounts are not visible") {
  CHECK(visible("1 0 8:1 / / rw - ext4 root rw\n"
                "2 1 0:1 / /a rw - tmpfs below rw\n"
                "3 2 0:2 / /a rw - tmpfs top rw\n"
                "4 1 0:3 / /b/c rw - tmpfs deep rw\n"
                "5 1 0:4 / /b rw - tmpfs over rw\n") == std::vector<std::string>{"root", "top", "over"});
}

TEST_CASE("parents come before children") {
  CHECK(visible("1 0 8:1 / / rw - ext4 root rw\n"
                "3 2 0:2 / /a/b rw - tmpfs child rw\n"
                "2 1 0:1 / /a rw - tmpfs parent rw\n") ==
        std::vector<std::string>{"root", "parent", "child"});
}

TEST_CASE("cgroup layouts") {
  const auto hybrid = parse_mountinfo(
      "1 0 8:1 / / rw - ext4 root rw\n2 1 0:1 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
      "3 1 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n4 1 0:3 / /sys/fs/cgroup/cpu rw - cgroup "
      "cgroup rw,cpu,cpuacct\n");
  const Cgroups cgroups = find_cgroups(*hybrid, "8:pids:/x\n0::/user.slice/a.scope\n");
  CHECK(cgroups.layout == CgroupLayout::kHybrid);
  CHECK(cgroups.v2_mount == "/sys/fs/cgroup/unified");
  CHECK(cgroups.v1_pids == "/sys/fs/cgroup/pids");
  CHECK(cgroups.v1_cpu == "/sys/fs/cgroup/cpu");
  CHECK(cgroups.v1_memory.empty());
  CHECK(cgroups.own_v2 == "/user.slice/a.scope");
  CHECK(find_cgroups({}, "").layout == CgroupLayout::kNone);
}

TEST_CASE("users are found by name and number, without NSS") {
  const char* passwd = "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
  const char* group = "root:x:0:\nsudo:x:27:ann,bob\nann:x:1000:\n";
  const auto ann = parse_user("ann", passwd, group);
  REQUIRE(ann);
  CHECK(ann->uid == 1000);
  CHECK(ann->home == "/home/ann");
  CHECK(ann->groups == std::vector<std::uint32_t>{1000, 27});
  CHECK(parse_user("1000", passwd, group)->name == "ann");
  CHECK(parse_user("777", passwd, group)->gid == 777);
  CHECK(!parse_user("nobody-here", passwd, group));
  CHECK(!parse_user("4294967295", passwd, group));
}

TEST_CASE("a process is known by the service that it lies in, however deep") {
  CHECK(unit_of_requester("0::/system.slice/agent.service\n") == "agent.service");
  CHECK(unit_of_requester("0::/system.slice/agent.service/x.scope\n") == "agent.service");
  CHECK(unit_of_requester("1:name=systemd:/a.service/b/c.scope\n0::/\n") == "a.service");
  CHECK(unit_of_requester("0::/user.slice/user-1000.slice/session-3.scope\n") == "session-3.scope");
  const std::string manager = "0::/user.slice/user-1000.slice/user@1000.service/";
  CHECK(unit_of_requester(manager + "app.slice/vte-spawn-1.scope\n") == "vte-spawn-1.scope");
  CHECK(unit_of_requester(manager + "app.slice/agent.service/x.scope\n") == "agent.service");
  // What only calls itself a user's manager.
  const auto claimed = unit_of_requester(manager + "app.slice/user@5.service/x.scope\n");
  REQUIRE(claimed);
  CHECK(!is_user_manager(*claimed));
  CHECK(!is_user_manager("user@agent.service"));
  CHECK(is_user_manager("user@1000.service"));
  CHECK(!unit_of_requester("0::/\n"));
}

TEST_CASE("Internet sockets are known by address and port") {
  const std::string head =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const std::string four =
      head +
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 11 1\n"
      "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12 1\n"
      "   2: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 0 0 13 1\n"
      "nonsense\n   3: 0100:1F92 0:0 0A 0:0 0:0 0 0 0 14 1\n";
  const std::string six = head +
                          "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 "
                          "0A 0:0 0:0 0 0 0 21 1\n";
  const auto loopback = parse_ip("127.0.0.1").value();
  const host::InternetSockets found = host::parse_internet_sockets(four, true);
  CHECK(found == host::InternetSockets{{{8080, loopback}, 11}, {{8080, IpAddress::v4({})}, 12}});
  CHECK(host::parse_internet_sockets(four, false).at({8081, loopback}) == 13);
  CHECK(host::parse_internet_sockets(six, true) ==
        host::InternetSockets{{{8080, parse_ip("::1").value()}, 21}});
}
