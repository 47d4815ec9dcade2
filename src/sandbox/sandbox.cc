#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/inherited.h"
#include "base/message.h"
#include "base/sys.h"
#include "base/units.h"
#include "sandbox/cgroup.h"
#include "sandbox/child.h"
#include "sandbox/init/protocol.h"
#include "sandbox/init_config.h"
#include "sandbox/layer_builder.h"
#include "sandbox/layer_release.h"
#include "sandbox/private_namespace.h"
#include "sandbox/supervise.h"
#include "sandbox/tree_builder.h"

namespace rehearse::sandbox {
namespace {

/// Kills and reaps PID 1 of the run, and so everything in it, before the cgroups go.
class Init {
 public:
  static Result<Init> start(const Plan& plan, const RunCgroup& cgroup, std::uint64_t room);
  Init(Init&&) = default;
  Init(const Init&) = delete;
  Init& operator=(const Init&) = delete;
  Init& operator=(Init&&) = delete;
  ~Init() {
    if (!process_.pidfd.valid()) return;
    if (!asked_to_quit_) (void)sys::pidfd_signal(process_.pidfd.get(), SIGKILL);
    control_.reset();
    siginfo_t info = {};
    while (::waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), &info, WEXITED) < 0 && errno == EINTR) {
    }
  }

  Result<void> write_id_maps() const;
  [[nodiscard]] Result<UniqueFd> user_namespace() const {
    return sys::open(("/proc/" + std::to_string(process_.pid) + "/ns/user").c_str(), O_RDONLY);
  }
  /// `name`: as in /proc/PID/ns.
  [[nodiscard]] Result<UniqueFd> own_namespace(std::string_view name) const {
    return sys::open(fmt::format("/proc/{}/ns/{}", process_.pid, name).c_str(), O_RDONLY);
  }
  Result<void> tell(InitCommand command) const;
  Result<void> go(std::span<const int> fds) const;
  Result<void> await_ready(const Plan& plan) const;
  /// Nothing but init is left: it may end by itself while the layers are read.
  void quit() {
    asked_to_quit_ = true;
    if (!tell(InitCommand::kQuit)) (void)sys::pidfd_signal(process_.pidfd.get(), SIGKILL);
  }

  [[nodiscard]] int control() const { return control_.get(); }
  UniqueFd take_tools() { return std::move(tools_); }
  [[nodiscard]] int pidfd() const { return process_.pidfd.get(); }
  [[nodiscard]] pid_t pid() const { return process_.pid; }

 private:
  Init() = default;
  Result<UniqueFd> open_tools();

  InitProcess process_;
  UniqueFd control_;
  UniqueFd tools_;
  bool asked_to_quit_ = false;
};

Result<Init> Init::start(const Plan& plan, const RunCgroup& cgroup, std::uint64_t room) {
  Init init;
  RH_TRY(auto image, make_init_image());
  RH_TRY(auto config, make_init_config(plan, room));
  RH_TRY(auto pair, socket_pair(SOCK_SEQPACKET));
  init.control_ = std::move(pair.first);
  // The child moves these to fixed numbers: they must not stand there already.
  RH_TRY(auto control, sys::dup_above(pair.second.get(), 16));
  RH_TRY(auto settings, sys::dup_above(config.get(), 16));
  RH_TRY(auto program, sys::dup_above(image.get(), 16));
  UniqueFd tools;
  if (plan.service_manager) {
    RH_TRY(tools, init.open_tools());
  }
  InitStart start;
  start.image = program.get();
  start.control = control.get();
  start.control_ours = init.control_.get();
  start.config = settings.get();
  start.tools = tools.get();
  start.cgroup = cgroup.fd();
  RH_TRY(const auto v1, cgroup.v1_tasks());
  for (std::size_t i = 0; i < v1.size(); ++i) start.v1_tasks[i] = v1[i].get();
  start.user_namespace = plan.request.profile == Profile::kShifted;
  RH_TRY(init.process_, start_init(start));
  return init;
}

Result<void> Init::write_id_maps() const {
  const std::string directory = "/proc/" + std::to_string(process_.pid);
  const std::string map = "0 " + std::to_string(kIdShift) + ' ' + std::to_string(kIdRange) + '\n';
  for (const char* file : {"/uid_map", "/gid_map"}) {
    if (auto done = sys::write_file_at(AT_FDCWD, (directory + file).c_str(), map); !done) {
      return with_context(done.error(), "cannot write the id map of the user namespace");
    }
  }
  return {};
}

