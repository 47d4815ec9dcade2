#include "units/unit_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sys.h"
#include "units/sysv_script.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

/// A root directory with some files.
class Root {
 public:
  Root() {
    std::string name = "/tmp/unit-directory.XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  void write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
  }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::filesystem::create_symlink(target, path_ / name);
  }
  [[nodiscard]] UnitDirectory directory() const {
    return UnitDirectory(*sys::open(path_.c_str(), O_PATH | O_DIRECTORY));
  }

 private:
  std::filesystem::path path_;
};

constexpr const char* kScript =
    "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: old\n# Short-Description: An old 100% thing\n"
    "### END INIT INFO\necho 'Usage: old {start|stop|reload|status}'\n";

}  // namespace

TEST_CASE("an executable init script without a unit file has a generated unit") {
  const Root root;
  root.write("etc/init.d/old", kScript, 0755);
  root.write("etc/init.d/plain", "#!/bin/sh\n", 0755);
  root.write("etc/init.d/data", kScript, 0644);
  root.write("etc/init.d/both", kScript, 0755);
  root.write("lib/systemd/system/both.service",
             "[Unit]\nDescription=Native\n[Service]\nExecStart=/bin/true\n");
  root.write("etc/init.d/off", kScript, 0755);
  root.link("/dev/null", "etc/systemd/system/off.service");
  UnitDirectory directory = root.directory();
  const auto old = directory.find("old.service");
  REQUIRE(old);
  CHECK(old->source_path == "/etc/init.d/old");
  CHECK(old->path == "/run/systemd/generator.late/old.service");
  CHECK(old->description == "LSB: An old 100% thing");
  CHECK(old->type == "forking");
  CHECK(old->can_reload);
  CHECK(old->changed_ns > 0);
  const auto plain = directory.find("plain.service");
  REQUIRE(plain);
  CHECK(plain->description.empty());
  CHECK_FALSE(plain->can_reload);
  CHECK_FALSE(directory.find("data.service"));
  CHECK_FALSE(directory.find("old.socket"));
  CHECK(directory.find("both.service")->description == "Native");
  CHECK(directory.find("off.service")->masked);
}

TEST_CASE("an init script says nothing but its description") {
  CHECK(sysv_unit_text("/etc/init.d/x", "").find("\nExecStart=/etc/init.d/x start\n") != std::string::npos);
  const std::string text = sysv_unit_text(
      "/etc/init.d/x",
      "### BEGIN INIT INFO\n# Short-Description: a %n \\\n### END INIT INFO\n[Service]\nUser=x\n");
  CHECK(text.find("\nDescription=LSB: a %%n \n") != std::string::npos);
  CHECK(text.find("User=") == std::string::npos);
}

TEST_CASE("files that systemd refuses") {
  const Root root;
  UnitDirectory directory = root.directory();
  int number = 0;
  const auto bad = [&](const std::string& text, const std::string& type = "service") {
    const std::string name = "x" + std::to_string(++number) + "." + type;
    root.write("etc/systemd/system/" + name, text);
    const auto unit = directory.find(name);
    REQUIRE(unit);
    return unit->bad_setting;
  };
  CHECK(bad("[Service]\nType=oneshot\n"));
  CHECK(bad("[Service]\nType=simple\n"));
  CHECK(bad("ExecStart=/bin/true\n"));
  CHECK(bad("[Unit]\nDescription=x\n"));
  CHECK(bad("[Service]\nExecStart=relative/x\n"));
  CHECK(bad("[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/true\n"));
  CHECK(bad("[Service]\nType=dbus\nExecStart=/bin/true\n"));
  CHECK(bad("[Service]\nExecStart=/bin/true\nExecStart=/bin/false\n"));
  CHECK(bad("[Service]\nExecStart=/bin/true\nExecStart=\n"));
  CHECK(bad("[Timer]\n", "timer"));
  CHECK(bad("[Socket]\n", "socket"));
  CHECK(bad("[Path]\n", "path"));
  CHECK_FALSE(bad("[Service]\nType=bogus\nExecStart=/bin/true\n"));
  CHECK_FALSE(bad("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n"));
  CHECK_FALSE(bad("[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=/bin/false\n"));
  CHECK_FALSE(bad("[Unit]\nSuccessAction=poweroff\n"));
  CHECK_FALSE(bad("[Service]\nExecStart=-relative/x\nExecStop=true\n"));
  CHECK_FALSE(bad("[Service]\nExecStart=/a\nExecStart=\nExecStart=/b\n"));
  CHECK_FALSE(bad("[Service]\nType=dbus\nBusName=a.b\nExecStart=/bin/true\n"));
  CHECK_FALSE(bad(""));  // masked
  CHECK_FALSE(bad("[Timer]\nOnBootSec=1\n", "timer"));
  CHECK_FALSE(bad("[Unit]\n", "target"));
}

TEST_CASE("symlinks and drop-ins of directories beside a unit file count") {
  const Root root;
  root.write("lib/systemd/system/a-b.service", "[Service]\nExecStart=/bin/true\nUser=one\n");
  root.link("../need.service", "etc/systemd/system/a-b.service.requires/need.service");
  root.link("../want.service", "etc/systemd/system/a-b.service.wants/want.service");
  root.link("../bad", "etc/systemd/system/a-b.service.wants/no unit");
  root.write("etc/systemd/system/service.d/10-all.conf", "[Service]\nUser=all\nGroup=all\n");
  root.write("etc/systemd/system/a-.service.d/20-some.conf", "[Service]\nUser=some\n");
  root.write("etc/systemd/system/service.d/50-both.conf", "[Unit]\nDescription=All\n");
  root.write("etc/systemd/system/a-b.service.d/50-both.conf", "[Unit]\nDescription=Own\n");
  const auto unit = root.directory().find("a-b.service");
  REQUIRE(unit);
  CHECK(unit->linked_wants == std::vector<std::string>{"want.service"});
  CHECK(unit->linked_requires == std::vector<std::string>{"need.service"});
  CHECK(unit->drop_ins == std::vector<std::string>{"/etc/systemd/system/service.d/10-all.conf",
                                                   "/etc/systemd/system/a-.service.d/20-some.conf",
                                                   "/etc/systemd/system/a-b.service.d/50-both.conf"});
  CHECK(unit->settings.back().value == "Own");
  CHECK(unit->settings[unit->settings.size() - 2].value == "some");
}
