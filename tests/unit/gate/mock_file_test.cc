#include "gate/mock_file.h"

#include <fcntl.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sys.h"
#include "gate/rule_text.h"

using namespace rehearse;
using namespace rehearse::gate;

namespace {

/// A directory with body files, gone at the end.
class BodyDir {
 public:
  BodyDir() {
    std::string name = "/tmp/rehearse-mock-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    fd_ = sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY).value();
    std::ofstream(path_ / "body.json") << "{\"a\": 1}";
    std::ofstream(path_ / "large");
    std::filesystem::resize_file(path_ / "large", kLargestBodyFile + 1);
    std::filesystem::create_symlink("/etc/passwd", path_ / "link");
    std::filesystem::create_directory(path_ / "dir");
    REQUIRE(::mkfifo((path_ / "fifo").c_str(), 0600) == 0);
  }
  ~BodyDir() { std::filesystem::remove_all(path_); }
  BodyDir(const BodyDir&) = delete;
  BodyDir& operator=(const BodyDir&) = delete;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
};

Result<MockFile> parse_mocks(std::string_view text, FileKind kind = FileKind::kMock) {
  const BodyDir dir;
  return parse_mock_file(text, "m.toml", kind, dir.fd());
}

/// The error's line; its remedy in brackets.
std::string mock_error(std::string_view text) {
  const auto file = parse_mocks(text);
  if (file) return "it parses";
  CHECK(file.error().exit == ExitCode::kConfig);
  return file.error().what + " (" + file.error().fix + ")";
}

}  // namespace

TEST_CASE("Rules and mocks of a file") {
  const auto file = parse_mocks(R"(
schema = "rehearse.mock/1"
[[pass]]
to = "tcp:deb.example.org:443"
bytes = "500MiB"
rate = "10MiB/s"
time = "5m"
record = true
[[deny]]
to = "tcp:*:25"
errno = "ETIMEDOUT"
[[deny]]
to = "udp:*:123"
[[mock]]
listen = "tcp:api.example.com:80"
tls = true
[[mock.http]]
method = "POST"
path = "/hooks/*"
headers = { X-Tag = "a*" }
status = 202
body = "ok"
reply_headers = { Content-Type = "text/plain", Set-Cookie = ["a=1", "b=2"] }
latency = "200ms"
[[mock.http]]
path = "/file"
body_file = "body.json"
fault = "truncate"
[[mock]]
listen = "tcp:127.0.0.1:21"
script = [ { send = "220\r\n" }, { expect = "USER *", send = "331\r\n" }, { expect = "QUIT" } ]
[[mock]]
listen = "tcp:qotd.example:17"
reply = "quote"
[[mock]]
listen = "tcp:*:25"
smtp = { name = "mx.example.com", max_size = "1MiB" }
[[mock]]
dns = [ { name = "API.example.com.", type = "A", data = "192.0.2.1", ttl = 5 },
        { name = "example.com", type = "MX", data = "10 Mail.example.com." },
        { name = "_sip._tcp.example.com", type = "SRV", data = "0 5 5060 sip.example.com" },
        { name = "example.com", type = "TXT", data = "v=spf1 -all" },
        { name = "example.com", type = "AAAA", data = "2001:db8:0::1" },
        { name = "gone.example.com", type = "NXDOMAIN" },
        { name = "*.Example.com", type = "A", data = "192.0.2.2" } ]
)");
  INFO((file ? "" : file.error().what));
  REQUIRE(file);
  const Rules& rules = file->rules;
  REQUIRE(rules.pass.size() == 1);
  CHECK(to_text(rules.pass[0]) == "tcp:deb.example.org:443,bytes=500MiB,rate=10MiB/s,time=5m,record");
  REQUIRE(rules.deny.size() == 2);
  CHECK(to_text(rules.deny[0]) == "tcp:*:25=ETIMEDOUT");
  CHECK(to_text(rules.deny[1]) == "udp:*:123=ECONNREFUSED");
  REQUIRE(rules.mock.size() == 4);
  CHECK(to_text(rules.mock[0].listen) == "tcp:api.example.com:80");
  CHECK(rules.mock[0].tls);
  CHECK(rules.mock[0].place == "m.toml:14:1");
  const auto& http = std::get<HttpMock>(rules.mock[0].service);
  REQUIRE(http.routes.size() == 2);
  CHECK(http.routes[0].method == "POST");
  CHECK(http.routes[0].status == 202);
  CHECK(http.routes[0].latency_ns == 200'000'000);
  CHECK(http.routes[0].headers == std::vector<Header>{{"X-Tag", "a*"}});
  CHECK(http.routes[0].reply_headers ==
        std::vector<Header>{{"Content-Type", "text/plain"}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}});
  CHECK_FALSE(http.routes[1].method);
  CHECK(http.routes[1].body == "{\"a\": 1}");
  CHECK(http.routes[1].fault == Fault::kTruncate);
  const auto& script = std::get<ScriptMock>(rules.mock[1].service);
  REQUIRE(script.steps.size() == 3);
  CHECK((!script.steps[0].expect && script.steps[1].expect == "USER *" && script.steps[2].send.empty()));
  CHECK(std::get<ScriptMock>(rules.mock[2].service).steps.at(0).send == "quote");
  CHECK(std::get<SmtpMock>(rules.mock[3].service).name == "mx.example.com");
  CHECK(std::get<SmtpMock>(rules.mock[3].service).max_bytes == 1U << 20U);
  REQUIRE(file->dns.size() == 7);
  CHECK((file->dns[0].name == "api.example.com" && file->dns[0].ttl == 5));
  CHECK((file->dns[1].data == "10 Mail.example.com." && file->dns[1].ttl == 60));
  CHECK(file->dns[4].data == "2001:db8:0::1");
  CHECK((file->dns[5].type == "NXDOMAIN" && file->dns[5].data.empty()));
  CHECK((file->dns[6].name == "*.example.com" && file->dns[6].place == "m.toml:45:9"));
}

