#include <catch2/catch.hpp>

#include "base/clock.h"
#include "manager_world.h"
#include "units/sysv_script.h"

using namespace rehearse;
using namespace rehearse::units;

TEST_CASE("a request changes what is said later, on every connection") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client one(manager, 11);
  Client two(manager, 12);
  CHECK(two.property("web.service", "ActiveState") == "active");
  CHECK(two.property("web.service", "MainPID") == "7");
  // app is part of it.
  CHECK(one.job("StopUnit", "web.service") == "JobNew JobNew reply JobRemoved JobRemoved ");
  CHECK(two.property("web.service", "ActiveState") == "inactive");
  CHECK(two.property("web.service", "MainPID") == "0");
  CHECK(two.property("app.service", "SubState") == "dead");
  CHECK(one.job("StartUnit", "web.service") == "JobNew reply JobRemoved ");
  CHECK(two.property("web.service", "SubState") == "running");
  const auto requests = manager.take_requests();
  REQUIRE(requests.size() == 4);
  CHECK(requests[0].request == "query");
  CHECK(requests[1].request == "stop");
  CHECK(requests[1].mode == "replace");
  CHECK(requests[1].process == 11);
  CHECK(requests[1].also == std::vector<std::string>{"stop app.service"});
  CHECK(requests[2].unit == "app.service");
  CHECK(requests[3].request == "start");
}

TEST_CASE("refusals carry the names that systemctl knows") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  const std::string own = "org.freedesktop.systemd1.";
  CHECK(client.job("StartUnit", "absent.service") == own + "NoSuchUnit ");
  CHECK(client.job("StopUnit", "absent.service") == own + "NoSuchUnit ");
  CHECK(client.job("ReloadUnit", "app.service") == own + "JobTypeNotApplicable ");
  CHECK(client.job("StartUnit", "web.service", "isolate") == own + "NoIsolation ");
  CHECK(client.job("StartUnit", "web.service", "odd") == "org.freedesktop.DBus.Error.InvalidArgs ");
  CHECK(client.job("StartUnit", "a b") == "org.freedesktop.DBus.Error.InvalidArgs ");
  CHECK(client.job("NoSuchMethod", "web.service") == "org.freedesktop.DBus.Error.UnknownMethod ");
  CHECK(client.property("web.service", "NoSuch") == "org.freedesktop.DBus.Error.UnknownProperty");
  Message odd = client.request("GetAll", "s", DbusWriter().string("org.example.Odd").take());
  odd.path = unit_path("web.service");
  odd.interface = "org.freedesktop.DBus.Properties";
  client.send(odd);
  CHECK(client.receive().front().error_name == "org.freedesktop.DBus.Error.UnknownInterface");
  client.send(client.request("StartUnit", "s", DbusWriter().string("web.service").take()));
  CHECK(client.receive().front().error_name == "org.freedesktop.DBus.Error.InvalidArgs");
  for (const UnitRequest& request : manager.take_requests()) {
    if (request.request != "query") CHECK(request.answered == Answered::kRefused);
  }
}

TEST_CASE("units of the clone's files") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  world.finder.add("new.service", "[Unit]\nDescription=New\nRequires=dep.service\n[Service]\nType=oneshot\n");
  CHECK(client.job("StartUnit", "new.service") == "org.freedesktop.systemd1.NoSuchUnit ");
  world.finder.add("dep.service", "[Service]\n");
  CHECK(client.job("StartUnit", "new.service") == "JobNew JobNew reply JobRemoved JobRemoved ");
  CHECK(client.property("dep.service", "ActiveState") == "active");
  CHECK(client.property("new.service", "ActiveState") == "inactive");
  // An alias is the unit itself.
  world.finder.files["www.service"] = world.finder.files["dep.service"];
  CHECK(client.property("www.service", "ActiveState") == "active");
  CHECK(client.property("www.service", "Id") == "dep.service");
  // Masked, once the manager is told to look.
  world.finder.files["dep.service"].masked = true;
  client.send(client.request("Reload", "", ""));
  client.receive();
  CHECK(client.job("RestartUnit", "dep.service") == "org.freedesktop.systemd1.UnitMasked ");
  // What nothing holds is forgotten.
  for (int i = 0; i < 2000; ++i) client.property("u" + std::to_string(i) + ".service", "ActiveState");
  CHECK(manager.table().units().size() == 4);
}

