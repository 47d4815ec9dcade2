// A manager with a small host behind it, and a client that speaks to it.
#pragma once

#include <map>
#include <set>

#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {

/// Knows the properties of some units of the host.
class Source final : public PropertySource {
 public:
  std::map<std::string, std::vector<Property>> known;
  int asked = 0;

  Result<std::string> unit_properties(const std::string& unit, const std::string&) override {
    ++asked;
    if (!known.contains(unit)) return fail("unknown");
    DbusWriter out;
    write_properties(out, "", known[unit]);
    return out.take();
  }
  Result<std::string> unit_processes(const std::string&) override { return fail("none"); }
};

class Finder final : public UnitFileFinder {
 public:
  std::map<std::string, UnitFile> files;

  std::optional<UnitFile> find(const std::string& name) override {
    const auto found = files.find(name);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  }
  bool has_process(std::uint32_t process) override { return processes.contains(process); }
  std::set<std::uint32_t> processes;
  void add(const std::string& name, const std::string& text) {
    UnitFile file;
    file.id = name;
    file.path = "/lib/systemd/system/" + name;
    apply_unit_file(file, text);
    files[name] = file;
  }
};

class Editor final : public UnitFileEditor {
 public:
  std::vector<std::pair<std::uint64_t, std::vector<std::string>>> asked;
  void run(std::uint64_t ticket, std::vector<std::string> words) override {
    asked.emplace_back(ticket, std::move(words));
  }
};

struct World {
  World() {
    host.system_state = "running";
    host.version = "252";
    DbusWriter properties;
    write_properties(
        properties, "",
        std::vector<Property>{text_property("Version", "252"), text_property("SystemState", "running")});
    host.properties = properties.take();
    for (const char* id : {"web.service", "app.service"})
      host.units.push_back({id, "Title", "loaded", "active", "running", ""});
    host.units.push_back({"bad.service", "Bad", "loaded", "failed", "failed", ""});
    source.known["web.service"] = {text_property("Id", "web.service"), text_property("ActiveState", "active"),
                                   boolean_property("CanReload", true),
                                   names_property("ConsistsOf", std::vector<std::string>{"app.service"}),
                                   uint32_property("MainPID", 7)};
    source.known["app.service"] = {text_property("Id", "app.service"), boolean_property("CanReload", false)};
  }
  HostUnits host;
  Source source;
  Finder finder;
  Editor editor;
};

/// A client that has shaken hands.
class Client {
 public:
  explicit Client(Manager& manager, pid_t process = 1)
      : manager_(manager), id_(*manager.connect({process, 0})) {
    using namespace std::string_view_literals;
    manager_.receive(id_, "\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"sv);
    manager_.sent(id_, manager_.output(id_).size());
  }
  Manager::ConnectionId id() const { return id_; }

  Message request(std::string_view member, std::string signature, std::string body) {
    Message call;
    call.serial = ++serial_;
    call.path = kManagerPath;
    call.interface = "org.freedesktop.systemd1.Manager";
    call.member = member;
    call.signature = std::move(signature);
    call.body = std::move(body);
    return call;
  }
  void send(const Message& call) { manager_.receive(id_, marshal(call)); }

  std::vector<Message> receive() {
    std::vector<Message> messages;
    std::string output(manager_.output(id_));
    manager_.sent(id_, output.size());
    while (!output.empty()) {
      const std::size_t size = *message_size(output, 1U << 24U);
      messages.push_back(*unmarshal(std::string_view(output).substr(0, size)));
      output.erase(0, size);
    }
    return messages;
  }

  /// GetAll of all interfaces: as systemctl show does.
  std::string all(const std::string& unit, Editor& editor) {
    Message call = request("GetAll", "s", DbusWriter().string("").take());
    call.path = unit_path(unit);
    call.interface = "org.freedesktop.DBus.Properties";
    send(call);
    if (manager_.waits_for_edit(id_))
      manager_.answer(editor.asked.back().first, {0, unit + " enabled enabled\n", ""});
    const auto messages = receive();
    return messages.empty() ? std::string() : messages.front().body;
  }

  /// Members and errors of what is answered, one a word.
  std::string job(std::string_view member, const std::string& unit, const std::string& mode = "replace") {
    send(request(member, "ss", DbusWriter().string(unit).string(mode).take()));
    std::string said;
    for (const Message& message : receive()) {
      said += message.type == MessageType::kSignal  ? message.member
              : message.type == MessageType::kError ? message.error_name
                                                    : "reply";
      said += ' ';
    }
    return said;
  }

  std::string property(const std::string& unit, const std::string& name, std::string interface = "Unit") {
    if (name == "MainPID") interface = "Service";
    Message call = request("Get", "ss",
                           DbusWriter().string("org.freedesktop.systemd1." + interface).string(name).take());
    call.path = unit.empty() ? std::string(kManagerPath) : unit_path(unit);
    call.interface = "org.freedesktop.DBus.Properties";
    send(call);
    const auto messages = receive();
    if (messages.empty()) return "nothing";
    if (messages.front().type == MessageType::kError) return messages.front().error_name;
    DbusReader reader = messages.front().reader();
    const std::string_view type = reader.enter_variant();
    return type == "s"   ? std::string(reader.string())
           : type == "u" ? std::to_string(reader.uint32())
                         : std::string(type);
  }

 private:
  Manager& manager_;
  Manager::ConnectionId id_;
  std::uint32_t serial_ = 0;
};

}  // namespace rehearse::units