TEST_CASE("In an action file other tables are for others") {
  const std::string_view action =
      "name = \"x\"\nargv = [\"y\"]\n[limits]\nwall = \"5m\"\n[[pass]]\nto = \"tcp:a:1\"\n";
  REQUIRE(parse_mocks(action, FileKind::kAction));
  CHECK(parse_mocks(action, FileKind::kAction)->rules.pass.size() == 1);
  CHECK(mock_error(action).starts_with("m.toml:1:1: unknown key \"name\""));
}

TEST_CASE("Wrong files name file, line, column, the thing and the remedy") {
  CHECK(mock_error("[[mock]\n").starts_with("m.toml:1:8: "));
  CHECK(mock_error("[[mok]]\n") == "m.toml:1:3: unknown key \"mok\" (the nearest known key is \"mock\")");
  CHECK(mock_error("ü = 1\n").starts_with("m.toml:1:1: "));
  CHECK(mock_error("[[\x01").starts_with("m.toml:1:3: "));
  CHECK(mock_error("\"ü\" = 1\n").starts_with("m.toml:1:1: unknown key \"ü\""));
  CHECK(mock_error("schema = \"x\"\n") ==
        "m.toml:1:10: \"schema\": \"x\" is not known (write \"rehearse.mock/1\")");
  CHECK(mock_error("[[pass]]\nto = \"tcp:a:1\"\nrates = \"1/s\"\n") ==
        "m.toml:3:1: unknown key \"rates\" of [[pass]] (the nearest known key is \"rate\")");
  CHECK(mock_error("[[pass]]\n") ==
        "m.toml:1:1: [[pass]]: \"to\" is missing (write to = \"tcp:deb.example.org:443\")");
  CHECK(mock_error("[[pass]]\nto = \"tcp:a\"\n")
            .starts_with("m.toml:2:6: \"to\" of [[pass]]: rule, column 5: 'a' has no port ("));
  CHECK(mock_error("[[pass]]\nto = 1\n") ==
        "m.toml:2:6: \"to\" of [[pass]]: is a whole number, not a text (give it a text)");
  CHECK(mock_error("[[pass]]\nto = \"tcp:a:1\"\nbytes = \"x\"\n") ==
        "m.toml:3:9: \"bytes\" of [[pass]]: \"x\" is not a size (write a number with B, K, M, G or T, such "
        "as 512M)");
  CHECK(mock_error("pass = 1\n") ==
        "m.toml:1:8: \"pass\": is a whole number, not an array of tables (give it an array of tables)");
  CHECK(mock_error("mock = [1]\n") ==
        "m.toml:1:9: \"mock\"[0] is a whole number, not a table (each element is a table: { key = value })");
  CHECK(mock_error("[[deny]]\nto = \"tcp:*:1\"\nerrno = \"EAGAIN\"\n")
            .starts_with("m.toml:3:9: \"errno\" of [[deny]]: 'EAGAIN' is no way to deny"));
  CHECK(mock_error("[[mock]]\nlisten = \"tcp:a:1\"\n") ==
        "m.toml:1:1: [[mock]]: it says nothing (write one of http, reply, script, smtp, datagrams and dns)");
  CHECK(mock_error("[[mock]]\nlisten = \"tcp:a:1\"\nreply = \"\"\nsmtp = {}\n") ==
        "m.toml:4:8: \"smtp\" of [[mock]]: there is \"reply\" too (write a [[mock]] for each service)");
  CHECK(mock_error("[[mock]]\nreply = \"\"\n").starts_with("m.toml:1:1: [[mock]]: \"listen\" is missing"));
}

