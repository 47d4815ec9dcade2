#include "rehearsal/gate_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/fd.h"
#include "base/sys.h"
#include "gate/door.h"
#include "gate/kernel_rules.h"
#include "gate/rule_text.h"
#include "gate/run_sockets.h"
#include "gate/socket_address.h"
#include "trace/programs.h"
#include "trace/session.h"

namespace rehearse {
namespace {

constexpr int kPatience = 20'000;  ///< milliseconds, for all of it
constexpr int kConnectPatience = 2'000;
constexpr std::uint16_t kPort = 9;
// What the one who has tried it says.
constexpr const char* kHears = "local sockets ";
constexpr const char* kKeepsOut = "modules ";
// TEST-NET-1 (RFC 5737): nobody's.
constexpr IpAddress kPassed = IpAddress::v4({192, 0, 2, 1});
constexpr IpAddress kDenied = IpAddress::v4({192, 0, 2, 2});

enum Finding : int { kWorks = 0, kNoNamespace = 1, kNotDenied = 2, kNotTaken = 3 };

/// A control group beside those of runs; removed at the end.
class Group {
 public:
  static Result<Group> create(const host::Cgroups& cgroups) {
    if (cgroups.v2_mount.empty())
      return fail("there is no cgroup v2 mounted to try it in", ExitCode::kUnavailable,
                  "mount -t cgroup2 none /sys/fs/cgroup");
    Group group;
    const std::string parent = cgroups.v2_mount + "/rehearse";
    group.made_parent_ = sys::mkdir_at(AT_FDCWD, parent.c_str(), 0755).has_value();
    group.path_ = fmt::format("{}/doctor-{}", parent, ::getpid());
    RH_CHECK(sys::mkdir_at(AT_FDCWD, group.path_.c_str(), 0755));
    RH_TRY(group.fd_, sys::open(group.path_.c_str(), O_RDONLY | O_DIRECTORY));
    return group;
  }
  Group(Group&& other) noexcept
      : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)), made_parent_(other.made_parent_) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  Group& operator=(Group&&) = delete;
  ~Group() {
    if (path_.empty()) return;
    (void)sys::write_file_at(fd_.get(), "cgroup.kill", "1");
    for (int i = 0; i < 1000 && ::rmdir(path_.c_str()) != 0 && errno == EBUSY; ++i) ::usleep(1000);
    if (made_parent_) (void)::rmdir(path_.substr(0, path_.rfind('/')).c_str());
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Group() = default;
  std::string path_;
  UniqueFd fd_;
  bool made_parent_ = false;
};

bool raise_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

/// 0, or the errno that a connection ends with; ETIMEDOUT if it does not.
int try_to_connect(const IpAddress& address) {
  const gate::SocketAddress to = gate::socket_address(address, kPort);
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), to.get(), to.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  struct pollfd waiting = {socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, kConnectPatience) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Finding look() {
  if (try_to_connect(kDenied) != EPERM) return kNotDenied;
  return try_to_connect(kPassed) == 0 ? kWorks : kNotTaken;
}

/// The one inside. Sockets belong to the control group that their process was born in: a child of it looks.
[[noreturn]] void be_inside(int group, const sys::Pipe& ready, const sys::Pipe& go) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char byte = 0;
  if (!sys::write_file_at(group, "cgroup.procs", "0") || !sys::unshare(CLONE_NEWNET) || !raise_loopback() ||
      !sys::write_all(ready.write.get(), "x") || ::read(go.read.get(), &byte, 1) != 1)
    ::_exit(kNoNamespace);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(look());
  int status = 0;
  (void)::waitpid(child, &status, 0);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : kNoNamespace);
}

/// As the gate's worker does: lets in the one who waits.
void keep_door(const gate::RunSockets& sockets) {
  struct pollfd waiting = {sockets.syn4.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kConnectPatience) <= 0) return;
  const gate::Door door(sockets);
  bool more = true;
  if (const auto knock = door.next(sockets.syn4.get(), more)) door.let_in(*knock);
}

