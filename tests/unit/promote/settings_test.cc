#include "catch2/catch.hpp"
#include "promote/taken_back.h"

using namespace rehearse::promote;

namespace {

Settings settings(std::uint32_t mode, std::map<std::string, std::string> xattrs) {
  Settings result;
  result.mode = mode;
  result.mtime_ns = mode;
  result.xattrs = std::move(xattrs);
  return result;
}

const std::string kAccessList = "system.posix_acl_access";

/// With one named user.
std::string access_list(char owner, char mask, char user = 12) {
  const char bytes[] = {2,    0,    0,  0,  1,  0,  owner, 0, -1, -1, -1, -1, 2,  0,    4,
                        0,    user, 0,  0,  0,  4,  0,     5, 0,  -1, -1, -1, -1, 0x10, 0,
                        mask, 0,    -1, -1, -1, -1, 0x20,  0, 5,  0,  -1, -1, -1, -1};
  return {bytes, sizeof bytes};
}

}  // namespace

TEST_CASE("attributes are taken back without those that somebody else has set meanwhile") {
  const Settings before = settings(0644, {{"user.gone", "1"}, {"user.both", "old"}});
  const Settings ours = settings(0600, {{"user.made", "2"}, {"user.both", "new"}});
  for (const bool whole : {true, false}) {
    CHECK(taken_back(ours, ours, before, {whole, false}).settings == before);
    CHECK(taken_back(before, ours, before, {whole, false}).settings == before);
    CHECK(taken_back(ours, ours, before, {whole, false}).theirs.empty());

    Settings edited = ours;
    edited.mode = 0604;
    edited.uid = 12;
    edited.xattrs["user.both"] = "theirs";
    edited.xattrs["user.theirs"] = "3";
    Settings wanted = before;
    wanted.mode = 0604;
    wanted.uid = 12;
    wanted.xattrs["user.both"] = "theirs";
    wanted.xattrs["user.theirs"] = "3";
    const TakenBack taken = taken_back(edited, ours, before, {whole, false});
    CHECK(taken.settings == wanted);
    CHECK(taken.theirs == std::vector<std::string>{"owner", "mode", "user.both"});
  }
}

TEST_CASE("of attributes that were set in part what lies between the two is ours") {
  const Settings before =
      settings(04755, {{"security.capability", "c"}, {kAccessList, access_list(07, 05)}, {"user.x", "1"}});
  Settings ours = settings(0700, {{"user.x", "2"}});
  ours.uid = 12;
  Settings half = before;
  half.mode = 0700;
  half.uid = 12;
  half.xattrs.erase("security.capability");
  half.xattrs[kAccessList] = access_list(07, 0);
  half.xattrs["user.theirs"] = "3";
  Settings wanted = before;
  wanted.xattrs["user.theirs"] = "3";
  CHECK(taken_back(half, ours, before, {}).settings == wanted);
  CHECK(taken_back(half, ours, before, {}).theirs.empty());

  // A narrower mode than both, a list with other people in it, a capability that nothing has taken away.
  half.mode = 0500;
  CHECK(taken_back(half, ours, before, {}).settings.mode == 0500);
  half.mode = 0700;
  half.xattrs[kAccessList] = access_list(07, 0, 13);
  CHECK(taken_back(half, ours, before, {}).settings.xattrs[kAccessList] == access_list(07, 0, 13));
  ours.uid = 0;
  ours.xattrs["security.capability"] = "c";
  half.uid = 0;
  CHECK(taken_back(half, ours, before, {}).theirs ==
        std::vector<std::string>{"access list", "security.capability"});
}

TEST_CASE("what goes back to its owner gets no set-id bit of somebody else's") {
  const Settings before = settings(0755, {});
  Settings ours = before;
  ours.uid = 12;
  Settings now = ours;
  now.mode = 04755;
  const TakenBack taken = taken_back(now, ours, before, {});
  CHECK((taken.settings.uid == 0 && taken.settings.mode == 0755));
  CHECK(taken.theirs == std::vector<std::string>{"mode"});
}