TEST_CASE("Mocks of UDP") {
  const auto file = parse_mocks(R"(
[[mock]]
listen = "udp:syslog.example.com:514"
datagrams = [ { expect = "<*>*" }, { expect_hex = "1b *", reply_hex = "24 {40:8}" }, { reply = "what?" } ]
[[mock]]
listen = "udp:10.0.0.5:7"
reply = "ok"
)");
  REQUIRE(file);
  const auto& routes = std::get<DatagramMock>(file->rules.mock[0].service).routes;
  REQUIRE(routes.size() == 3);
  CHECK(!routes[0].replies);
  CHECK(make_reply(routes[1], std::string(48, 'x')) == "\x24xxxxxxxx");
  CHECK(make_reply(routes[2], "") == "what?");
  const auto& canned = std::get<DatagramMock>(file->rules.mock[1].service);
  CHECK(make_reply(*find_route(canned, "anything"), "anything") == "ok");

  const auto mock = [](const std::string& listen, const std::string& rest) {
    return mock_error("[[mock]]\nlisten = \"" + listen + "\"\n" + rest + "\n");
  };
  CHECK(mock("tcp:a:1", "datagrams = [ {} ]") ==
        "m.toml:2:10: \"listen\" of [[mock]]: datagrams are of UDP (write udp:HOST:PORT)");
  CHECK(
      mock("udp:a:1", "http = [ {} ]").starts_with("m.toml:3:8: \"http\" of [[mock]]: is a service of TCP"));
  CHECK(mock("udp:a:1", "reply = \"\"\ntls = true")
            .starts_with("m.toml:4:7: \"tls\" of [[mock]]: there is none"));
  CHECK(
      mock("udp:a:1", "datagrams = []").starts_with("m.toml:3:13: \"datagrams\" of [[mock]]: has no routes"));
  CHECK(mock("udp:a:1", "datagrams = [ { expect = \"a\", expect_hex = \"00\" } ]")
            .find("\"expect_hex\" of [[mock]].datagrams[0]: there is \"expect\" too") != std::string::npos);
  CHECK(
      mock("udp:a:1", "datagrams = [ { reply_hex = \"0\" } ]") ==
      "m.toml:3:29: \"reply_hex\" of [[mock]].datagrams[0]: \"0\" cannot be read (write pairs of hexadecimal "
      "digits: 1b 00 ff)");
  CHECK(mock("udp:host-loopback:1", "reply = \"\"").find("write udp:127.0.0.1:1") != std::string::npos);
}

