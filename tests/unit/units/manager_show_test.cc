// What `show`, `status` and the lists of timers and sockets read of units that the host has not loaded.
#include <catch2/catch.hpp>

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
