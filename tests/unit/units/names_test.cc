#include <catch2/catch.hpp>

#include "units/unit_file.h"
#include "units/unit_name.h"

using namespace rehearse::units;

TEST_CASE("unit names") {
  for (const char* good :
       {"a.service", "foo@bar.service", "foo@.service", "-.mount", "dev-disk\\x2d1.device"}) {
    CHECK(is_unit_name(good));
  }
  for (const char* bad : {"", "a", ".service", "@a.service", "a.nosuch", "a b.service", "a/b.service"}) {
    CHECK_FALSE(is_unit_name(bad));
  }
  CHECK_FALSE(is_unit_name(std::string(250, 'a') + ".service"));
  CHECK(is_template("foo@.service"));
  CHECK_FALSE(is_template("foo@a.service"));
  CHECK(template_of("foo@a@b.service") == "foo@.service");
  CHECK(instance_of("foo@a@b.service") == "a@b");
  CHECK(template_of("foo.service").empty());
  CHECK(prefix_of("foo@a.service") == "foo");
}

TEST_CASE("object paths of units") {
  CHECK(unit_path("dbus-x@1.service") == "/org/freedesktop/systemd1/unit/dbus_2dx_401_2eservice");
  CHECK(unit_path("1a.service") == "/org/freedesktop/systemd1/unit/_31a_2eservice");
  for (const char* name : {"a.service", "9.mount", "foo@bar-baz.timer", "_.scope"}) {
    CHECK(unit_of_path(unit_path(name)) == name);
  }
  for (const char* bad : {"", "/", "/org/freedesktop/systemd1/unit/", "/org/freedesktop/systemd1/unit/a_2",
                          "/org/freedesktop/systemd1/unit/a_2G", "/org/freedesktop/systemd1/unit/self"}) {
    CHECK_FALSE(unit_of_path(bad));
  }
}

TEST_CASE("patterns") {
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("a*c", "abbc"));
  CHECK(matches_pattern("ng?nx*", "nginx.service"));
  CHECK(matches_pattern("[a-c]x", "bx"));
  CHECK(matches_pattern("[!a-c]x", "dx"));
  CHECK(matches_pattern("[]]", "]"));
  CHECK(matches_pattern("[a", "[a"));
  CHECK_FALSE(matches_pattern("[a-c]x", "dx"));
  CHECK_FALSE(matches_pattern("a*c", "ab"));
  CHECK_FALSE(matches_pattern("", "a"));
  // Would take years with a matcher that backtracks.
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  CHECK_FALSE(matches_pattern(pattern + "b", std::string(5000, 'a')));
}

TEST_CASE("what a unit file says") {
  UnitFile unit;
  unit.id = "web@a-b.service";
  apply_unit_file(
      unit,
      "# comment\n[Unit]\nDescription=Web %i at %I, \\\n  100%%\nPartOf=x.service bad\nWants=a.service\n"
      "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecReload=/bin/true\n[Install]\nWants=no.service\n"
      "[Unit]\nRefuseManualStop=1\nRequires=%i.socket\n");
  CHECK(unit.description == "Web a-b at a/b,  100%");
  CHECK(unit.type == "oneshot");
  CHECK(unit.remain_after_exit);
  CHECK(unit.can_reload);
  CHECK(unit.refuse_manual_stop);
  CHECK(unit.wanted == std::vector<std::string>{"a.service"});
  CHECK(unit.required == std::vector<std::string>{"a-b.socket"});
  CHECK(unit.stopped_with == std::vector<std::string>{"x.service", "a-b.socket"});
  // A drop-in replaces and empties.
  apply_unit_file(unit, "[Unit]\nWants=\nDescription=Other\n[Service]\nExecReload=\n");
  CHECK(unit.wanted.empty());
  CHECK(unit.description == "Other");
  CHECK_FALSE(unit.can_reload);
  add_default_dependencies(unit);
  CHECK(unit.required == std::vector<std::string>{"a-b.socket", "sysinit.target", "system-web.slice"});
}
