#include "catch2/catch.hpp"
#include "promote/object_writer.h"

using namespace rehearse::promote;

namespace {

Settings settings(std::uint32_t mode, std::map<std::string, std::string> xattrs) {
  Settings result;
  result.mode = mode;
  result.mtime_ns = mode;
  result.xattrs = std::move(xattrs);
  return result;
}

}  // namespace

TEST_CASE("attributes are taken back without those that somebody else has set meanwhile") {
  const Settings before = settings(0644, {{"user.gone", "1"}, {"user.both", "old"}});
  const Settings ours = settings(0600, {{"user.made", "2"}, {"user.both", "new"}});
  CHECK(taken_back(ours, ours, before, true) == before);
  CHECK(taken_back(before, ours, before, true) == before);

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
  CHECK(taken_back(edited, ours, before, true) == wanted);
}

TEST_CASE("of attributes that were set in part the rights come back in any case") {
  const Settings before =
      settings(04755, {{"security.capability", "c"}, {"system.posix_acl_access", "a"}, {"user.x", "1"}});
  const Settings ours = settings(0700, {{"user.x", "2"}});
  Settings half = before;
  half.mode = 0700 & 0755;
  half.xattrs.erase("security.capability");
  half.xattrs["system.posix_acl_access"] = "masked";
  half.xattrs["user.theirs"] = "3";
  Settings wanted = before;
  wanted.xattrs["user.theirs"] = "3";
  CHECK(taken_back(half, ours, before, false) == wanted);
}