TEST_CASE("an edit is answered when its command has ended") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager, 5);
  const auto edit = client.request(
      "EnableUnitFiles", "asbb",
      DbusWriter().strings(std::vector<std::string>{"web.service"}).boolean(false).boolean(false).take());
  client.send(edit);
  REQUIRE(world.editor.asked.size() == 1);
  CHECK(world.editor.asked[0].second == std::vector<std::string>{"enable", "--", "web.service"});
  // What comes behind it waits for it.
  CHECK(client.property("web.service", "ActiveState") == "nothing");
  CHECK(manager.take_requests().empty());
  manager.answer(world.editor.asked[0].first, {0, "", "Created symlink /a -> /b.\n"});
  const auto messages = client.receive();
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].member == "UnitFilesChanged");
  CHECK(messages[1].signature == "ba(sss)");
  CHECK(messages[2].signature == "v");
  const auto requests = manager.take_requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].answered == Answered::kCarriedOut);
  CHECK(requests[0].process == 5);
  // The state is asked for anew, once.
  Message get = client.request("GetAll", "s", DbusWriter().string("").take());
  get.path = unit_path("web.service");
  get.interface = "org.freedesktop.DBus.Properties";
  world.source.known["web.service"].push_back(text_property("UnitFileState", "disabled"));
  client.send(get);
  if (world.editor.asked.size() == 2) {
    manager.answer(world.editor.asked[1].first, {0, "web.service enabled enabled\n", ""});
  }
  CHECK(client.receive().size() == 1);
}

TEST_CASE("an edit whose client has gone is recorded all the same") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  const auto ask = [&] {
    Client client(manager);
    client.send(client.request(
        "MaskUnitFiles", "asbb",
        DbusWriter().strings(std::vector<std::string>{"web.service"}).boolean(false).boolean(false).take()));
    const std::size_t errors = client.receive().size();
    manager.disconnect(client.id());
    return errors;
  };
  for (std::size_t i = 0; i < kMaxTickets; ++i) CHECK(ask() == 0);
  CHECK(ask() == 1);  // refused: so many are on their way
  CHECK(world.editor.asked.size() == kMaxTickets);
  manager.answer(world.editor.asked[0].first, {0, "", ""});
  manager.answer(world.editor.asked[0].first, {0, "", ""});  // known no more
  manager.answer(12345, {0, "", ""});
  CHECK(manager.take_requests().size() == 1);
  CHECK(ask() == 0);
}

TEST_CASE("transient units, kills and the end of the system") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  const auto transient = [&](const std::string& name) {
    DbusWriter body;
    body.string(name).string("fail");
    const DbusWriter::Array properties = body.open_array('(');
    body.open_struct().string("Description").open_variant("s").string("Brief");
    body.open_struct().string("ExecStart").open_variant("a(sasb)");
    const DbusWriter::Array commands = body.open_array('(');
    body.open_struct().string("/bin/echo").strings(std::vector<std::string>{"echo", "a b"}).boolean(false);
    body.close_array(commands);
    body.close_array(properties);
    body.close_array(body.open_array('('));
    client.send(client.request("StartTransientUnit", "ssa(sv)a(sa(sv))", body.take()));
    return client.receive();
  };
  CHECK(transient("brief.service").size() == 3);
  CHECK(manager.take_requests().at(0).detail == "echo 'a b'");
  CHECK(client.property("brief.service", "Description") == "Brief");
  CHECK(transient("brief.service").at(0).error_name == "org.freedesktop.systemd1.UnitExists");
  CHECK(transient("web.service").at(0).error_name == "org.freedesktop.systemd1.UnitExists");
  CHECK(transient("brief.target").at(0).error_name == "org.freedesktop.DBus.Error.InvalidArgs");
  const auto kill = [&](const std::string& unit, int number) {
    client.send(
        client.request("KillUnit", "ssi", DbusWriter().string(unit).string("all").int32(number).take()));
    const auto messages = client.receive();
    return messages.at(0).error_name;
  };
  CHECK(kill("absent.service", 15) == "org.freedesktop.systemd1.NoSuchUnit");
  CHECK(kill("web.service", 1).empty());
  CHECK(client.property("web.service", "ActiveState") == "active");
  CHECK(kill("web.service", 9).empty());
  CHECK(client.property("web.service", "ActiveState") == "failed");
  CHECK(kill("brief.service", 15).empty());
  CHECK(client.property("brief.service", "LoadState") == "not-found");
  CHECK(client.property("", "SystemState") == "degraded");
  world.finder.add("reboot.target", "[Unit]\n");
  CHECK(client.job("StartUnit", "reboot.target", "replace-irreversibly") == "JobNew reply JobRemoved ");
  CHECK(client.property("", "SystemState") == "stopping");
}

