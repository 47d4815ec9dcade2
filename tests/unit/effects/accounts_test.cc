#include "effects/accounts.h"

#include <catch2/catch.hpp>

#include "effects/package_changes.h"

using namespace rehearse::effects;

namespace {

const std::string kPasswd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\n";
const std::string kShadow = "root:$y$old:19000:0:99999:7:::\nann:!:19000:0:99999:7:::\n";
const std::string kGroup = "root:x:0:\nsudo:x:27:\nann:x:1000:\n";

/// "what name group uid" of each change.
std::vector<std::string> changes(const std::string& passwd, const std::string& shadow,
                                 const std::string& group) {
  std::vector<std::string> lines;
  for (const AccountChange& change : account_changes({kPasswd, kShadow, kGroup}, {passwd, shadow, group}))
    lines.push_back(change.what + " " + change.name + " " + change.group + " " + std::to_string(change.uid));
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("Users that come, go and change") {
  CHECK(changes(kPasswd, kShadow, kGroup).empty());
  CHECK(changes(kPasswd + "bob:x:1001:1001::/home/bob:/bin/sh\n", kShadow, kGroup) ==
        Lines{"user-added bob  1001"});
  CHECK(changes("root:x:0:0:root:/root:/bin/bash\n", kShadow, kGroup) == Lines{"user-removed ann  1000"});
  CHECK(changes("root:x:0:0:root:/root:/bin/bash\nann:x:0:1000::/home/ann:/bin/sh\n", kShadow, kGroup) ==
        Lines{"user-changed ann  0"});
  CHECK(changes(kPasswd + "toor::0:0::/:/bin/sh\n", kShadow, kGroup) ==
        Lines{"user-added toor  0", "password-emptied toor  0"});
  // A second line of a name: what it may mean at most.
  CHECK(changes(kPasswd + "ann:x:0:0::/:/bin/sh\n", kShadow, kGroup) == Lines{"user-changed ann  0"});
  CHECK(changes(kPasswd + "no user\n:x:1:1::/:/\nx:y\nbad:x:-1:q::/:/\n", kShadow, kGroup).empty());
  CHECK(changes("", "", "").size() == 5);
}

TEST_CASE("Passwords are never told, only that they are others") {
  CHECK(changes(kPasswd, "root:$y$new:19000:0:99999:7:::\nann:!:19000::::::\n", kGroup) ==
        Lines{"password-set root  0"});
  CHECK(changes(kPasswd, "root::19000:0:99999:7:::\nann:!:19000::::::\n", kGroup) ==
        Lines{"password-emptied root  0"});
  CHECK(changes(kPasswd, "root:!$y$old:19000:0:99999:7:::\nann:!:19000::::::\n", kGroup) ==
        Lines{"password-locked root  0"});
  CHECK(changes(kPasswd, kShadow + "new:!:1::::::\n", kGroup).empty());
  CHECK(changes(kPasswd, kShadow + "new:$y$x:1::::::\n", kGroup) == Lines{"password-set new  0"});
}

TEST_CASE("Groups and their members") {
  CHECK(changes(kPasswd, kShadow, "root:x:0:\nsudo:x:27:ann\nann:x:1000:\n") ==
        Lines{"member-added ann sudo 1000"});
  CHECK(changes(kPasswd, kShadow, kGroup + "docker:x:99:ann,bob\n") ==
        Lines{"group-added  docker 0", "member-added ann docker 1000", "member-added bob docker 0"});
  CHECK(changes(kPasswd, kShadow, "root:x:0:\nann:x:1000:\n") == Lines{"group-removed  sudo 0"});
  CHECK(changes(kPasswd, kShadow, "root:x:0:\nsudo:x:0:\nann:x:1000:\n") == Lines{"group-changed  sudo 0"});
}

TEST_CASE("Versions are ordered as dpkg orders them") {
  const auto older = [](const char* a, const char* b) {
    INFO(a << " < " << b);
    CHECK(compare_versions(a, b) < 0);
    CHECK(compare_versions(b, a) > 0);
    CHECK(compare_versions(a, a) == 0);
  };
  older("1.0", "1.1");
  older("1.9", "1.10");
  older("1.0~rc1", "1.0");
  older("1.0", "1:0.1");
  older("1.0-1", "1.0-2");
  older("1.0-1~deb12u1", "1.0-1");
  older("1.0-1", "1.0-1+b1");
  older("1.0a", "1.0+");
  older("2.36-9+deb12u9", "2.36-9+deb12u10");
  CHECK(compare_versions("1.0", "0:1.0") == 0);
  CHECK(compare_versions("1.02", "1.2") == 0);
}

TEST_CASE("What became of packages") {
  const auto one = [](const char* name, const char* status, const char* version) {
    return std::string("Package: ") + name + "\nStatus: " + status +
           "\nArchitecture: amd64\nVersion: " + version + "\nDescription: d\n Version: 9\n\n";
  };
  const auto what = [](const std::string& before, const std::string& after) {
    std::string text;
    for (const PackageChange& change : package_changes(before, after))
      text += change.what + " " + change.name + " " + change.before + ">" + change.after + ";";
    return text;
  };
  const std::string a = one("a", "install ok installed", "1.0");
  CHECK(what(a, a).empty());
  CHECK(what("", a) == "installed a >1.0;");
  CHECK(what(a, "") == "removed a 1.0>;");
  CHECK(what(a, one("a", "deinstall ok config-files", "1.0")) == "removed a 1.0>;");
  CHECK(what(one("a", "deinstall ok config-files", "1.0"), a) == "installed a >1.0;");
  CHECK(what(a, one("a", "install ok installed", "1.1")) == "upgraded a 1.0>1.1;");
  CHECK(what(a, one("a", "install ok installed", "0.9")) == "downgraded a 1.0>0.9;");
  CHECK(what(a, one("a", "hold ok installed", "1.0")) == "changed a 1.0>1.0;");
  CHECK(what(a, a + one("b", "install ok half-configured", "2")) == "installed b >2;");
  CHECK(what(a, one("a", "deinstall reinstreq half-installed", "1.0")) == "broken a 1.0>1.0;");
  CHECK(what(a, one("a", "install ok triggers-pending", "1.0")) == "changed a 1.0>1.0;");
  CHECK(what("garbage\n\nPackage:\n\n", "Package: x\nStatus: \n").empty());
}

TEST_CASE("Packages in one line") {
  PackageChange change{"upgraded", "a", "1", "2", "install ok installed", "install ok installed", ""};
  CHECK(describe(change) == "upgraded a 1 to 2");
  CHECK(change.touches_files());
  change.state_after = "install ok half-configured";
  CHECK(describe(change) == "upgraded a 1 to 2: install ok half-configured");
  change = {"installed", "a", "", "2", "", "install ok unpacked", ""};
  CHECK(describe(change) == "installed a 2: install ok unpacked");
  change = {"changed", "a", "2", "2", "install ok installed", "hold ok installed", ""};
  CHECK(describe(change) == "changed a 2: install ok installed, then hold ok installed");
  CHECK_FALSE(change.touches_files());
  change.state_before = "install ok unpacked";
  CHECK(change.touches_files());
  change = {"changed", "a", "2", "2", "", "", ""};  // as it was kept once
  CHECK(describe(change) == "changed a 2");
  CHECK(change.touches_files());
}

TEST_CASE("What depends on a package that was removed is broken") {
  const auto one = [](const std::string& name, const std::string& more) {
    return "Package: " + name + "\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n" + more +
           "\n";
  };
  const std::string rest = one("login", "Pre-Depends: libc (>= 2), libpam (>= 1.1)\n") +
                           one("sudo", "Depends: libc, libpam-x | libpam\n") +
                           one("other", "Depends: mail-agent, nowhere\n") + one("libc", "") +
                           one("exim", "Provides: mail-agent (= 1)\n");
  const auto broken = [&](const std::string& before, const std::string& after) {
    std::string text;
    for (const PackageChange& change : package_changes(before, after))
      if (change.what == "broken") text += describe(change) + ';';
    return text;
  };
  const std::string pam = one("libpam", "");
  CHECK(broken(rest + pam, rest) ==
        "broken login 1: libpam (>= 1.1) is not there any more;broken sudo 1: libpam-x | libpam is not there "
        "any more;");
  CHECK(broken(rest + pam + one("libpam-x", ""), rest + one("libpam-x", "")) ==
        "broken login 1: libpam (>= 1.1) is not there any more;");
  CHECK(broken(rest + pam, rest + pam).empty());
  CHECK(broken(rest, rest + pam).empty());
}

TEST_CASE("Diversions that were added or removed") {
  const std::string one = "/usr/bin/bc\n/usr/bin/bc.orig\n:\n";
  const std::string two = "/usr/bin/x\n/usr/bin/x.dash\ndash\n";
  REQUIRE(diversion_changes(two, one + two).size() == 1);
  CHECK(diversion_changes(two, one + two)[0].from == "/usr/bin/bc");
  CHECK(diversion_changes(two, one + two)[0].to == "/usr/bin/bc.orig");
  CHECK(diversion_changes(one, "").at(0).from == "/usr/bin/bc.orig");
  CHECK(diversion_changes(one + two, two + one).empty());
  CHECK(diversion_changes("", "garbage\n").empty());
}
