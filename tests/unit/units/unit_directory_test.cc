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
