#include "report/json.h"
#include "report/units_text.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "support.h"

using namespace rehearse;
using namespace rehearse::report;
using namespace rehearse::report::test;

TEST_CASE("A record survives the way to JSON and back") {
  const RunRecord record = sample();
  const std::string text = to_json(record);
  auto again = parse_run_json(text);
  REQUIRE(again);
  CHECK(to_json(*again) == text);
  CHECK(again->command.wall_ns == 1'800'000'000);
  CHECK(again->command.user_ns == 1);
  CHECK(again->created_ns == record.created_ns);
  CHECK(again->layers[0].aliases == record.layers[0].aliases);
  CHECK(again->verdict.fidelity_score == Approx(0.9));
}

TEST_CASE("What the service manager was asked survives, and is counted and shown") {
  RunRecord record = sample();
  record.action.kind = "config";
  record.units = {{"web.service", "restart", "replace", "mocked", "", {"restart app.service"}, 4, 2},
                  {"gone.service", "start", "", "refused", "Unit gone.service not found.\x1b[2J", {}, 5, 1},
                  {"web.service", "query", "", "mocked", "", {}, 6, 9},
                  {"cron.service", "enable", "", "carried-out", "", {}, 7, 1}};
  const std::string text = to_json(record);
  const auto again = parse_run_json(text);
  REQUIRE(again);
  CHECK(to_json(*again) == text);
  CHECK(again->units.size() == 4);
  CHECK(again->units[0].also == record.units[0].also);
  CHECK(again->action.kind == "config");
  CHECK(nlohmann::json::parse(text)["counts"]["units"] == 3);
  CHECK(units_line(record) == "3 service requests");
  CHECK(units_text(record, Style(false), 2) ==
        "  mocked       restart web.service ×2  [4]\n      also: restart app.service\n"
        "  refused      start gone.service  [5]\n      Unit gone.service not found.\\u{001B}[2J\n"
        "  and 1 more\n  asked about: web.service\n");
}

TEST_CASE("Hostile strings survive exactly, and the document is harmless text") {
  for (const std::string& name : hostile_names()) {
    const RunRecord record = hostile(name);
    const std::string text = to_json(record);
    require_harmless(text, true);
    CHECK(is_utf8(text));
    auto again = parse_run_json(text);
    REQUIRE(again);
    CHECK(again->action.argv == record.action.argv);
    CHECK(again->action.cwd == record.action.cwd);
    CHECK(again->action.name == record.action.name);
    CHECK(again->command.leftover[0].comm == name);
    CHECK(again->command.leftover[0].process == record.command.leftover[0].process);
    CHECK(again->command.leftover[0].argv == record.command.leftover[0].argv);
    CHECK(again->verdict.findings[0].evidence[0].text == name);
    CHECK(again->layers[0].mountpoint == record.layers[0].mountpoint);
    CHECK(again->layers[0].aliases[0] == name);
    auto sorted = again->action.env;
    std::sort(sorted.begin(), sorted.end());
    auto wanted = record.action.env;
    std::sort(wanted.begin(), wanted.end());
    CHECK(sorted == wanted);
  }
}

TEST_CASE("Golden: how hostile names look in JSON") {
  effects::Change c = change(effects::ChangeKind::kCreated, "/\x1b]52;c;x\x07\r\n\xe2\x80\xae\xff");
  c.after = std::nullopt;
  const std::string text = to_json(c);
  CHECK(text ==
        "{\"path\":\"/\\u001b]52;c;x\\u0007\\r\\n\\u202e\xef\xbf\xbd\",\"path_b64\":\"Lxtd"
        "NTI7Yzt4Bw0K4oCu/"
        "w==\",\"change\":\"created\",\"also\":[],\"type\":\"file\",\"before\":null,\"after\":null,"
        "\"package\":null,\"layer\":0,\"masked\":false,\"base_moved\":false}");
}

TEST_CASE("The document has the field names of the interface and none of parts that are not built") {
  const auto manifest = make_manifest({change(effects::ChangeKind::kModified, "/etc/x")});
  Writer out;
  REQUIRE(write_run_json(out, sample(), manifest.get()));
  const auto json = nlohmann::json::parse(out.text());
  CHECK(json["schema"] == "rehearse.run/1");
  CHECK(json["created"] == rfc3339(sample().created_ns));
  CHECK(json["host"]["name"] == "box");
  CHECK(json["command"]["wall_s"] == 1.8);
  CHECK(json["command"]["signal"].is_null());
  CHECK(json["counts"]["created"] == 3);
  CHECK(json["fidelity"]["gaps"][0]["cap"] == "yellow");
  CHECK(json["changes"][0]["before"]["mode"] == "0644");
  CHECK(json["changes"][0]["before"]["gen"].is_null());
  CHECK(json["changes"][0]["after"]["size"] == 20);
  CHECK(json["changes"][0]["change"] == "modified");
  CHECK(json["phases"]["plan_s"] == 0.001);
  CHECK(json["units"].empty());
  for (const char* later : {"processes", "network", "attempts", "reads", "trace"})
    CHECK(!json.contains(later));
  CHECK(json["verdict"]["policy_digest"].is_null());  // judged by none
  CHECK(!json["changes"][0].contains("path_b64"));
}

TEST_CASE("Attributes: ACL, capabilities, xattrs, whose names may be hostile too") {
  effects::Change c = change(effects::ChangeKind::kCreated, "/x");
  c.after->xattrs["user.k"] = "value";
  c.after->xattrs["user.\xff"] = "raw";
  c.after->xattrs["security.capability"] =
      std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  const auto json = nlohmann::json::parse(to_json(c));
  CHECK(json["after"]["caps"] == "cap_net_raw=ep");
  CHECK(json["after"]["xattrs"]["user.k"] == "dmFsdWU=");
  CHECK(json["after"]["xattrs_b64"][0][0] == base64("user.\xff"));
  CHECK(json["after"]["acl"].is_null());
}

TEST_CASE("Malformed documents are errors that name the member") {
  const auto wrong = [](const std::string& text) {
    auto result = parse_run_json(text);
    REQUIRE(!result);
    CHECK(result.error().exit == ExitCode::kDataError);
    return result.error().what;
  };
  wrong("");
  wrong("[]");
  wrong("\xff");
  wrong(std::string(100000, '['));
  CHECK(wrong(R"({"schema":"rehearse.run/2","id":"x"})").find("rehearse.run/2") != std::string::npos);
  CHECK(wrong(R"({"schema":"rehearse.run/1"})").find("id") != std::string::npos);
  std::string text = to_json(sample());
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    const std::size_t at = copy.find(from);
    REQUIRE(at != std::string::npos);
    return copy.replace(at, from.size(), to);
  };
  CHECK(wrong(replaced("\"uid\":0", "\"uid\":-1")).find("uid") != std::string::npos);
  CHECK(wrong(replaced("\"uid\":0", "\"uid\":4294967296")).find("uid") != std::string::npos);
  CHECK(wrong(replaced("\"wall_s\":1.8", "\"wall_s\":1e300")).find("command.wall_s") != std::string::npos);
  CHECK(wrong(replaced("\"level\":\"yellow\"", "\"level\":\"blue\"")).find("level") != std::string::npos);
  CHECK(wrong(replaced("\"argv\":[\"sh\"", "\"argv\":[7")).find("argv") != std::string::npos);
}

TEST_CASE("Seconds are exact") {
  std::string text;
  JsonWriter json(text);
  json.open_array()
      .seconds(0)
      .seconds(1)
      .seconds(-1'500'000'000)
      .seconds(INT64_MAX)
      .seconds(INT64_MIN)
      .close_array();
  CHECK(text == "[0.0,0.000000001,-1.5,9223372036.854775807,-9223372036.854775808]");
}
