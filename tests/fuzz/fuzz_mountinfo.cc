// /proc/self/mountinfo and /proc/self/cgroup: the texts are the kernel's, the names in them anybody's.
#include <set>

#include "fuzz.h"
#include "host/cgroups.h"
#include "host/mounts.h"

using namespace rehearse;

namespace {

std::string escaped(std::string_view field) {
  std::string text;
  for (const char c : field) {
    char octal[5];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += octal;
  }
  return text;
}

/// The line that says it, every byte of a name as an octal escape.
std::string line_of(const host::Mount& mount) {
  return std::to_string(mount.id) + ' ' + std::to_string(mount.parent) + ' ' + std::to_string(mount.major) +
         ':' + std::to_string(mount.minor) + ' ' + escaped(mount.root) + ' ' + escaped(mount.mountpoint) +
         ' ' + mount.options + " shared:1 - " + escaped(mount.fstype) + ' ' + escaped(mount.source) + ' ' +
         escaped(mount.super_options) + '\n';
}

bool same(const host::Mount& a, const host::Mount& b) {
  return a.id == b.id && a.parent == b.parent && a.major == b.major && a.minor == b.minor &&
         a.root == b.root && a.mountpoint == b.mountpoint && a.options == b.options && a.fstype == b.fstype &&
         a.source == b.source && a.super_options == b.super_options && a.read_only() == b.read_only();
}

void check_visible(const std::vector<host::Mount>& mounts) {
  const auto visible = host::visible_mounts(mounts);
  std::set<std::size_t> seen;
  std::set<std::string> places;
  std::ptrdiff_t depth = 0;
  for (const std::size_t index : visible) {
    FUZZ_REQUIRE(index < mounts.size());
    FUZZ_REQUIRE(seen.insert(index).second);
    const std::string& place = mounts[index].mountpoint;
    FUZZ_REQUIRE(places.insert(place).second);  // a path leads to one mount
    const auto here = place == "/" ? 0 : std::count(place.begin(), place.end(), '/');
    FUZZ_REQUIRE(here >= depth);
    depth = here;
  }
  const bool has_root =
      std::any_of(mounts.begin(), mounts.end(), [](const auto& mount) { return mount.mountpoint == "/"; });
  FUZZ_REQUIRE(has_root == places.contains("/"));
}

void check_cgroups(const std::vector<host::Mount>& mounts, std::string_view self) {
  const auto found = host::find_cgroups(mounts, self);
  const auto is_top = [&](const std::string& place, const char* type) {
    return std::any_of(mounts.begin(), mounts.end(), [&](const auto& mount) {
      return mount.mountpoint == place && mount.fstype == type && mount.root == "/";
    });
  };
  if (!found.v2_mount.empty()) FUZZ_REQUIRE(is_top(found.v2_mount, "cgroup2"));
  for (const std::string& place : {found.v1_pids, found.v1_memory, found.v1_cpu}) {
    if (!place.empty()) FUZZ_REQUIRE(is_top(place, "cgroup"));
  }
  const bool v2 = found.layout == host::CgroupLayout::kV2 || found.layout == host::CgroupLayout::kHybrid;
  FUZZ_REQUIRE(v2 == !found.v2_mount.empty());
  if (!found.own_v2.empty()) FUZZ_REQUIRE(self.find("::" + found.own_v2) != std::string_view::npos);
  FUZZ_REQUIRE(found.own_v2.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto mounts = host::parse_mountinfo(text.substr(0, end));
  if (!mounts) {
    FUZZ_REQUIRE(mounts.error().exit == ExitCode::kDataError);
    FUZZ_REQUIRE(fuzz::is_harmless(mounts.error().what));
    check_cgroups({}, text.substr(end));
    return 0;
  }
  std::string printed;
  for (const host::Mount& mount : *mounts) printed += line_of(mount);
  const auto again = host::parse_mountinfo(printed);
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE(std::equal(mounts->begin(), mounts->end(), again->begin(), again->end(), same));
  check_visible(*mounts);
  check_cgroups(*mounts, text.substr(end));
  return 0;
}