Result<void> Init::tell(InitCommand command) const {
  if (::send(control_.get(), &command, sizeof command, MSG_NOSIGNAL) != sizeof command)
    return sys::last_error("send", "to init");
  return {};
}

Result<void> Init::go(std::span<const int> fds) const {
  constexpr InitCommand kGo = InitCommand::kGo;
  const auto sent = send_message(control_.get(), {reinterpret_cast<const char*>(&kGo), sizeof kGo}, fds);
  if (!sent) return with_context(sent.error(), "to init");
  return {};
}

/// Init's end.
Result<UniqueFd> Init::open_tools() {
  RH_TRY(auto pair, socket_pair(SOCK_SEQPACKET));
  tools_ = std::move(pair.first);
  return sys::dup_above(pair.second.get(), 16);
}

/// init is executing its own image now: nothing shares this memory any more.
Result<void> Init::await_ready(const Plan& plan) const {
  InitMessage message = {};
  ssize_t n = 0;
  do {
    n = ::recv(control_.get(), &message, sizeof message, 0);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof message) return fail("the sandbox's init ended during set-up");
  if (message.event == InitEvent::kFailed)
    return fail_for(message.error, describe(message.step, message.error, plan));
  return {};
}

class Kept final : public Remains {
 public:
  Kept(RunCgroup cgroup, Init init, std::vector<UniqueFd> mounts)
      : cgroup_(std::move(cgroup)), init_(std::move(init)), layers_(std::move(mounts)) {
    init_.quit();
    layers_.begin(init_.pidfd());
  }

 private:
  RunCgroup cgroup_;  // removed after init is gone
  Init init_;
  LayerRelease layers_;
};

/// A private tmpfs for the builder's own mount points, on the run's directory (the working directory).
Result<UniqueFd> mount_stage() {
  RH_TRY(auto context, sys::fs_open("tmpfs"));
  RH_CHECK(sys::fs_set_string(context.get(), "mode", "0700"));
  RH_CHECK(sys::fs_create(context.get()));
  RH_TRY(auto stage, sys::fs_mount(context.get(), 0));
  RH_TRY(auto here, sys::open(".", O_PATH | O_DIRECTORY));
  RH_CHECK(sys::attach_mount(stage.get(), here.get()));
  return stage;
}

struct Built {
  std::vector<LayerEvidence> layers;
  std::vector<verdict::Gap> gaps;
  std::optional<TerminalPair> terminal;
  UniqueFd manager;
};

/// The sandbox's mount tree, built in the private namespace that init was born into.
Result<Built> build_tree(const Plan& plan, LayerBuilder& layers, const Init& init) {
  const bool shifted = plan.request.profile == Profile::kShifted;
  const std::uint32_t shift = shifted ? kIdShift : 0;
  RH_TRY(auto stage, mount_stage());
  layers.use_stage(stage.get());
  RH_CHECK(layers.prepare());
  RH_CHECK(layers.mount_overlays(shift));
  Built built;
  PrivateFilesystems own;
  {
    RH_TRY(auto mounter, MounterIdentity::assume(shift));
    RH_TRY(own, make_private_filesystems(plan, shift));
    if (plan.request.terminal) {
      RH_TRY(built.terminal, open_terminal(plan, own.devpts.get(), shift));
    }
    RH_CHECK(mounter.drop());
  }
  OwnSettings settings = settings_of_host(shifted ? kIdRange : std::numeric_limits<std::uint32_t>::max());
  RH_CHECK(init.await_ready(plan));
  RH_TRY(auto kernel, mount_kernel_filesystems(init.pidfd(), shift, settings));
  RH_CHECK(assemble_tree(plan, layers, own, kernel, stage.get()));
  built.manager = std::move(own.manager);
  built.layers = std::move(layers.evidence());
  built.gaps = layers.gaps();
  for (const OwnSetting& setting : settings) {
    if (setting.differs)
      built.gaps.push_back({fmt::format("/proc/{} is another than on this host", setting.path),
                            "it belongs to a namespace of the run's, where it could not be set",
                            verdict::Level::kYellow});
  }
  return built;
}

/// What the roots of the layers are before the action has put anything into them.
void note_roots(int uppers, std::vector<LayerEvidence>& layers) {
  const std::int64_t earliest = earliest_stamp_ns();
  for (LayerEvidence& layer : layers) {
    const auto st =
        sys::stat_at(uppers, (std::to_string(layer.index) + "/upper").c_str(), AT_SYMLINK_NOFOLLOW);
    if (!st) continue;
    layer.root_blocks = static_cast<std::uint64_t>(st->st_blocks);
    if (to_ns(st->st_ctim) < earliest) layer.root_ctime_ns = to_ns(st->st_ctim);
  }
}

}  // namespace

