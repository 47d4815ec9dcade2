// What `show`, `status` and the lists of timers and sockets read of units that the host has not loaded.
#include <catch2/catch.hpp>

#include "base/clock.h"
#include "manager_world.h"
#include "units/type_properties.h"
#include "units/unit_settings.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

std::uint64_t number(const Property& property) {
  return property.signature == "t" ? DbusReader(property.value, "t").uint64() : 0;
}

}  // namespace

TEST_CASE("a new timer has what list-timers asks for") {
  World world;
  world.finder.add("new.timer", "[Timer]\nOnActiveSec=1h\nOnCalendar=daily\n");
  world.finder.add("new.service", "[Service]\nExecStart=/bin/true\n");
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  CHECK(client.job("StartUnit", "new.timer") == "JobNew reply JobRemoved ");
  for (const char* name :
       {"NextElapseUSecRealtime", "NextElapseUSecMonotonic", "LastTriggerUSec", "LastTriggerUSecMonotonic"})
    CHECK(client.property("new.timer", name, "Timer") == "t");
  CHECK(client.property("new.timer", "Unit", "Timer") == "new.service");
  const std::string started = client.all("new.timer", world.editor);
  CHECK(number(find_property(started, "NextElapseUSecMonotonic")) > 3'500'000'000);
  CHECK(find_property(started, "TimersMonotonic").signature == "a(stt)");
  CHECK(find_property(started, "TimersCalendar").signature == "a(sst)");
  CHECK(as_names(find_property(started, "Triggers")) == std::vector<std::string>{"new.service"});
  CHECK(as_names(find_property(client.all("new.service", world.editor), "TriggeredBy")) ==
        std::vector<std::string>{"new.timer"});
}

TEST_CASE("a timer of the host has no next run once it is stopped") {
  World world;
  world.host.units.push_back({"old.timer", "Old", "loaded", "active", "waiting", ""});
  world.source.known["old.timer"] = {text_property("Id", "old.timer"),
                                     uint64_property("NextElapseUSecRealtime", 5),
                                     uint64_property("NextElapseUSecMonotonic", 7)};
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  CHECK(number(find_property(client.all("old.timer", world.editor), "NextElapseUSecRealtime")) == 5);
  client.job("StopUnit", "old.timer");
  const std::string stopped = client.all("old.timer", world.editor);
  for (const char* name : {"NextElapseUSecRealtime", "NextElapseUSecMonotonic"})
    CHECK(number(find_property(stopped, name)) == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("new sockets, paths and automounts have what their lists ask for") {
  World world;
  world.finder.add("new.socket", "[Socket]\nListenStream=/run/new\nListenDatagram=53\nAccept=yes\n");
  world.finder.add("new.path", "[Path]\nPathExists=/x\nUnit=app.service\n");
  world.finder.add("new.automount", "[Automount]\nWhere=/new\n");
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  for (const char* unit : {"new.socket", "new.path", "new.automount"})
    CHECK(client.job("StartUnit", unit) == "JobNew reply JobRemoved ");
  const std::string socket = client.all("new.socket", world.editor);
  const Property listen = find_property(socket, "Listen");
  REQUIRE(listen.signature == "a(ss)");
  DbusReader reader(listen.value, listen.signature);
  reader.enter_array("(ss)");
  REQUIRE(reader.more());
  reader.enter_struct();
  CHECK(reader.string() == "Stream");
  CHECK(reader.string() == "/run/new");
  CHECK(as_boolean(find_property(socket, "Accept")));
  CHECK(as_names(find_property(socket, "Triggers")).empty());
  CHECK(client.property("new.socket", "NConnections", "Socket") == "0");
  CHECK(client.property("new.path", "Paths", "Path") == "a(ss)");
  CHECK(client.property("new.path", "Unit", "Path") == "app.service");
  CHECK(client.property("new.automount", "Where", "Automount") == "/new");
}

TEST_CASE("what a manager knows of every unit has its type where nothing is said") {
  World world;
  DbusWriter properties;
  write_properties(properties, "", std::vector<Property>{uint64_property("DefaultLimitNOFILE", 77)});
  world.host.properties = properties.take();
  world.finder.add("new.service", "[Service]\nExecStart=/bin/true\n");
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  const std::string all = client.all("new.service", world.editor);
  DbusReader whole(all, "a{sv}");
  whole.skip();
  CHECK(whole.done());
  for (const char* interface : {"org.freedesktop.systemd1.Unit", "org.freedesktop.systemd1.Service"}) {
    for (const KnownProperty& known : known_properties(interface))
      CHECK(find_property(all, known.name).signature == known.signature);
  }
  CHECK(number(find_property(all, "LimitNOFILE")) == 77);
  CHECK(client.property("new.service", "NoSuch", "Service") == "org.freedesktop.DBus.Error.UnknownProperty");
}

TEST_CASE("a unit of the host shows what its changed file says, and not what the host's old one said") {
  World world;
  world.source.known["web.service"] = {
      text_property("Id", "web.service"),
      text_property("User", "old"),
      text_property("Restart", "always"),
      uint64_property("MemoryMax", 1),
      uint64_property("RuntimeMaxUSec", 9),
      names_property("Environment", std::vector<std::string>{"OLD=1"}),
      names_property("SystemCallArchitectures", std::vector<std::string>{"native"}),
      {"SystemCallFilter", "(bas)", DbusWriter().boolean(true).strings({}).take()},
      uint32_property("MainPID", 7),
      uint64_property("TasksCurrent", 3)};
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  CHECK(client.property("web.service", "User", "Service") == "old");
  world.finder.add(
      "web.service",
      "[Unit]\nAfter=a.service\nAfter=b.service\n[Service]\nUser=new\nMemoryMax=1.5G\n"
      "Environment=\"A=1 2\" B=3\nSystemCallFilter=@system-service\nExecStart=-/bin/echo 'a b' c\n"
      "[Install]\nWantedBy=multi-user.target\n");
  world.finder.files["web.service"].changed_ns = realtime_ns() + 1;
  client.send(client.request("Reload", "", ""));
  client.receive();
  const std::string all = client.all("web.service", world.editor);
  CHECK(as_text(find_property(all, "User")) == "new");
  CHECK(as_text(find_property(all, "Restart")) == "no");
  CHECK(number(find_property(all, "MemoryMax")) == 1536U << 20U);
  CHECK(number(find_property(all, "RuntimeMaxUSec")) == std::numeric_limits<std::uint64_t>::max());
  CHECK(as_names(find_property(all, "Environment")) == std::vector<std::string>{"A=1 2", "B=3"});
  CHECK(as_names(find_property(all, "SystemCallArchitectures")).empty());
  // What is set and cannot be told is left out.
  CHECK(find_property(all, "SystemCallFilter").signature.empty());
  // How it is goes on being the host's word.
  CHECK(client.property("web.service", "MainPID") == "7");
  CHECK(number(find_property(all, "TasksCurrent")) == 3);
}

TEST_CASE("settings become properties") {
  const auto of = [](const std::string& text, const std::string& name, const std::string& id = "x.service") {
    UnitFile file;
    file.id = id;
    apply_unit_file(file, text);
    Property found;
    for (const std::string& interface : {type_interface(id), std::string(kUnitInterface)}) {
      for (const Property& made : properties_of(file, interface)) {
        if (made.name == name) found = made;
      }
    }
    return found;
  };
  const auto count = [](const Property& property) {
    DbusReader reader(property.value, property.signature);
    reader.enter_array(std::string_view(property.signature).substr(1));
    int elements = 0;
    for (; reader.more(); ++elements) reader.skip();
    CHECK(reader.done());
    return elements;
  };
  CHECK(number(of("[Service]\nTimeoutStopSec=1min 30s\n", "TimeoutStopUSec")) == 90'000'000);
  CHECK(number(of("[Service]\nTimeoutSec=infinity\n", "TimeoutStartUSec")) ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(number(of("[Service]\nLimitNOFILE=5:7\n", "LimitNOFILESoft")) == 5);
  CHECK(number(of("[Service]\nCPUQuota=20%\n", "CPUQuotaPerSecUSec")) == 200'000);
  CHECK(of("[Service]\nUMask=077\n", "UMask").value == DbusWriter().uint32(077).take());
  CHECK(of("[Service]\nKillSignal=SIGINT\n", "KillSignal").value == DbusWriter().int32(2).take());
  CHECK(of("[Service]\nNice=-5\n", "Nice").value == DbusWriter().int32(-5).take());
  CHECK(as_text(of("[Service]\nProtectHome=true\n", "ProtectHome")) == "yes");
  CHECK(as_names(of("[Unit]\nAfter=a.service\nAfter=\nAfter=b.service c.service\n", "After")).size() == 2);
  CHECK(count(of("[Service]\nExecStart=/a b\nExecStart=@/c d e\n", "ExecStart")) == 2);
  CHECK(count(of("[Service]\nExecStart=/a b\nExecStart=\nExecStart=/c\n", "ExecStartEx")) == 1);
  CHECK(count(of("[Service]\nEnvironmentFile=-/etc/x\n", "EnvironmentFiles")) == 1);
  CHECK(count(of("[Timer]\nOnBootSec=5min\nOnUnitActiveSec=1h\n", "TimersMonotonic", "x.timer")) == 2);
  // Not this section's, not this type's, no number.
  CHECK(of("[Unit]\nUser=a\n", "User").name.empty());
  CHECK(of("[Service]\nListenStream=1\n", "Listen").name.empty());
  CHECK(of("[Service]\nMemoryMax=much\n", "MemoryMax").signature.empty());
  for (const char* bad : {"", "1 fortnight", "-1", "1e400s", "99999999999999999999y"})
    CHECK_FALSE(parse_timespan(bad));
  // However much is said, it is bounded.
  std::string many = "[Service]\n";
  for (int i = 0; i < 5000; ++i) many += "ExecStart=/bin/" + std::string(1000, 'x') + "\n";
  CHECK(of(many, "ExecStart").value.size() <= kMaxSettingsBytes);
}

TEST_CASE("files that count only from a daemon-reload on, and why a unit is not loaded") {
  World world;
  world.finder.add("web.service", "[Service]\nExecStart=/bin/true\n");
  world.finder.add("wanted.service", "[Service]\nExecStart=/bin/true\n");
  world.finder.add("bad.timer", "[Timer]\n");
  world.finder.files["bad.timer"].bad_setting = true;
  world.finder.add("careful.service", "[Unit]\nRequisite=wanted.service\n[Service]\nExecStart=/bin/true\n");
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  CHECK(client.job("StartUnit", "bad.timer") == "org.freedesktop.systemd1.BadUnitSetting ");
  CHECK(client.property("bad.timer", "LoadState") == "bad-setting");
  const auto error = [&](const std::string& unit) {
    const Property property = find_property(client.all(unit, world.editor), "LoadError");
    REQUIRE(property.signature == "(ss)");
    DbusReader reader(property.value, "(ss)");
    reader.enter_struct();
    reader.string();
    return std::string(reader.string());
  };
  CHECK(error("bad.timer") == "Unit bad.timer has a bad unit file setting.");
  CHECK(error("absent.service") == "Unit absent.service not found.");
  CHECK(error("careful.service").empty());
  // Whom it depends on is not there, and is not started for it.
  CHECK(client.job("StartUnit", "careful.service") == "JobNew reply JobRemoved ");
  CHECK(client.property("careful.service", "ActiveState") == "inactive");
  manager.take_requests();
  // A link makes it wanted, of a unit of the host too.
  world.finder.files["web.service"].linked_wants = {"wanted.service"};
  client.job("StopUnit", "web.service");
  CHECK(client.job("StartUnit", "web.service") == "JobNew reply JobRemoved ");
  client.send(client.request("Reload", "", ""));
  client.receive();
  client.job("StopUnit", "web.service");
  CHECK(client.job("StartUnit", "web.service") == "JobNew JobNew reply JobRemoved JobRemoved ");
  CHECK(manager.take_requests().back().also == std::vector<std::string>{"start wanted.service"});
  CHECK(as_names(find_property(client.all("wanted.service", world.editor), "WantedBy")) ==
        std::vector<std::string>{"web.service"});
  CHECK(client.job("StartUnit", "careful.service") == "JobNew reply JobRemoved ");
  CHECK(client.property("careful.service", "ActiveState") == "active");
  // An alias that it has been asked for by is one of its names.
  world.finder.files["www.service"] = world.finder.files["wanted.service"];
  CHECK(client.property("www.service", "Id") == "wanted.service");
  CHECK(as_names(find_property(client.all("wanted.service", world.editor), "Names")).size() == 2);
  // One that is enabled, before anybody asks for it.
  world.finder.add("named.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nAlias=n1.service n2.service\n");
  world.finder.files["n1.service"] = world.finder.files["named.service"];
  CHECK(as_names(find_property(client.all("named.service", world.editor), "Names")) ==
        std::vector<std::string>{"named.service", "n1.service"});
}

TEST_CASE("transient units are read in other types than they are set in, and end") {
  World world;
  Manager manager(world.host, world.source, world.finder, world.editor);
  Client client(manager);
  const auto make = [&](const std::string& name, const std::vector<Property>& properties) {
    DbusWriter body;
    body.string(name).string("fail");
    const DbusWriter::Array array = body.open_array('(');
    for (const Property& property : properties)
      write_variant(body.open_struct().string(property.name), property);
    body.close_array(array);
    body.close_array(body.open_array('('));
    client.send(client.request("StartTransientUnit", "ssa(sv)a(sa(sv))", body.take()));
    return client.receive().at(0).error_name;
  };
  DbusWriter command;
  const DbusWriter::Array commands = command.open_array('(');
  command.open_struct().string("/bin/a").strings(std::vector<std::string>{"a", "b"}).boolean(false);
  command.close_array(commands);
  const Property start = {"ExecStart", "a(sasb)", command.take()};
  CHECK(make("stays.service",
             {start, boolean_property("RemainAfterExit", true), text_property("Slice", "own.slice"),
              text_property("NoSuch", "x"), text_property("MemoryMax", "x")})
            .empty());
  const std::string all = client.all("stays.service", world.editor);
  CHECK(find_property(all, "ExecStart").signature == "a(sasbttttuii)");
  CHECK(find_property(all, "MemoryMax").signature == "t");
  CHECK(find_property(all, "NoSuch").signature.empty());
  CHECK(as_text(find_property(all, "UnitFileState")) == "transient");
  CHECK(client.property("stays.service", "SubState") == "exited");
  CHECK(client.property("own.slice", "ActiveState") == "active");
  // A scope lives as long as its processes.
  world.finder.processes = {41};
  DbusWriter pids;
  const DbusWriter::Array numbers = pids.open_array('u');
  pids.uint32(41);
  pids.close_array(numbers);
  const Property processes = {"PIDs", "au", pids.take()};
  CHECK(make("run.scope", {processes}).empty());
  CHECK(client.property("run.scope", "ActiveState") == "active");
  CHECK(make("run.scope", {processes}) == "org.freedesktop.systemd1.UnitExists");
  world.finder.processes.clear();
  CHECK(client.property("run.scope", "ActiveState") == "inactive");
  world.finder.processes = {41};
  CHECK(make("run.scope", {processes}).empty());
}

TEST_CASE("a transient service does not run for ever") {
  World world;
  UnitTable table(world.host, world.source, world.finder);
  Unit* unit = *table.make_transient("brief.service");
  table.start(*unit);
  table.end_transient(unit->active_since_ns + 1'000'000'000);
  CHECK(unit->active());
  table.end_transient(unit->active_since_ns + kTransientService + 1);
  CHECK(unit->active_state == "inactive");
}
