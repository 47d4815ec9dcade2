// A client of the service manager inside: all that one connection sends, and the output of the systemctl that
// it has run. Nothing but well-formed messages comes back, and what is kept stays within its bounds.
#include <array>

#include "fuzz.h"
#include "units/dbus_message.h"
#include "units/manager.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

class Source final : public PropertySource {
 public:
  Result<std::string> unit_properties(const std::string& unit, const std::string&) override {
    DbusWriter out;
    write_properties(out, "",
                     std::vector<Property>{text_property("Id", unit), text_property("ActiveState", "active"),
                                           boolean_property("CanReload", true),
                                           names_property("ConsistsOf", std::vector<std::string>{
                                                                            "app.service", "web.service"})});
    return out.take();
  }
  Result<std::string> unit_processes(const std::string&) override { return fail("none"); }
};

/// Every unit but one has the same file, whose text the fuzzer chooses.
class Finder final : public UnitFileFinder {
 public:
  explicit Finder(std::string_view text) : text_(text) {}
  std::optional<UnitFile> find(const std::string& name) override {
    if (name == "absent.service") return std::nullopt;
    UnitFile file;
    file.id = name;
    file.path = "/lib/systemd/system/" + name;
    apply_unit_file(file, text_);
    add_default_dependencies(file);
    file.bad_setting = has_bad_setting(file);
    return file;
  }
  bool has_process(std::uint32_t process) override { return process % 2 != 0; }

 private:
  std::string_view text_;
};

class Editor final : public UnitFileEditor {
 public:
  std::vector<std::uint64_t> tickets;
  void run(std::uint64_t ticket, std::vector<std::string> words) override {
    FUZZ_REQUIRE(!words.empty());
    tickets.push_back(ticket);
  }
};

HostUnits host() {
  HostUnits units;
  units.system_state = "running";
  for (const char* id : {"web.service", "app.service", "sysinit.target", "system.slice"}) {
    units.units.push_back({id, "Title", "loaded", "active", "running", ""});
  }
  return units;
}

void check_output(std::string_view output) {
  // Behind the handshake's lines.
  while (!output.empty() && output[0] != 'l') {
    const std::size_t end = output.find("\r\n");
    FUZZ_REQUIRE(end != std::string_view::npos);
    output.remove_prefix(end + 2);
  }
  while (!output.empty()) {
    FUZZ_REQUIRE(output.size() >= kMessagePrefix);
    const auto size = message_size(output, output.size());
    FUZZ_REQUIRE(size && unmarshal(output.substr(0, *size)));
    output.remove_prefix(*size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 64U << 10U) return 0;
  fuzz::Bytes bytes(data, size);
  const int status = bytes.byte() % 3 - 1;
  const EditAnswer said{status, bytes.text(), bytes.text()};
  Finder finder(bytes.view());
  Source source;
  Editor editor;
  Manager manager(host(), source, finder, editor);
  const auto id = manager.connect({1, 0});
  FUZZ_REQUIRE(id);
  using namespace std::string_view_literals;
  if (bytes.flag()) manager.receive(*id, "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"sv);
  const std::string_view stream = bytes.rest();
  for (std::size_t at = 0; at < stream.size(); at += 4096) {
    manager.receive(*id, stream.substr(at, 4096));
    while (!editor.tickets.empty()) {
      const std::uint64_t ticket = editor.tickets.back();
      editor.tickets.pop_back();
      manager.answer(ticket, said);
    }
    check_output(manager.output(*id));
    manager.sent(*id, manager.output(*id).size());
  }
  FUZZ_REQUIRE(manager.table().units().size() <= 4 + kMaxOwnUnits);
  for (const UnitRequest& request : manager.take_requests()) FUZZ_REQUIRE(!request.request.empty());
  return 0;
}