TEST_CASE("a client's greed is bounded") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  // A client that does not read its answers is not listened to.
  const std::string list = marshal(client.request("ListUnits", "", ""));
  for (int i = 0; i < 20'000 && manager.wants_input(client.id()); ++i) manager.receive(client.id(), list);
  CHECK(manager.output(client.id()).size() < 2 * kMaxPendingOutput);
  CHECK_FALSE(manager.wants_input(client.id()));
  while (!manager.output(client.id()).empty()) manager.sent(client.id(), 1U << 20U);
  CHECK(manager.wants_input(client.id()));
  // A message too long, or none, ends the connection.
  Message big = client.request("ListUnits", "s", DbusWriter().string(std::string(kMaxRequest, 'x')).take());
  client.send(big);
  CHECK(manager.finished(client.id()));
  std::vector<Manager::ConnectionId> open;
  while (const auto id = manager.connect({})) open.push_back(*id);
  CHECK(open.size() == kMaxConnections - 1);
  manager.receive(open[0], "no NUL");
  CHECK(manager.finished(open[0]));
  // Records are counted when they are too many to keep.
  manager.disconnect(open[1]);
  Client talker(manager);
  for (std::size_t i = 0; i <= kMaxRecords; ++i) talker.job("StopUnit", "absent.service");
  CHECK(manager.unrecorded() > 0);
  CHECK(manager.take_requests().size() == kMaxRecords);
  // They are those of the whole run, also when they are taken away.
  talker.job("StopUnit", "absent.service");
  CHECK(manager.take_requests().empty());
}

TEST_CASE("what the host does not say costs one question") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  for (int i = 0; i < 10; ++i) client.property("web.service", "ActiveState");
  CHECK(world.source.asked == 0);
  for (int i = 0; i < 10; ++i) client.property("web.service", "MainPID");
  CHECK(world.source.asked <= 2);
}

TEST_CASE("an init script has a unit from the next daemon-reload on") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  world.finder.add("old.service", sysv_unit_text("/etc/init.d/old", ""));
  world.finder.files["old.service"].source_path = "/etc/init.d/old";
  world.finder.files["old.service"].changed_ns = realtime_ns();
  CHECK(client.job("StartUnit", "old.service") == "org.freedesktop.systemd1.NoSuchUnit ");
  client.send(client.request("Reload", "", ""));
  client.receive();
  CHECK(client.job("StartUnit", "old.service") == "JobNew reply JobRemoved ");
  CHECK(client.property("old.service", "SourcePath") == "/etc/init.d/old");
  CHECK(client.property("old.service", "UnitFileState") == "generated");
  // Until the script is gone, too.
  world.finder.files.erase("old.service");
  client.job("StopUnit", "old.service");
  client.send(client.request("Reload", "", ""));
  client.receive();
  CHECK(client.property("old.service", "LoadState") == "not-found");
}