Result<Rehearsal> rehearse_action(const Plan& plan, const Surroundings& around) {
  const std::int64_t begun = monotonic_ns();
  const bool shifted = plan.request.profile == Profile::kShifted;
  Rehearsal rehearsal;
  Evidence& evidence = rehearsal.evidence;

  raise_limits();
  RH_TRY(auto signals, Signals::create());
  RH_TRY(auto cgroup, RunCgroup::create(around.id, plan, around.facts->cgroups));
  if (around.recorder != nullptr) RH_CHECK(around.recorder->begin(cgroup.fd()));
  if (around.meanwhile != nullptr) around.meanwhile->start();
  LayerBuilder layers(plan, around.bundle, around.base);
  RH_CHECK(layers.clone_host());
  RH_TRY(auto uppers, sys::open_beneath(around.bundle, "uppers", O_RDONLY | O_DIRECTORY));
  RH_TRY(auto writes, WriteLimit::create(uppers.get(), plan.request.limits.write_bytes));

  RH_TRY(auto builder, PrivateNamespace::enter(around.bundle));
  RH_TRY(auto init, Init::start(plan, cgroup, writes.room()));
  UniqueFd userns;
  if (shifted) {
    RH_CHECK(init.write_id_maps());
    RH_TRY(userns, init.user_namespace());
  }
  RH_CHECK(init.tell(InitCommand::kMapped));
  std::unique_ptr<Recorder::Entry> network;
  if (around.recorder != nullptr) {
    auto space = init.own_namespace("net");
    if (!space) RH_CHECK(init.await_ready(plan));  // it has failed, and says at what
    if (!space) return tl::make_unexpected(space.error());
    RH_TRY(network, around.recorder->enter(std::move(*space)));
  }
  layers.use_user_namespace(userns.get());
  RH_TRY(auto built, build_tree(plan, layers, init));
  if (network) RH_CHECK(network->finish());  // a thread of it may share this one's directories until then
  RH_CHECK(builder.leave());
  if (around.meanwhile != nullptr) RH_CHECK(around.meanwhile->finish());
  UniqueFd manager;  // until init listens on it
  if (built.manager.valid()) {
    RH_TRY(manager, sys::dup(built.manager.get()));
    RH_TRY(auto process, sys::dup(init.pidfd()));
    RH_TRY(auto mounts, init.own_namespace("mnt"));
    RH_CHECK(around.manager->begin(std::move(built.manager), std::move(process), std::move(mounts),
                                   init.take_tools()));
  }

  auto relay = built.terminal ? Relay::terminal(around.streams, std::move(built.terminal->master),
                                                std::move(built.terminal->slave))
                              : Relay::pipes(around.streams, action_ids(plan));
  if (!relay) return tl::make_unexpected(relay.error());
  std::vector<int> inside(relay->child_ends(), relay->child_ends() + 3);
  if (manager.valid()) inside.push_back(manager.get());
  note_roots(uppers.get(), built.layers);
  writes.begin();
  RH_CHECK(init.go(inside));
  manager.reset();
  evidence.build_ns = monotonic_ns() - begun;

  Supervision run;
  run.limits = &plan.request.limits;
  run.control = init.control();
  run.init_pidfd = init.pidfd();
  run.init_pid = init.pid();
  run.cgroup = &cgroup;
  run.relay = &*relay;
  run.writes = &writes;
  run.signals = &signals;
  run.stop = around.stop;
  run.recorder = around.recorder;
  run.after = around.after;
  RH_CHECK(supervise(plan, run, evidence));

  evidence.layers = std::move(built.layers);
  for (const GivenBack& file : writes.give_back()) {
    for (const LayerEvidence& layer : evidence.layers) {
      if (file.layer != std::to_string(layer.index)) continue;
      evidence.unobserved.push_back(layer.seen_at(file.path) + ": its content is not kept, the " +
                                    format_bytes(file.bytes) +
                                    " that it took are given back to the state directory's filesystem");
    }
  }
  evidence.gaps = std::move(built.gaps);
  for (const std::string& what : cgroup.unenforced()) {
    evidence.gaps.push_back({"no limit of " + what,
                             "this host has no controller for it; see `rehearse doctor`",
                             verdict::Level::kYellow});
  }
  evidence.limit_notes = cgroup.notes();
  evidence.limit_notes.push_back(writes.note());
  rehearsal.remains = std::make_unique<Kept>(std::move(cgroup), std::move(init), layers.take_mounts());
  return rehearsal;
}

}  // namespace rehearse::sandbox