TEST_CASE("Wrong routes") {
  const auto route = [](std::string_view keys) {
    return mock_error("[[mock]]\nlisten = \"tcp:a:1\"\nhttp = [ { " + std::string(keys) + " } ]\n");
  };
  CHECK(route("stats = 1") ==
        "m.toml:3:12: unknown key \"stats\" of [[mock]].http[0] (the nearest known key is \"status\")");
  CHECK(
      route("status = 100") ==
      "m.toml:3:21: \"status\" of [[mock]].http[0]: 100 is out of range (give it a number from 200 to 599)");
  CHECK(route("status = \"200\"")
            .starts_with("m.toml:3:21: \"status\" of [[mock]].http[0]: is a text, not a whole number"));
  CHECK(route("method = \"get\"").find("\"get\" is no method") != std::string::npos);
  CHECK(route("path = \"x\"").find("does not begin with a slash") != std::string::npos);
  CHECK(route("path = \"/" + std::string(2000, 'a') + "\"").find("longer than 1024 bytes") !=
        std::string::npos);
  CHECK(route("fault = \"slow\"").find("\"slow\" is no fault") != std::string::npos);
  CHECK(route("latency = \"2h\"").find("longer than an hour") != std::string::npos);
  CHECK(route("body = \"a\", body_file = \"b\"").find("there is \"body\" too") != std::string::npos);
  CHECK(route("status = 205, body = \"a\"").find("status 205 has no body") != std::string::npos);
  CHECK(route("status = 204, body = \"a\"").find("status 204 has no body") != std::string::npos);
  CHECK(route("fault = \"truncate\"").find("no body to cut") != std::string::npos);
  CHECK(route("reply_headers = { \"a b\" = \"c\" }").find("\"a b\" is no header name") != std::string::npos);
  CHECK(route("reply_headers = { a = \"b\\r\\nc: d\" }").find("control characters") != std::string::npos);
  CHECK(route("reply_headers = { content-Length = \"1\" }").find("is written by rehearse") !=
        std::string::npos);
  CHECK(route("headers = { a = 1 }").find("is a whole number, not a text or an array of texts") !=
        std::string::npos);
  CHECK(mock_error("[[mock]]\nlisten = \"tcp:a:1\"\nhttp = []\n").find("has no routes") != std::string::npos);
}

TEST_CASE("Body files lie below the file's directory and are plain files") {
  const auto body = [](std::string_view name) {
    return mock_error("[[mock]]\nlisten = \"tcp:a:1\"\nhttp = [ { body_file = \"" + std::string(name) +
                      "\" } ]\n");
  };
  CHECK(body("body.json") == "it parses");
  CHECK(body("dir/../body.json") == "it parses");
  for (const char* outside : {"/etc/passwd", "../x", "link", "none", "", "a\\u0000b"})
    CHECK(body(outside).starts_with("m.toml:3:24: \"body_file\" of [[mock]].http[0]: "));
  CHECK(body("dir").find("is not a regular file") != std::string::npos);
  CHECK(body("fifo").find("is not a regular file") != std::string::npos);
  CHECK(body("large").find("at most 16 MiB") != std::string::npos);
}

TEST_CASE("Wrong scripts, sinks and records") {
  const auto mock = [](std::string_view keys) {
    return mock_error("[[mock]]\nlisten = \"tcp:a:1\"\n" + std::string(keys));
  };
  CHECK(mock("script = []").find("has no steps") != std::string::npos);
  CHECK(mock("script = [ {} ]").find("the step does nothing") != std::string::npos);
  CHECK(mock("script = [ { expect = \"a\\n\" } ]").find("has an end of line") != std::string::npos);
  CHECK(mock("smtp = { name = \"a b\" }").find("is no host name") != std::string::npos);
  CHECK(mock("smtp = { size = 1 }").find("unknown key \"size\" of [[mock]].smtp") != std::string::npos);
  CHECK(mock("smtp = true").find("is true or false, not a table") != std::string::npos);
  CHECK(mock("dns = []").find("wherever they are asked for") != std::string::npos);
  const auto record = [](std::string_view keys) {
    return mock_error("[[mock]]\ndns = [ { name = \"a\", " + std::string(keys) + " } ]");
  };
  CHECK(record("type = \"A\", data = \"1.2.3.4\"") == "it parses");
  CHECK(record("type = \"a\", data = \"1.2.3.4\"").find("\"a\" is no type of record") != std::string::npos);
  CHECK(record("type = \"A\"").find("\"data\" is missing") != std::string::npos);
  for (const char* bad : {"type = \"A\", data = \"::1\"", "type = \"AAAA\", data = \"1.2.3.4\"",
                          "type = \"MX\", data = \"mail\"", "type = \"MX\", data = \"70000 mail\"",
                          "type = \"SRV\", data = \"1 2 a\"", "type = \"PTR\", data = \"a b\""})
    CHECK(record(bad).find("is no data of a record of type") != std::string::npos);
  CHECK(record("type = \"NXDOMAIN\"") == "it parses");
  CHECK(record("type = \"NXDOMAIN\", data = \"1.2.3.4\"").find("m.toml:2:") == 0);
  CHECK(record("type = \"A\", data = \"1.2.3.4\", ttl = -1").find("-1 is out of range") != std::string::npos);
}
