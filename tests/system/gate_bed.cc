// Runs a command in a network namespace of its own behind a gate, and nothing else of a rehearsal: what the
// gate's tests and measurements stand on. Needs root.
//
//   gate_bed [--mock FILE] [--pass TEXT]... [--deny TEXT]... [--replay FILE] [--exchanges FILE] [--ca FILE]
//            --log FILE -- COMMAND...
//
// The worker's process id is in the command's environment as GATE_WORKER, on the host's side.
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/sys.h"
#include "gate/kernel_rules.h"
#include "gate/mock_file.h"
#include "gate/recording.h"
#include "gate/replay.h"
#include "gate/rule_text.h"
#include "gate/run_sockets.h"
#include "gate/worker.h"
#include "host/cgroups.h"
#include "trace/session.h"

using namespace rehearse;

namespace {

struct Options {
  std::string mock;
  std::vector<std::string> pass;
  std::vector<std::string> deny;
  std::string replay;
  std::string exchanges;
  std::string ca;
  std::string log;
  std::vector<char*> command;
};

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--") {
      options.command.assign(argv + i + 1, argv + argc);
      options.command.push_back(nullptr);
      return options;
    }
    const std::string value = argv[++i];
    if (name == "--mock") options.mock = value;
    if (name == "--pass") options.pass.push_back(value);
    if (name == "--deny") options.deny.push_back(value);
    if (name == "--replay") options.replay = value;
    if (name == "--exchanges") options.exchanges = value;
    if (name == "--ca") options.ca = value;
    if (name == "--log") options.log = value;
  }
  return std::nullopt;
}

/// A control group of the run's, beside those of other runs; removed at the end.
class Group {
 public:
  static Result<Group> create() {
    RH_TRY(const host::Cgroups cgroups, host::read_cgroups());
    const std::string parent = cgroups.v2_mount + "/rehearse";
    (void)sys::mkdir_at(AT_FDCWD, parent.c_str(), 0755);
    Group group;
    group.path_ = fmt::format("{}/gate-bed-{}", parent, ::getpid());
    RH_CHECK(sys::mkdir_at(AT_FDCWD, group.path_.c_str(), 0755));
    RH_TRY(group.fd_, sys::open(group.path_.c_str(), O_RDONLY | O_DIRECTORY));
    return group;
  }
  Group(Group&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  Group& operator=(Group&&) = delete;
  ~Group() {
    if (path_.empty()) return;
    kill();
    for (int i = 0; i < 1000 && ::rmdir(path_.c_str()) != 0; ++i) ::usleep(1000);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  void kill() { (void)sys::write_file_at(fd_.get(), "cgroup.kill", "1"); }

 private:
  Group() = default;
  std::string path_;
  UniqueFd fd_;
};

/// Names that the host's own file knows are to be asked for.
bool forget_hosts() {
  return sys::unshare(CLONE_NEWNS) && sys::make_private_recursive() &&
         ::mount("/dev/null", "/etc/hosts", nullptr, MS_BIND, nullptr) == 0;
}

bool bring_loopback_up() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

/// Tells when its namespace is there, waits, and runs the command in a child: sockets are of the control
/// group that their process was born in, as far as the hooks go.
[[noreturn]] void be_command(int group, const sys::Pipe& ready, const sys::Pipe& go, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char worker[16] = {};
  if (!sys::write_file_at(group, "cgroup.procs", "0") || !sys::unshare(CLONE_NEWNET) ||
      !bring_loopback_up() || !forget_hosts() || !sys::write_all(ready.write.get(), "x") ||
      ::read(go.read.get(), worker, sizeof worker - 1) <= 0)
    ::_exit(125);
  ::setenv("GATE_WORKER", worker, 1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(argv[0], argv);
    std::perror(argv[0]);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

Result<int> run(Options& options) {
  gate::MockFile file;
  if (!options.mock.empty()) {
    RH_TRY(const auto text, sys::read_file(options.mock.c_str()));
    RH_TRY(file, gate::parse_mock_file(text, options.mock, gate::FileKind::kMock, AT_FDCWD));
  }
  for (const auto& text : options.pass) {
    RH_TRY(auto rule, gate::parse_pass(text));
    file.rules.pass.push_back(std::move(rule));
  }
  for (const auto& text : options.deny) {
    RH_TRY(auto rule, gate::parse_deny(text));
    file.rules.deny.push_back(std::move(rule));
  }
  gate::Replay replay;
  if (!options.replay.empty()) {
    RH_TRY(const auto recorded, sys::open(options.replay.c_str(), O_RDONLY));
    RH_TRY(auto exchanges, gate::read_exchanges(recorded.get()));
    replay = gate::Replay(std::move(exchanges.exchanges), options.replay);
    replay.add_to(file.rules);
  }
  RH_TRY(const auto kernel_rules, gate::flatten(file.rules));
  RH_TRY(const auto zone, gate::DnsZone::create(file.dns));
  RH_TRY(auto authority, gate::CertificateAuthority::create("gate-bed", realtime_ns()));
  if (!options.ca.empty()) {
    RH_TRY(const auto ca, sys::open(options.ca.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    RH_CHECK(sys::write_all(ca.get(), authority.pem()));
  }
  RH_TRY(const auto log, sys::open(options.log.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644));
  UniqueFd exchanges;
  if (!options.exchanges.empty()) {
    RH_TRY(exchanges, sys::open(options.exchanges.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644));
  }

  RH_TRY(auto group, Group::create());
  RH_TRY(auto store, sys::memfd("trace", 0));
  RH_TRY(auto prepared, trace::prepare());
  RH_TRY(const auto session, trace::Session::begin(group.fd(), std::move(store), {}, std::move(prepared)));
  RH_TRY(const auto ready, sys::pipe(O_CLOEXEC));
  RH_TRY(auto go, sys::pipe(O_CLOEXEC));
  const pid_t command = ::fork();
  if (command == 0) be_command(group.fd(), ready, go, options.command.data());
  char byte = 0;
  if (::read(ready.read.get(), &byte, 1) != 1) return fail("the command's namespace cannot be made");
  RH_TRY(const auto netns, sys::open(fmt::format("/proc/{}/ns/net", command).c_str(), O_RDONLY));
  gate::RunNetwork network;
  network.netns = netns.get();
  network.packet_program = session->packet_program();
  network.packet_class = session->packet_class();
  RH_TRY(const auto sockets, gate::open_run_sockets(network));
  gate::switch_on(kernel_rules, session->gate());

  gate::EngineSetup setup;
  setup.rules = &file.rules;
  setup.rule_names = &kernel_rules.names;
  setup.zone = &zone;
  setup.kernel = &session->gate();
  setup.authority = &authority;
  setup.log = log.get();
  setup.exchanges = exchanges.get();
  setup.begun_ns = monotonic_ns();
  RH_TRY(auto worker, gate::Worker::start(setup));
  RH_CHECK(worker.serve(sockets));
  RH_CHECK(sys::write_all(go.write.get(), std::to_string(worker.pid())));
  int status = 0;
  if (::waitpid(command, &status, 0) < 0) return sys::last_error("waitpid");
  group.kill();
  RH_CHECK(worker.finish());
  (void)session->finish();
  RH_TRY(const auto seen, gate::read_gate_log(log.get()));
  if (!seen.totals) return fail("the log has no totals");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  auto options = parse_options(argc, argv);
  if (!options || options->log.empty()) return 64;
  const auto result = run(*options);
  if (result) return *result;
  fmt::print(stderr, "gate_bed: {} {}\n", result.error().what, result.error().fix);
  return result.error().exit == ExitCode::kUnavailable ? 77 : 1;
}
