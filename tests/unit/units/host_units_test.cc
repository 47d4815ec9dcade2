#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "base/clock.h"
#include "base/fd.h"
#include "units/host_units.h"
#include "units/property.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

std::int64_t in(std::int64_t milliseconds) {
  return monotonic_ns() + milliseconds * kMillisecond;
}

/// A socket in the place of the host's; what it says is laid ready before it is asked.
class FakeManager {
 public:
  FakeManager() {
    path_ = "/tmp/rehearse-unit-" + std::to_string(::getpid());
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(address.sun_path), path_.data(), path_.size());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
  }
  ~FakeManager() { ::unlink(path_.c_str()); }

  HostManager connect() {
    auto manager = HostManager::connect(path_, in(1000));
    REQUIRE(manager);
    client_.reset(::accept(listener_.get(), nullptr, nullptr));
    return std::move(*manager);
  }
  void says(const std::string& bytes) {
    REQUIRE(::write(client_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void hangs_up() { client_.reset(); }

 private:
  std::string path_;
  UniqueFd listener_;
  UniqueFd client_;
};

constexpr const char* kWelcome = "DATA\r\nOK 00112233445566778899aabbccddeeff\r\n";

std::string answer(std::uint32_t serial, std::string signature, std::string body) {
  Message message;
  message.type = MessageType::kMethodReturn;
  message.serial = 100 + serial;
  message.reply_serial = serial;
  message.signature = std::move(signature);
  message.body = std::move(body);
  return marshal(message);
}

std::string properties() {
  DbusWriter out;
  write_properties(
      out, "",
      std::vector<Property>{text_property("Version", "252"), text_property("SystemState", "degraded")});
  return out.take();
}

std::string unit_list() {
  DbusWriter out;
  const DbusWriter::Array array = out.open_array('(');
  out.open_struct()
      .string("a.service")
      .string("Title")
      .string("loaded")
      .string("active")
      .string("running")
      .string("");
  out.object_path("/x").uint32(0).string("").object_path("/");
  out.close_array(array);
  return out.take();
}

std::string signal() {
  Message message;
  message.type = MessageType::kSignal;
  message.serial = 99;
  message.path = "/";
  message.interface = "org.x.Y";
  message.member = "Z";
  return marshal(message);
}

}  // namespace

TEST_CASE("the host's manager is read in one go") {
  FakeManager fake;
  HostManager manager = fake.connect();
  fake.says(kWelcome + signal() + answer(1, "a{sv}", properties()) + answer(2, "a(ssssssouso)", unit_list()));
  const auto host = manager.read(in(1000));
  REQUIRE(host);
  CHECK(host->version == "252");
  CHECK(host->system_state == "degraded");
  REQUIRE(host->units.size() == 1);
  CHECK(host->units[0].id == "a.service");
  CHECK(host->units[0].sub_state == "running");
  std::string text;
  JsonWriter json(text);
  print_json(json, *host);
  CHECK(text.find("\"unit\":\"a.service\"") != std::string::npos);
  fake.says(answer(3, "a{sv}", properties()));
  CHECK(*manager.unit_properties("a.service", "") == properties());
}

TEST_CASE("a host without an answer is said to have none, in time") {
  const auto absent = HostManager::connect("/nonexistent/private", in(1000));
  REQUIRE_FALSE(absent);
  CHECK(absent.error().exit == ExitCode::kUnavailable);
  CHECK(absent.error().what.find("/nonexistent/private") != std::string::npos);

  FakeManager fake;
  HostManager silent = fake.connect();
  const std::int64_t begin = monotonic_ns();
  const auto nothing = silent.read(in(50));
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().what.find("in time") != std::string::npos);
  CHECK(monotonic_ns() - begin < 1000 * kMillisecond);
  // From now on it is not waited for.
  const std::int64_t again = monotonic_ns();
  CHECK_FALSE(silent.unit_properties("a.service", ""));
  CHECK(monotonic_ns() - again < 20 * kMillisecond);
}

TEST_CASE("answers that are none") {
  using namespace std::string_literals;
  Message first;
  first.serial = 1;
  Message denied = error_to(first, "org.x.Denied", "no");
  denied.serial = 100;
  const std::vector<std::string> answers = {
      "REJECTED\r\nERROR\r\n", kWelcome + "garbage that is no message"s,
      kWelcome + answer(1, "s", DbusWriter().string("x").take()) + answer(2, "a(ssssssouso)", unit_list()),
      kWelcome + marshal(denied) + answer(2, "a(ssssssouso)", unit_list())};
  for (const std::string& text : answers) {
    FakeManager fake;
    HostManager manager = fake.connect();
    fake.says(text);
    const auto host = manager.read(in(500));
    REQUIRE_FALSE(host);
    CHECK_FALSE(manager.unit_properties("a.service", ""));
  }
  FakeManager fake;
  HostManager manager = fake.connect();
  fake.hangs_up();
  CHECK_FALSE(manager.read(in(500)));
}