Result<void> tell(int status) {
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : kNoNamespace) {
    case kWorks:
      return {};
    case kNotDenied:
      return fail("the hooks on socket addresses did not deny a connection");
    case kNotTaken:
      return fail("a connection did not arrive at the gate's socket");
    default:
      return fail("a network namespace could not be made to try it in");
  }
}

Result<GateAbilities> try_gate(const host::Cgroups& cgroups) {
  // Without pins the programs are this process's own and go with it.
  RH_CHECK(sys::unshare(CLONE_NEWNS));
  RH_CHECK(sys::make_private_recursive());
  if (::access(trace::kBpfFilesystem, F_OK) == 0 &&
      ::mount("tmpfs", trace::kBpfFilesystem, "tmpfs", 0, nullptr) != 0)
    return sys::last_error("mount", trace::kBpfFilesystem);
  RH_TRY(auto group, Group::create(cgroups));
  RH_TRY(auto store, sys::memfd("trace", 0));
  RH_TRY(auto prepared, trace::prepare());
  RH_TRY(const auto session, trace::Session::begin(group.fd(), std::move(store), {}, std::move(prepared)));
  RH_TRY(auto ready, sys::pipe(O_CLOEXEC));
  RH_TRY(auto go, sys::pipe(O_CLOEXEC));
  const pid_t inside = ::fork();
  if (inside < 0) return sys::last_error("fork");
  if (inside == 0) be_inside(group.fd(), ready, go);
  std::optional<gate::RunSockets> sockets;  // until the one inside has looked
  char byte = 0;
  ready.write.reset();
  if (::read(ready.read.get(), &byte, 1) == 1) {
    gate::RunNetwork network;
    RH_TRY(const auto netns, sys::open(fmt::format("/proc/{}/ns/net", inside).c_str(), O_RDONLY));
    network.netns = netns.get();
    network.packet_program = session->packet_program();
    network.packet_class = session->packet_class();
    RH_TRY(sockets, gate::open_run_sockets(network));
    gate::Rules rules;
    rules.otherwise.error = EPERM;
    RH_TRY(auto pass, gate::parse_pass(fmt::format("tcp:{}:{}", format_ip(kPassed), kPort)));
    rules.pass.push_back(std::move(pass));
    RH_TRY(const auto kernel, gate::flatten(rules));
    gate::switch_on(kernel, session->gate());
    RH_CHECK(sys::write_all(go.write.get(), "x"));
    keep_door(*sockets);
  }
  go.write.reset();
  int status = 0;
  if (::waitpid(inside, &status, 0) < 0) return sys::last_error("waitpid");
  const GateAbilities abilities = {session->hears_local_sockets(), session->keeps_modules_out()};
  (void)session->finish();
  RH_CHECK(tell(status));
  return abilities;
}

}  // namespace

Result<GateAbilities> probe_gate(const host::Cgroups& cgroups) {
  RH_TRY(auto said, sys::pipe(O_CLOEXEC));
  const pid_t child = ::fork();
  if (child < 0) return sys::last_error("fork");
  if (child == 0) {
    const auto worked = try_gate(cgroups);
    std::string text = worked ? "" : worked.error().what;
    if (worked && worked->hears_local_sockets) text += kHears;
    if (worked && worked->keeps_modules_out) text += kKeepsOut;
    (void)sys::write_all(said.write.get(), text);
    ::_exit(worked ? 0 : 1);
  }
  said.write.reset();
  std::string text(1024, '\0');
  struct pollfd waiting = {said.read.get(), POLLIN, 0};
  const bool ended = ::poll(&waiting, 1, kPatience) > 0;
  if (!ended) ::kill(child, SIGKILL);
  const ssize_t size = ended ? ::read(said.read.get(), text.data(), text.size()) : 0;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return GateAbilities{text.contains(kHears), text.contains(kKeepsOut)};
  return fail(text.empty() ? "the attempt did not end" : text);
}

}  // namespace rehearse
