#include "sandbox/plan.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace rehearse;
using namespace rehearse::sandbox;

namespace {

/// A small host: every line is "root mountpoint type device[ options]".
host::HostFacts host_with(const std::vector<std::array<std::string, 4>>& lines) {
  host::HostFacts facts;
  int id = 20;
  for (const auto& [root, at, type, device] : lines) {
    host::Mount mount;
    mount.id = ++id;
    mount.root = root;
    mount.mountpoint = at;
    mount.fstype = type;
    const auto colon = device.find(':');
    const auto comma = device.find(',');
    mount.major = static_cast<unsigned>(std::stoul(device.substr(0, colon)));
    mount.minor = static_cast<unsigned>(std::stoul(device.substr(colon + 1)));
    mount.options = comma == std::string::npos ? "rw,relatime" : device.substr(comma + 1);
    mount.super_options = "rw";
    facts.mounts.push_back(mount);
  }
  facts.hostname = "box";
  facts.memory_available_bytes = 4096;
  return facts;
}

Request simple_request() {
  Request request;
  request.argv = {"true"};
  request.state_dir = "/var/lib/rehearse";
  return request;
}

const MountPlan& mount_at(const Plan& plan, const std::string& path) {
  const auto found = std::find_if(plan.mounts.begin(), plan.mounts.end(),
                                  [&](const MountPlan& m) { return m.mountpoint == path; });
  REQUIRE(found != plan.mounts.end());
  return *found;
}

bool has_gap(const Plan& plan, const std::string& word, verdict::Level cap) {
  return std::any_of(plan.gaps.begin(), plan.gaps.end(), [&](const verdict::Gap& gap) {
    return gap.what.find(word) != std::string::npos && gap.cap == cap;
  });
}

}  // namespace