TEST_CASE("a request whose client is refused is recorded as that") {
  World world;
  world.finder.add("idle.service", "[Service]\nExecStart=/bin/true\nExecReload=/bin/true\n");
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  CHECK(client.job("ReloadUnit", "idle.service") == "JobNew reply JobRemoved ");
  client.send(client.request("SwitchRoot", "ss", DbusWriter().string("/new").string("").take()));
  CHECK(client.receive().at(0).error_name == "org.freedesktop.DBus.Error.UnknownMethod");
  client.send(client.request(
      "BindMountUnit", "sssbb",
      DbusWriter().string("web.service").string("/a").string("/b").boolean(false).boolean(false).take()));
  client.receive();
  Message dump = client.request("Dump", "", "");
  dump.path = unit_path("web.service");
  dump.interface = "org.example.Odd";
  client.send(dump);
  client.receive();
  const auto requests = manager.take_requests();
  REQUIRE(requests.size() == 4);
  for (const UnitRequest& request : requests) CHECK(request.answered == Answered::kRefused);
  CHECK(requests[0].detail == "idle.service is not active, cannot reload.");
  CHECK(requests[1].request == "SwitchRoot");
  CHECK(requests[1].detail == "Unknown method SwitchRoot or interface org.freedesktop.systemd1.Manager.");
  CHECK(requests[2].unit == "web.service");
  CHECK(requests[3].request == "Dump");
}

TEST_CASE("what is set of the manager stays") {
  World world;
  DbusWriter properties;
  write_properties(
      properties, "",
      std::vector<Property>{names_property("Environment", std::vector<std::string>{"A=1", "B=2"}),
                            text_property("LogLevel", "info"), boolean_property("ServiceWatchdogs", true)});
  world.host.properties = properties.take();
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  const auto change = [&](std::string_view member, const std::vector<std::string>& words) {
    client.send(client.request(member, "as", DbusWriter().strings(words).take()));
    return client.receive().at(0).error_name;
  };
  const auto environment = [&] {
    Message get = client.request(
        "Get", "ss", DbusWriter().string("org.freedesktop.systemd1.Manager").string("Environment").take());
    get.interface = "org.freedesktop.DBus.Properties";
    client.send(get);
    const auto messages = client.receive();
    DbusReader reader = messages.at(0).reader();
    reader.enter_variant();
    return reader.strings();
  };
  CHECK(change("SetEnvironment", {"A=3", "C=4"}).empty());
  CHECK(environment() == std::vector<std::string>{"B=2", "A=3", "C=4"});
  CHECK(change("UnsetEnvironment", {"B", "A=1"}).empty());
  CHECK(environment() == std::vector<std::string>{"A=3", "C=4"});
  CHECK(change("SetEnvironment", {"none"}) == "org.freedesktop.DBus.Error.InvalidArgs");
  const auto set = [&](const std::string& name, const Property& value) {
    DbusWriter body;
    body.string("org.freedesktop.systemd1.Manager").string(name);
    write_variant(body, value);
    Message call = client.request("Set", "ssv", body.take());
    call.interface = "org.freedesktop.DBus.Properties";
    client.send(call);
    return client.receive().at(0).error_name;
  };
  CHECK(set("LogLevel", text_property("", "debug")).empty());
  CHECK(client.property("", "LogLevel") == "debug");
  CHECK(set("ServiceWatchdogs", boolean_property("", false)).empty());
  CHECK(set("ServiceWatchdogs", text_property("", "no")) == "org.freedesktop.DBus.Error.InvalidArgs");
  CHECK(set("Version", text_property("", "999")) == "org.freedesktop.DBus.Error.PropertyReadOnly");
  // However much is set, it is bounded.
  std::vector<std::string> many;
  for (int i = 0; i < 2000; ++i) many.push_back("N" + std::to_string(i) + "=1");
  CHECK(change("SetEnvironment", many) == "org.freedesktop.DBus.Error.LimitsExceeded");
  CHECK(environment().size() == 2);
}

TEST_CASE("questions leave room for the records of what changes something") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  for (std::size_t i = 0; i < kMaxRecords; ++i) {
    Client client(manager);
    client.property("web.service", "ActiveState");
    manager.disconnect(client.id());
  }
  CHECK(manager.take_requests().size() == kMaxRecords - kReservedRecords);
  Client client(manager);
  client.job("StopUnit", "web.service");
  REQUIRE(manager.take_requests().size() == 1);
  CHECK(manager.unrecorded() == kReservedRecords);
}
