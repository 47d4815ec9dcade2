// Serves the service manager of src/units on a socket, for real clients: systemctl, service, systemd-run.
//   manager_server LISTEN RECORDS ROOT (--host SOCKET | --units FILE)
// LISTEN: socket to make; RECORDS: gets one JSON object a request, with whether the unit has a file in
// /run/systemd/system then; ROOT: whose unit files count. The units
// are those of the manager at SOCKET, or of FILE: lines "ID LOAD ACTIVE SUB DESCRIPTION". Ends on SIGTERM, or
// with its parent.
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <sstream>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "base/sys.h"
#include "units/client_loop.h"
#include "units/manager.h"
#include "units/unit_directory.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

/// Knows nothing: units of a file have no properties.
class NoSource final : public PropertySource {
 public:
  Result<std::string> unit_properties(const std::string&, const std::string&) override {
    return fail("no host");
  }
  Result<std::string> unit_processes(const std::string&) override { return fail("no host"); }
};

/// Runs systemctl here, one after the other, when the loop comes round.
class Editor final : public UnitFileEditor {
 public:
  void run(std::uint64_t ticket, std::vector<std::string> words) override {
    work_.emplace_back(ticket, std::move(words));
  }

  void work(Manager& manager) {
    while (!work_.empty()) {
      const auto [ticket, words] = std::move(work_.front());
      work_.pop_front();
      manager.answer(ticket, execute(words));
    }
  }

 private:
  static EditAnswer execute(const std::vector<std::string>& words) {
    EditAnswer answer;
    auto out = sys::memfd("out", 0);
    auto err = sys::memfd("err", 0);
    if (!out || !err) return answer;
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(out->get(), STDOUT_FILENO);
      ::dup2(err->get(), STDERR_FILENO);
      ::setenv("LC_ALL", "C", 1);
      ::setenv("SYSTEMCTL_SKIP_SYSV", "1", 1);
      std::vector<const char*> argv = {"systemctl", "--root=/"};
      for (const std::string& word : words) argv.push_back(word.c_str());
      argv.push_back(nullptr);
      ::execvp("systemctl", const_cast<char* const*>(argv.data()));
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) answer.exit = WEXITSTATUS(status);
    answer.out = content(out->get());
    answer.err = content(err->get());
    return answer;
  }
  static std::string content(int fd) {
    ::lseek(fd, 0, SEEK_SET);
    return sys::read_all(fd).value_or("");
  }

  std::deque<std::pair<std::uint64_t, std::vector<std::string>>> work_;
};

HostUnits units_of(const std::string& text) {
  HostUnits host;
  host.version = "252.1";
  host.system_state = "running";
  host.read_at_ns = realtime_ns();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    HostUnit unit;
    words >> unit.id >> unit.load_state >> unit.active_state >> unit.sub_state;
    std::getline(words >> std::ws, unit.description);
    host.units.push_back(std::move(unit));
  }
  DbusWriter properties;
  write_properties(
      properties, "",
      std::vector<Property>{text_property("Version", host.version), text_property("SystemState", "running"),
                            uint32_property("NFailedUnits", 0), uint32_property("NNames", 0),
                            uint32_property("NJobs", 0), names_property("Environment", {})});
  host.properties = properties.take();
  return host;
}

void write_records(Manager& manager, int file) {
  std::string lines;
  for (const UnitRequest& request : manager.take_requests()) {
    JsonWriter json(lines);
    json.open_object()
        .bytes("unit", request.unit)
        .bytes("request", request.request)
        .bytes("mode", request.mode);
    json.key("answered").string(to_string(request.answered)).bytes("detail", request.detail);
    json.key("process").integer(std::int64_t{request.process}).key("also").open_array();
    for (const std::string& also : request.also) json.string(to_utf8_lossy(also));
    const std::string unit_file = "/run/systemd/system/" + request.unit;
    json.close_array().key("file").boolean(::access(unit_file.c_str(), F_OK) == 0).close_object();
    lines += '\n';
  }
  (void)sys::write_all(file, lines);
}

Result<UniqueFd> listen_at(const char* path) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(static_cast<char*>(address.sun_path), path, sizeof address.sun_path - 1);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(listener.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 64) != 0) {
    return sys::last_error("bind", path);
  }
  return listener;
}

void run(Manager& manager, Editor& editor, UniqueFd listener, int records) {
  ClientLoop clients(manager, std::move(listener), 0, [](pid_t process) { return process; });
  for (;;) {
    std::vector<struct pollfd> polls;
    clients.add_polls(polls);
    if (::poll(polls.data(), polls.size(), clients.patience()) < 0) continue;
    clients.serve(polls);
    editor.work(manager);
    clients.flush();
    write_records(manager, records);
  }
}

int fail_with(const Error& error) {
  std::fprintf(stderr, "manager_server: %s\n", error.what.c_str());
  return static_cast<int>(error.exit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 64;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  NoSource none;
  std::optional<HostManager> connection;
  HostUnits host;
  if (std::string_view(argv[4]) == "--host") {
    const std::int64_t deadline = monotonic_ns() + 300'000'000;
    auto opened = HostManager::connect(argv[5], deadline);
    if (!opened) return fail_with(opened.error());
    connection.emplace(std::move(*opened));
    auto read = connection->read(deadline);
    if (!read) return fail_with(read.error());
    host = std::move(*read);
    std::fprintf(stderr, "read %zu units in %s ms\n", host.units.size(),
                 std::to_string(static_cast<double>(host.took_ns) / 1e6).c_str());
  } else {
    auto text = sys::read_file(argv[5]);
    if (!text) return fail_with(text.error());
    host = units_of(*text);
  }
  auto root = sys::open(argv[3], O_PATH | O_DIRECTORY);
  auto listener = listen_at(argv[1]);
  auto records = sys::open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!root || !listener || !records)
    return fail_with((!root ? root.error() : !listener ? listener.error() : records.error()));
  UnitDirectory finder(std::move(*root));
  Editor editor;
  PropertySource& source = connection ? static_cast<PropertySource&>(*connection) : none;
  Manager manager(std::move(host), source, finder, editor);
  run(manager, editor, std::move(*listener), records->get());
}