TEST_CASE("every line of a usual host is classified") {
  const auto plan =
      make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                             {"/", "/proc", "proc", "0:20"},
                                             {"/", "/sys", "sysfs", "0:21"},
                                             {"/", "/dev", "devtmpfs", "0:5"},
                                             {"/", "/run", "tmpfs", "0:22"},
                                             {"/", "/dev/pts", "devpts", "0:23"},
                                             {"/", "/dev/shm", "tmpfs", "0:24"},
                                             {"/", "/dev/mqueue", "mqueue", "0:25"},
                                             {"/", "/sys/fs/cgroup", "cgroup2", "0:26"},
                                             {"/", "/sys/kernel/debug", "debugfs", "0:7"},
                                             {"/", "/boot/efi", "vfat", "8:2"},
                                             {"/", "/proc/sys/fs/binfmt_misc", "autofs", "0:30"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/").fallback == Fallback::kRefuse);
  CHECK(mount_at(*plan, "/proc").show == Show::kProc);
  CHECK(mount_at(*plan, "/sys").show == Show::kSysfs);
  CHECK(mount_at(*plan, "/dev").show == Show::kDev);
  CHECK(mount_at(*plan, "/run").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/dev/pts").show == Show::kDevpts);
  CHECK(mount_at(*plan, "/dev/shm").show == Show::kShm);
  CHECK(mount_at(*plan, "/dev/mqueue").show == Show::kMqueue);
  CHECK(mount_at(*plan, "/sys/fs/cgroup").show == Show::kCgroup);
  CHECK(mount_at(*plan, "/sys/kernel/debug").show == Show::kAbsent);
  CHECK(mount_at(*plan, "/boot/efi").fallback == Fallback::kCopy);
  CHECK(mount_at(*plan, "/proc/sys/fs/binfmt_misc").show == Show::kAbsent);
  CHECK(plan->layers.size() == 3);
}

TEST_CASE("a subtree shown twice is an alias of one layer") {
  const auto plan = make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                                           {"/srv/data", "/mnt/data", "ext4", "8:1"},
                                                           {"/srv/database", "/mnt/base", "ext4", "8:3"},
                                                           {"/", "/home", "xfs", "8:2"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/data").show == Show::kAlias);
  CHECK(mount_at(*plan, "/mnt/data").layer == mount_at(*plan, "/").layer);
  CHECK(mount_at(*plan, "/mnt/data").subpath == "srv/data");
  CHECK(mount_at(*plan, "/mnt/base").show == Show::kOverlay);
  CHECK(plan->layers.size() == 3);
}

TEST_CASE("two unrelated subtrees of one filesystem are two layers") {
  const auto plan = make_plan(
      simple_request(), host_with({{"/rootfs", "/", "ext4", "8:1"}, {"/rootfs2", "/data", "ext4", "8:1"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/data").show == Show::kOverlay);
  CHECK(plan->layers.size() == 2);
}

TEST_CASE("what reaches out of the host is hidden, and never green") {
  const auto plan = make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                                           {"/", "/mnt/nfs", "nfs4", "0:40"},
                                                           {"/", "/mnt/nfs/local", "ext4", "8:5"},
                                                           {"/", "/mnt/sshfs", "fuse.sshfs", "0:41"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/nfs").show == Show::kHidden);
  CHECK(mount_at(*plan, "/mnt/nfs/local").show == Show::kAbsent);
  CHECK(mount_at(*plan, "/mnt/sshfs").show == Show::kHidden);
  CHECK(has_gap(*plan, "/mnt/nfs hidden", verdict::Level::kInconclusive));
  CHECK(has_gap(*plan, "/mnt/nfs/local", verdict::Level::kInconclusive));
}

TEST_CASE("an unknown filesystem is tried as a layer, not skipped") {
  const auto plan =
      make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"}, {"/", "/x", "weirdfs", "8:9"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/x").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/x").fallback == Fallback::kCopy);
}

TEST_CASE("rehearse's state is covered wherever it can be seen") {
  const auto plan =
      make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                             {"/var/lib", "/mnt/lib", "ext4", "8:1"},
                                             {"/var/lib/rehearse/runs", "/mnt/runs", "ext4", "8:1"},
                                             {"/", "/mnt/other", "ext4", "8:2"}}));
  REQUIRE(plan);
  CHECK(plan->covered.size() == 2);  // another filesystem has no such directory
  CHECK(mount_at(*plan, "/mnt/other").show == Show::kOverlay);
  CHECK(plan->layers[1].hidden.empty());
  CHECK(std::count(plan->covered.begin(), plan->covered.end(), "/var/lib/rehearse") == 1);
  CHECK(std::count(plan->covered.begin(), plan->covered.end(), "/mnt/lib/rehearse") == 1);
  CHECK(mount_at(*plan, "/mnt/runs").show == Show::kHidden);
  REQUIRE(plan->layers[0].hidden == std::vector<std::string>{"var/lib/rehearse"});
}

TEST_CASE("a btrfs subvolume that is seen twice is two layers, and hides the same things in both") {
  host::HostFacts facts = host_with({{"/@", "/", "btrfs", "0:30"},
                                     {"/", "/mnt/top", "btrfs", "0:30"},
                                     {"/@/srv", "/mnt/srv", "btrfs", "0:30"},
                                     {"/@home", "/home", "btrfs", "0:30"}});
  facts.mounts[0].super_options = "rw,subvolid=256,subvol=/@";
  facts.mounts[1].super_options = "rw,subvolid=5,subvol=/";
  facts.mounts[2].super_options = "rw,subvolid=256,subvol=/@";
  facts.mounts[3].super_options = "rw,subvolid=257,subvol=/@home";
  Request request = simple_request();
  request.mask = {"/root/.ssh/id_rsa", "/home/h/key"};
  const auto plan = make_plan(request, facts);
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/top").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/mnt/srv").show == Show::kAlias);
  CHECK(mount_at(*plan, "/mnt/srv").layer == mount_at(*plan, "/").layer);
  REQUIRE(plan->layers.size() == 3);
  CHECK(plan->covered == std::vector<std::string>{"/var/lib/rehearse", "/mnt/top/@/var/lib/rehearse"});
  CHECK(plan->layers[0].hidden == std::vector<std::string>{"var/lib/rehearse"});
  CHECK(plan->layers[1].hidden == std::vector<std::string>{"@/var/lib/rehearse"});
  CHECK(plan->layers[2].hidden.empty());
  CHECK(plan->layers[0].placeholders == std::vector<std::string>{"root/.ssh/id_rsa"});
  CHECK(plan->layers[1].placeholders == std::vector<std::string>{"@/root/.ssh/id_rsa", "@home/h/key"});
  CHECK(plan->layers[2].placeholders == std::vector<std::string>{"h/key"});
}

TEST_CASE("a filesystem of rehearse's own is hidden under all its names") {
  const auto plan = make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                                           {"/", "/mnt/again", "ext4", "8:9"},
                                                           {"/", "/var/lib/rehearse", "ext4", "8:9"},
                                                           {"/runs", "/mnt/runs", "ext4", "8:9"}}));
  REQUIRE(plan);
  for (const char* at : {"/mnt/again", "/var/lib/rehearse", "/mnt/runs"})
    CHECK(mount_at(*plan, at).show == Show::kHidden);
  CHECK(mount_at(*plan, "/").show == Show::kOverlay);
}

