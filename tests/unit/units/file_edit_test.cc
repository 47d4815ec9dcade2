#include <catch2/catch.hpp>

#include "units/file_edit.h"

using namespace rehearse::units;

namespace {

Message call(const char* member, std::string body) {
  Message message;
  message.member = member;
  message.signature = file_edit_signature(member);
  message.body = std::move(body);
  return message;
}

FileEdit enable() {
  return *parse_file_edit(
      call("EnableUnitFiles",
           DbusWriter().strings(std::vector<std::string>{"a.service"}).boolean(true).boolean(true).take()));
}

std::vector<std::string> changes(const EditReply& reply) {
  std::vector<std::string> lines;
  DbusReader reader(reply.body, reply.signature);
  if (reply.signature == "ba(sss)") lines.emplace_back(reader.boolean() ? "carries" : "does not");
  reader.enter_array("(sss)");
  while (reader.more()) {
    reader.enter_struct();
    std::string line(reader.string());
    for (int i = 0; i < 2; ++i) (line += '|') += reader.string();
    lines.push_back(line);
    reader.leave();
  }
  CHECK(reader.done());
  return lines;
}

}  // namespace

TEST_CASE("calls become commands") {
  using Words = std::vector<std::string>;
  CHECK(enable().words == Words{"enable", "--runtime", "--force", "--", "a.service"});
  const Words two = {"-x.service", "/b.service"};
  const auto mask = parse_file_edit(call("UnmaskUnitFiles", DbusWriter().strings(two).boolean(false).take()));
  CHECK(mask->words == Words{"unmask", "--", "-x.service", "/b.service"});
  const auto add = parse_file_edit(call("AddDependencyUnitFiles", DbusWriter()
                                                                      .strings(Words{"a.service"})
                                                                      .string("t.target")
                                                                      .string("Requires")
                                                                      .boolean(false)
                                                                      .boolean(false)
                                                                      .take()));
  CHECK(add->words == Words{"add-requires", "--", "t.target", "a.service"});
  const auto preset = parse_file_edit(call(
      "PresetUnitFilesWithMode",
      DbusWriter().strings(Words{"a.service"}).string("enable-only").boolean(false).boolean(false).take()));
  CHECK(preset->words == Words{"preset", "--preset-mode=enable-only", "--", "a.service"});
  const auto target =
      parse_file_edit(call("SetDefaultTarget", DbusWriter().string("a.target").boolean(true).take()));
  CHECK(target->words == Words{"set-default", "--force", "--", "a.target"});
  CHECK_FALSE(parse_file_edit(call("StartUnit", "")));
}

TEST_CASE("what systemctl prints becomes the reply") {
  EditAnswer answer;
  answer.exit = 0;
  answer.err =
      "Created symlink /etc/a.service \u2192 /lib/a.service.\nCreated symlink /etc/b.service -> /dev/null.\n"
      "Created symlink '/etc/c' \u2192 '/lib/c'.\nRemoved \"/etc/d\".\nUnit e.service is masked, "
      "ignoring.\nnoise\n";
  const auto reply = edit_reply(enable(), answer);
  REQUIRE(reply);
  CHECK(changes(*reply) == std::vector<std::string>{"carries", "symlink|/etc/a.service|/lib/a.service",
                                                    "symlink|/etc/b.service|/dev/null",
                                                    "symlink|/etc/c|/lib/c", "unlink|/etc/d|",
                                                    "masked|e.service|"});
  answer.err = "The unit files have no installation config (WantedBy=, ...\n";
  CHECK(changes(*edit_reply(enable(), answer)) == std::vector<std::string>{"does not"});
}

TEST_CASE("its errors become the manager's") {
  const auto error = [](int exit, const char* text) {
    const auto reply = edit_reply(enable(), {exit, "", text});
    return reply ? std::string("none")
                 : reply.error().name.substr(reply.error().name.rfind('.') + 1) + ": " + reply.error().text;
  };
  CHECK(error(1, "noise\nFailed to enable unit, unit x.service does not exist.\n") ==
        "NoSuchUnit: Unit file x.service does not exist.");
  CHECK(error(0, "Failed to disable unit, unit x.service does not exist.\n") ==
        "NoSuchUnit: Unit file x.service does not exist.");
  CHECK(error(1, "Failed to enable unit, unit /etc/x is masked.\n") ==
        "UnitMasked: Unit file /etc/x is masked.");
  CHECK(error(1, "Failed to mask unit, file \"/etc/x\" already exists.\n") ==
        "UnitExists: File /etc/x already exists.");
  CHECK(error(1, "Failed to enable unit, file \"/etc/x\" already exists and is a symlink to \"/y\".\n") ==
        "UnitExists: File /etc/x already exists and is a symlink to /y.");
  CHECK(error(1, "Failed to do: Read-only file system\n") == "Failed: Read-only file system");
  CHECK(error(-1, "") == "Failed: systemctl could not be run in the rehearsal's clone");
  CHECK(error(-1, "Failed to x: y\nIt was killed.") ==
        "Failed: systemctl could not be run in the rehearsal's clone: It was killed.");
}

TEST_CASE("states and lists") {
  CHECK(*enabled_state({1, "disabled\n", ""}) == "disabled");
  CHECK(*enabled_state({0, "enabled\n", ""}) == "enabled");
  const auto missing =
      enabled_state({1, "", "Failed to get unit file state for x.service: No such file or directory\n"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().name == "org.freedesktop.DBus.Error.FileNotFound");
  CHECK_FALSE(enabled_state({0, "\x1b[31m\n", ""}));
  CHECK(*default_target({0, "graphical.target\n", ""}) == "graphical.target");
  CHECK_FALSE(default_target({0, "x\n", ""}));
  const auto files = listed_files({0, "a.service   enabled  disabled\nbad line\nb.timer static -\n", ""});
  REQUIRE(files.size() == 2);
  CHECK(files[0].preset == "disabled");
  CHECK(files[1].name == "b.timer");
  CHECK(files[1].preset.empty());
}