TEST_CASE("state in a bind mount is covered where it really lies too") {
  const auto plan =
      make_plan(simple_request(),
                host_with({{"/", "/", "ext4", "8:1"}, {"/data/state", "/var/lib/rehearse", "ext4", "8:1"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/var/lib/rehearse").show == Show::kHidden);
  CHECK(plan->covered == std::vector<std::string>{"/data/state"});
}

TEST_CASE("the root may be a part of a filesystem that is mounted whole elsewhere") {
  const auto plan = make_plan(
      simple_request(), host_with({{"/rootfs", "/", "ext4", "8:1"}, {"/", "/mnt/disk", "ext4", "8:1"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/disk").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/").show == Show::kAlias);
  CHECK(mount_at(*plan, "/").subpath == "rootfs");
  CHECK(plan->covered == std::vector<std::string>{"/var/lib/rehearse", "/mnt/disk/rootfs/var/lib/rehearse"});
  Request request = simple_request();
  request.state_dir = "/mnt/disk";
  const auto refused =
      make_plan(request, host_with({{"/rootfs", "/", "ext4", "8:1"}, {"/", "/mnt/disk", "ext4", "8:1"}}));
  REQUIRE(!refused);
  CHECK(refused.error().exit == ExitCode::kUsage);
}

TEST_CASE("paths are compared by components, not by letters") {
  Request request = simple_request();
  request.hide = {"/mnt/a"};
  const auto plan = make_plan(request, host_with({{"/", "/", "ext4", "8:1"},
                                                  {"/", "/mnt/a", "ext4", "8:2"},
                                                  {"/", "/mnt/ab", "ext4", "8:3"},
                                                  {"/", "/var/lib/rehearse2", "ext4", "8:4"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/ab").show == Show::kOverlay);
  CHECK(mount_at(*plan, "/var/lib/rehearse2").show == Show::kOverlay);
}

TEST_CASE("masked files land in the layer that holds them, through aliases too") {
  Request request = simple_request();
  request.mask = {"/root/.ssh/id_rsa", "/mnt/h/key", "/proc/keys"};
  const auto plan = make_plan(request, host_with({{"/", "/", "ext4", "8:1"},
                                                  {"/", "/proc", "proc", "0:20"},
                                                  {"/home/h", "/mnt/h", "ext4", "8:1"}}));
  REQUIRE(plan);
  CHECK(plan->layers[0].placeholders == std::vector<std::string>{"root/.ssh/id_rsa", "home/h/key"});
}

TEST_CASE("the service manager is hidden where there is one") {
  host::HostFacts facts = host_with({{"/", "/", "ext4", "8:1"}, {"/", "/run", "tmpfs", "0:22"}});
  CHECK(make_plan(simple_request(), facts)->layers[1].absent.empty());
  facts.systemd = true;
  const auto plan = make_plan(simple_request(), facts);
  CHECK(plan->layers[1].absent == std::vector<std::string>{"systemd/system"});
  CHECK(has_gap(*plan, "/run/systemd/system", verdict::Level::kYellow));
  CHECK_FALSE(plan->service_manager);

  // One that can be stood in for is there.
  facts.manager_socket_mode = 0755;
  const auto mocked = make_plan(simple_request(), facts);
  CHECK(mocked->service_manager == 0755U);
  CHECK(mocked->layers[1].absent.empty());
  CHECK(mocked->layers[1].stands == std::vector<std::string>{"systemd/private"});
  CHECK_FALSE(has_gap(*mocked, "/run/systemd/system", verdict::Level::kYellow));

  // Unless its directory is hidden.
  Request request = simple_request();
  request.hide = {"/run"};
  CHECK_FALSE(make_plan(std::move(request), facts)->service_manager);
}

TEST_CASE("hiding a mount takes what lies below with it") {
  Request request = simple_request();
  request.hide = {"/mnt/a", "/opt"};
  const auto plan = make_plan(request, host_with({{"/", "/", "ext4", "8:1"},
                                                  {"/", "/mnt/a", "ext4", "8:2"},
                                                  {"/", "/mnt/a/b", "ext4", "8:3"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/mnt/a").show == Show::kHidden);
  CHECK(mount_at(*plan, "/mnt/a/b").show == Show::kAbsent);
  CHECK(std::count(plan->covered.begin(), plan->covered.end(), "/opt") == 1);
  request.hide = {"/"};
  const auto refused = make_plan(request, host_with({{"/", "/", "ext4", "8:1"}}));
  REQUIRE(!refused);
  CHECK(refused.error().exit == ExitCode::kUsage);
}

TEST_CASE("credentials of services are not shown, which is said once") {
  const auto plan =
      make_plan(simple_request(), host_with({{"/", "/", "ext4", "8:1"},
                                             {"/", "/run", "tmpfs", "0:20"},
                                             {"/", "/run/credentials/a.service", "ramfs", "0:21"},
                                             {"/", "/run/credentials/b.service", "ramfs", "0:22"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/run/credentials/a.service").show == Show::kHidden);
  CHECK(std::count_if(plan->gaps.begin(), plan->gaps.end(), [](const auto& gap) {
          return gap.what.find("credentials") != std::string::npos && gap.cap == verdict::Level::kGreen;
        }) == 1);
}

TEST_CASE("a run gets no more than rehearse itself may use") {
  host::HostFacts facts = host_with({{"/", "/", "ext4", "8:1"}});
  facts.memory_available_bytes = 1000;
  facts.memory_limit_bytes = 500;
  facts.pids_limit = 10;
  Request request = simple_request();
  CHECK(make_plan(request, facts)->memory_bytes == 500);
  CHECK(make_plan(request, facts)->pids == 10);
  CHECK(!make_plan(request, facts)->cpus);
  facts.cpu_limit = 0.5;
  CHECK(make_plan(request, facts)->cpus == 0.5);
  request.limits.cpus = 2;
  CHECK(make_plan(request, facts)->cpus == 0.5);
  request.limits.memory_bytes = 100;
  request.limits.pids = 5;
  CHECK(make_plan(request, facts)->memory_bytes == 100);
  CHECK(make_plan(request, facts)->pids == 5);
}

TEST_CASE("no root in the mount table is refused with the reason") {
  const auto plan = make_plan(simple_request(), host_with({{"/", "/mnt", "ext4", "8:1"}}));
  REQUIRE(!plan);
  CHECK(plan.error().exit == ExitCode::kUnavailable);
}

TEST_CASE("the plan prints as text and as JSON, escaped") {
  Request request = simple_request();
  request.argv = {"echo", "\x1b[2J"};
  const auto plan =
      make_plan(request, host_with({{"/", "/", "ext4", "8:1"}, {"/", "/mnt/a\nb", "ext4", "8:2"}}));
  REQUIRE(plan);
  const std::string text = plan_text(*plan);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("a\\u{000A}b") != std::string::npos);
  CHECK(plan_json(*plan).find("rehearse.plan/1") != std::string::npos);
}

TEST_CASE("the root profile: no cgroup tree, no CAP_SYS_ADMIN, its gap first") {
  Request request = simple_request();
  request.profile = Profile::kRoot;
  const auto plan = make_plan(std::move(request), host_with({{"/", "/", "ext4", "8:1"},
                                                             {"/", "/proc", "proc", "0:20"},
                                                             {"/", "/sys", "sysfs", "0:21"},
                                                             {"/", "/sys/fs/cgroup", "cgroup2", "0:26"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/proc").why == "read-only but for processes");
  CHECK(mount_at(*plan, "/sys/fs/cgroup").show == Show::kAbsent);
  CHECK((plan->dropped_capabilities >> 21 & 1) == 1);
  REQUIRE_FALSE(plan->gaps.empty());
  CHECK(plan->gaps.front().what == "root profile: no user namespace");
}

TEST_CASE("where nothing may be written only directories for throwing away are writable") {
  Request request = simple_request();
  request.read_only = true;
  request.scratch = {"/tmp", "/var/tmp"};
  const auto plan = make_plan(request, host_with({{"/", "/", "ext4", "8:1"},
                                                  {"/", "/tmp", "tmpfs", "0:30"},
                                                  {"/", "/tmp/disk", "ext4", "8:3"},
                                                  {"/srv", "/mnt/srv", "ext4", "8:1"},
                                                  {"/", "/var", "xfs", "8:2"}}));
  REQUIRE(plan);
  CHECK(mount_at(*plan, "/").read_only);
  CHECK(mount_at(*plan, "/var").read_only);
  CHECK(mount_at(*plan, "/tmp/disk").read_only);
  CHECK(mount_at(*plan, "/mnt/srv").show == Show::kAlias);
  CHECK(mount_at(*plan, "/mnt/srv").read_only);
  // A mount of the host is scratch as a whole; what is none becomes a layer of its own, after its parent.
  CHECK((mount_at(*plan, "/tmp").scratch && !mount_at(*plan, "/tmp").read_only));
  const MountPlan& made = mount_at(*plan, "/var/tmp");
  CHECK((made.scratch && !made.read_only && made.show == Show::kOverlay));
  CHECK(made.layer != mount_at(*plan, "/var").layer);
  CHECK(&made > &mount_at(*plan, "/var"));
  CHECK(has_gap(*plan, "read-only", verdict::Level::kGreen));

  request.read_only = false;
  request.scratch.clear();
  const auto usual = make_plan(request, host_with({{"/", "/", "ext4", "8:1"}}));
  REQUIRE(usual);
  CHECK((!mount_at(*usual, "/").read_only && usual->mounts.size() == 1));
}

TEST_CASE("what the host shows read-only is no place to throw things into") {
  Request request = simple_request();
  request.read_only = true;
  request.scratch = {"/tmp"};
  const auto plan =
      make_plan(request, host_with({{"/", "/", "ext4", "8:1"}, {"/", "/tmp", "ext4", "8:2,ro,relatime"}}));
  REQUIRE(plan);
  CHECK((mount_at(*plan, "/tmp").read_only && !mount_at(*plan, "/tmp").scratch));
}
