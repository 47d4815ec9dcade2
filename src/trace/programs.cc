#include "trace/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/digest.h"
#include "base/sys.h"
#include "bpf/events.h"
#include "trace/call_plans.h"

// The compiled programs, an ELF object.
extern "C" const char rehearse_bpf_object[];
extern "C" const char rehearse_bpf_object_end[];

namespace rehearse::trace {
namespace {

constexpr std::uint64_t kAllRings = std::uint64_t{64} << 20U;  ///< memory of one run's rings, about
constexpr std::uint32_t kSmallestRing = 256U << 10U;
constexpr const char* kDirectory = "/sys/fs/bpf/rehearse";
constexpr const char* kMaps[] = {"rings", "bells", "gates", "runs"};
constexpr const char* kPrograms[] = {"on_sys_exit", "on_sys_enter", "on_fork",   "on_exec", "on_death",
                                     "on_signal",   "on_rename",    "on_listen", "on_uring"};
/// Not every kernel has io_uring.
constexpr const char* kOptional = "on_uring";

/// Of Linux 6.7; not in the headers of Debian 12.
constexpr auto kUnixConnect = static_cast<enum bpf_attach_type>(49);
constexpr auto kUnixSend = static_cast<enum bpf_attach_type>(50);

struct Hook {
  const char* name;
  enum bpf_attach_type type;
};
constexpr Hook kHooks[] = {
    {"on_connect4", BPF_CGROUP_INET4_CONNECT}, {"on_connect6", BPF_CGROUP_INET6_CONNECT},
    {"on_send4", BPF_CGROUP_UDP4_SENDMSG},     {"on_send6", BPF_CGROUP_UDP6_SENDMSG},
    {"on_bind4", BPF_CGROUP_INET4_BIND},       {"on_bind6", BPF_CGROUP_INET6_BIND},
    {"on_bound4", BPF_CGROUP_INET4_POST_BIND}, {"on_bound6", BPF_CGROUP_INET6_POST_BIND}};
/// Where the kernel has none, the trace tells of local sockets what the caller's memory said.
constexpr Hook kUnixHooks[] = {{"on_unix", kUnixConnect}, {"on_unix_send", kUnixSend}};
constexpr const char* kPackets = "on_loopback";
/// Stays attached once it is: nobody but a run's own processes notices it.
constexpr const char* kModules = "on_module";
constexpr const char* kModulesHook = "security_kernel_module_request";

std::string_view object() {
  return {rehearse_bpf_object, static_cast<std::size_t>(rehearse_bpf_object_end - rehearse_bpf_object)};
}

std::uint32_t ring_bytes_for(unsigned cpus) {
  const auto each = static_cast<std::uint32_t>(std::min<std::uint64_t>(RH_RING_BYTES, kAllRings / cpus));
  return std::max(kSmallestRing, std::bit_floor(each));
}

tl::unexpected<Error> refused(int error, const std::string& what) {
  return fail_errno(error, "system calls cannot be recorded: " + what, ExitCode::kUnavailable,
                    "see `rehearse doctor`");
}

/// Whether the kernel takes a program for this hook: it is asked by giving it one that does nothing.
bool has_hook(enum bpf_attach_type type) {
  const struct bpf_insn program[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1},
                                     {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  struct bpf_prog_load_opts options = {};
  options.sz = sizeof options;
  options.expected_attach_type = type;
  return UniqueFd(::bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "rehearse_probe", "GPL", program,
                                  std::size(program), &options))
      .valid();
}

/// The same for standing in for what the kernel asks before it loads a module. `function`: its BTF id.
bool has_module_hook(int function) {
  const struct bpf_insn program[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                     {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  struct bpf_prog_load_opts options = {};
  options.sz = sizeof options;
  options.expected_attach_type = BPF_MODIFY_RETURN;
  options.attach_btf_id = static_cast<__u32>(function);
  return function > 0 && UniqueFd(::bpf_prog_load(BPF_PROG_TYPE_TRACING, "rehearse_probe", "GPL", program,
                                                  std::size(program), &options))
                             .valid();
}

/// libbpf writes to stderr unless told otherwise; its last line goes into the error.
thread_local std::string libbpf_said;

int keep_line(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  char line[512];
  const int n = std::vsnprintf(line, sizeof line, format, arguments);
  if (n > 0 && libbpf_said.empty())
    libbpf_said.assign(line, std::min<std::size_t>(static_cast<std::size_t>(n), sizeof line - 1));
  while (!libbpf_said.empty() && libbpf_said.back() == '\n') libbpf_said.pop_back();
  return n;
}

struct CloseObject {
  void operator()(struct bpf_object* object) const { ::bpf_object__close(object); }
};
using Object = std::unique_ptr<struct bpf_object, CloseObject>;

bool is_bpf_filesystem() {
  struct statfs st = {};
  return ::statfs(kBpfFilesystem, &st) == 0 && static_cast<std::uint64_t>(st.f_type) == BPF_FS_MAGIC;
}

struct rh_config make_config(std::uint32_t ring_bytes) {
  struct rh_config config = {};
  config.ring_bytes = ring_bytes;
  fill_call_plans(config.calls);
  return config;
}

/// The pins of this build: another build has other programs, or is told something else of the calls.
std::string pin_directory() {
  static const std::string made = [] {
    const int cpus = std::max(1, ::libbpf_num_possible_cpus());
    const struct rh_config config = make_config(ring_bytes_for(static_cast<unsigned>(cpus)));
    Sha256Hasher hasher;
    hasher.update(object());
    hasher.update({reinterpret_cast<const char*>(&config), sizeof config});
    return std::string(kDirectory) + '/' + hex(hasher.finish()).substr(0, 16);
  }();
  return made;
}

/// Everybody may make directories in a BPF filesystem that was mounted by hand: pins are believed only where
/// nobody but root can put any.
Result<UniqueFd> open_own(const char* path) {
  RH_TRY(auto directory, sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RH_TRY(const auto st, sys::stat_fd(directory.get()));
  if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(std::string(path) + " is not root's own", ExitCode::kUnavailable, "remove it");
  return directory;
}

Result<void> lock(int fd, int how) {
  while (::flock(fd, how) != 0) {
    if (errno != EINTR) return sys::last_error("flock", "the recording programs");
  }
  return {};
}

Result<UniqueFd> open_lock(const std::string& directory, const char* name) {
  return sys::open((directory + '/' + name).c_str(), O_RDONLY | O_DIRECTORY);
}

void remove_pins(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(directory.c_str()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entry->d_type == DT_DIR)
      remove_pins(directory + '/' + entry->d_name);
    else
      (void)sys::unlink_at(::dirfd(listing.get()), entry->d_name, 0);
  }
  (void)sys::unlink_at(AT_FDCWD, directory.c_str(), AT_REMOVEDIR);
}

/// Of parents that are gone: the kernel has detached them.
void remove_dead_hooks(const std::string& all) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(all.c_str()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string directory = all + '/' + entry->d_name;
    const UniqueFd link(::bpf_obj_get((directory + '/' + kHooks[0].name).c_str()));
    struct bpf_link_info info = {};
    std::uint32_t size = sizeof info;
    if (link.valid() && ::bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 && info.cgroup.cgroup_id != 0)
      continue;
    remove_pins(directory);
  }
}

/// With the locks held: no run is active.
void remove_links(const std::string& directory) {
  for (const char* name : kPrograms) (void)::unlink((directory + "/links/" + name).c_str());
}

/// The last user detaches; `users` is this caller's lock, if it holds one.
bool detach_if_last(const std::string& directory, UniqueFd users) {
  auto mutex = open_lock(directory, "mutex");
  if (!mutex || !lock(mutex->get(), LOCK_EX)) return false;
  users.reset();
  auto mine = open_lock(directory, "users");
  if (!mine) return false;
  if (::flock(mine->get(), LOCK_EX | LOCK_NB) != 0) return true;  // others are
  remove_links(directory);
  return true;
}

/// The programs tell an upper file from a lower one by overlayfs's own structures. Where it is a module, its
/// types are there once it is loaded, and a program that was loaded before would never know them.
Result<void> need_overlay_types() {
  (void)sys::fs_open("overlay");  // has the kernel load it
  const auto exists = [](const char* path) { return ::access(path, F_OK) == 0; };
  if (exists("/sys/module/overlay/coresize") && !exists("/sys/kernel/btf/overlay"))
    return refused(ENODATA, "the types of the module overlay (CONFIG_DEBUG_INFO_BTF_MODULES)");
  return {};
}

}  // namespace

Result<Programs> Programs::open() {
  Programs programs;
  const int cpus = ::libbpf_num_possible_cpus();
  if (cpus <= 0) return refused(-cpus, "the number of CPUs is not known");
  programs.cpus_ = static_cast<unsigned>(cpus);
  programs.ring_bytes_ = ring_bytes_for(programs.cpus_);
  if (is_bpf_filesystem()) {
    RH_TRY(const bool there, programs.open_pinned());
    if (there) return programs;
    RH_CHECK(programs.load_what_can_be());
    RH_CHECK(programs.pin());
    return programs;
  }
  RH_CHECK(programs.load_what_can_be());
  return programs;
}

/// A kernel may have the hooks on local sockets, or the functions that a program may stand in for, and not
/// take these programs: the others matter more.
Result<void> Programs::load_what_can_be() {
  RH_CHECK(need_overlay_types());
  ::libbpf_set_print(keep_line);
  const Extras extras = {has_hook(kUnixConnect) && has_hook(kUnixSend),
                         has_module_hook(::libbpf_find_vmlinux_btf_id(kModulesHook, BPF_MODIFY_RETURN))};
  if ((extras.unix_hooks || extras.modules) && load(extras)) return {};
  return load({});
}

Result<bool> Programs::open_pinned() {
  if (auto parent = open_own(kDirectory); !parent)
    return parent.error().err == ENOENT ? Result<bool>(false) : tl::make_unexpected(parent.error());
  const std::string directory = pin_directory();
  auto opened = open_own(directory.c_str());
  if (!opened)
    return opened.error().err == ENOENT ? Result<bool>(false) : tl::make_unexpected(opened.error());
  const auto get = [&](const char* name) {
    return UniqueFd(::bpf_obj_get((directory + '/' + name).c_str()));
  };
  RH_CHECK(take_maps(get));
  RH_CHECK(take_programs(get));
  directory_ = std::move(*opened);
  return true;
}

Result<void> Programs::take_maps(const std::function<UniqueFd(const char*)>& get) {
  UniqueFd* const maps[] = {&rings_, &bells_, &gates_, &runs_};
  for (std::size_t i = 0; i < std::size(kMaps); ++i) {
    *maps[i] = get(kMaps[i]);
    if (!maps[i]->valid()) return refused(errno, kMaps[i]);
  }
  return {};
}

Result<void> Programs::take_programs(const std::function<UniqueFd(const char*)>& get) {
  programs_.clear();
  for (const char* name : kPrograms) {
    UniqueFd fd = get(name);
    if (fd.valid())
      programs_.push_back({name, std::move(fd), UniqueFd(), {}});
    else if (std::strcmp(name, kOptional) != 0)
      return refused(errno, name);
  }
  hooks_.clear();
  for (const Hook& hook : kHooks) {
    UniqueFd fd = get(hook.name);
    if (!fd.valid()) return refused(errno, hook.name);
    hooks_.push_back({hook.name, std::move(fd), UniqueFd(), hook.type});
  }
  for (const Hook& hook : kUnixHooks) {
    if (UniqueFd fd = get(hook.name); fd.valid())
      hooks_.push_back({hook.name, std::move(fd), UniqueFd(), hook.type});
  }
  packets_ = get(kPackets);
  if (!packets_.valid()) return refused(errno, kPackets);
  modules_ = {kModules, get(kModules), UniqueFd(), 0};
  return {};
}

Result<void> Programs::load(Extras extras) {
  libbpf_said.clear();
  struct bpf_object_open_opts options = {};
  options.sz = sizeof options;
  options.object_name = "rehearse";
  const Object loaded(::bpf_object__open_mem(object().data(), object().size(), &options));
  if (!loaded) return refused(errno, libbpf_said);
  // Maps in maps are described by a map of their kind.
  struct bpf_map_create_opts ring_options = {};
  ring_options.sz = sizeof ring_options;
  ring_options.map_flags = BPF_F_MMAPABLE;
  const auto value = static_cast<std::uint32_t>(offsetof(struct rh_ring, data)) + ring_bytes_ + RH_RING_SLACK;
  const UniqueFd ring(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "rehearse_ring", 4, value, cpus_, &ring_options));
  const UniqueFd bell(::bpf_map_create(BPF_MAP_TYPE_RINGBUF, "rehearse_bell", 0, 0, 4096, nullptr));
  const UniqueFd gate(
      ::bpf_map_create(BPF_MAP_TYPE_ARRAY, "rehearse_gate", 4, sizeof(struct rh_gate), 1, &ring_options));
  if (!ring.valid() || !bell.valid() || !gate.valid()) return refused(errno, "a map cannot be created");
  struct bpf_map* rings = ::bpf_object__find_map_by_name(loaded.get(), "rings");
  struct bpf_map* bells = ::bpf_object__find_map_by_name(loaded.get(), "bells");
  struct bpf_map* gates = ::bpf_object__find_map_by_name(loaded.get(), "gates");
  struct bpf_map* rodata = nullptr;
  struct bpf_map* map = nullptr;
  bpf_object__for_each_map(map, loaded.get()) {
    if (std::string_view(::bpf_map__name(map)).ends_with(".rodata")) rodata = map;
  }
  if (rings == nullptr || bells == nullptr || gates == nullptr || rodata == nullptr)
    return fail("the recording programs lack a map");
  ::bpf_map__set_inner_map_fd(rings, ring.get());
  ::bpf_map__set_inner_map_fd(bells, bell.get());
  ::bpf_map__set_inner_map_fd(gates, gate.get());
  struct rh_config config = make_config(ring_bytes_);
  if (::bpf_map__set_initial_value(rodata, &config, sizeof config) != 0)
    return fail("the recording programs have other constants");
  if (::libbpf_find_vmlinux_btf_id("io_uring_submit_req", BPF_TRACE_RAW_TP) > 0)
    ::bpf_program__set_autoload(::bpf_object__find_program_by_name(loaded.get(), kOptional), true);
  for (const Hook& hook : kUnixHooks) {
    struct bpf_program* program = ::bpf_object__find_program_by_name(loaded.get(), hook.name);
    if (!extras.unix_hooks || program == nullptr) continue;
    ::bpf_program__set_expected_attach_type(program, hook.type);
    ::bpf_program__set_autoload(program, true);
  }
  if (extras.modules)
    ::bpf_program__set_autoload(::bpf_object__find_program_by_name(loaded.get(), kModules), true);
  libbpf_said.clear();  // of the search above, which may be in vain
  if (const int r = ::bpf_object__load(loaded.get()); r != 0) return refused(-r, libbpf_said);

  RH_CHECK(take_maps([&](const char* name) {
    return UniqueFd(::fcntl(::bpf_object__find_map_fd_by_name(loaded.get(), name), F_DUPFD_CLOEXEC, 3));
  }));
  return take_programs([&](const char* name) {
    const struct bpf_program* program = ::bpf_object__find_program_by_name(loaded.get(), name);
    return UniqueFd(program == nullptr ? -1 : ::fcntl(::bpf_program__fd(program), F_DUPFD_CLOEXEC, 3));
  });
}

/// All or nothing: made under another name, then renamed. Whoever comes second takes what is there.
Result<void> Programs::pin() {
  (void)sys::mkdir_at(AT_FDCWD, kDirectory, 0700);
  RH_TRY(const auto parent, open_own(kDirectory));
  const std::string wanted = pin_directory();
  const std::string made = std::string(kDirectory) + "/new-" + std::to_string(::getpid());
  RH_CHECK(sys::mkdir_at(AT_FDCWD, made.c_str(), 0700));
  bool done = true;
  for (const char* name : {"links", "hooks", "slots", "mutex", "users"})
    done = done && sys::mkdir_at(AT_FDCWD, (made + '/' + name).c_str(), 0700);
  const auto pin = [&](const UniqueFd& fd, const std::string& name) {
    done = done && ::bpf_obj_pin(fd.get(), (made + '/' + name).c_str()) == 0;
  };
  const UniqueFd* const maps[] = {&rings_, &bells_, &gates_, &runs_};
  for (std::size_t i = 0; i < std::size(kMaps); ++i) pin(*maps[i], kMaps[i]);
  for (const auto* list : {&programs_, &hooks_})
    for (const Program& program : *list) pin(program.fd, program.name);
  pin(packets_, kPackets);
  if (modules_.fd.valid()) pin(modules_.fd, kModules);
  if (!done || ::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, wanted.c_str(), RENAME_NOREPLACE) != 0) {
    const int error = errno;
    remove_pins(made);
    if (!done || error != EEXIST) return {};  // they stay this run's own
  }
  RH_TRY(const bool there, open_pinned());
  return there ? Result<void>{} : fail("the recording programs were removed");
}

Result<void> Programs::attach() {
  if (!shared()) {
    RH_CHECK(attach_tracepoints({}));
    keep_modules_out({});
    return {};
  }
  const std::string directory = pin_directory();
  RH_TRY(const auto mutex, lock_out_others());
  RH_TRY(users_, open_lock(directory, "users"));
  RH_CHECK(lock(users_.get(), LOCK_SH));
  RH_CHECK(attach_tracepoints(directory + "/links/"));
  keep_modules_out(directory + "/modules");
  return {};
}

Result<void> Programs::hook(int cgroup) {
  if (!shared()) return attach_hooks(cgroup);
  RH_TRY(const auto mutex, lock_out_others());
  return attach_hooks(cgroup);
}

/// Who attaches or detaches does so alone.
Result<UniqueFd> Programs::lock_out_others() const {
  RH_TRY(auto mutex, open_lock(pin_directory(), "mutex"));
  RH_CHECK(lock(mutex.get(), LOCK_EX));
  return mutex;
}

/// `pin`: of the link, which stays; empty: it is this run's. Where the kernel lets no program stand in for
/// its functions there is none.
void Programs::keep_modules_out(const std::string& pin) {
  keeps_modules_out_ = !pin.empty() && ::access(pin.c_str(), F_OK) == 0;
  if (keeps_modules_out_ || !modules_.fd.valid()) return;
  UniqueFd link(::bpf_raw_tracepoint_open(nullptr, modules_.fd.get()));
  if (!link.valid()) return;
  keeps_modules_out_ = pin.empty() || ::bpf_obj_pin(link.get(), pin.c_str()) == 0;
  if (pin.empty()) modules_.link = std::move(link);
}

/// `links`: where they are pinned; empty: they are this run's.
Result<void> Programs::attach_tracepoints(const std::string& links) {
  for (Program& program : programs_) {
    const std::string pin = links + program.name;
    if (!links.empty() && ::access(pin.c_str(), F_OK) == 0) continue;
    UniqueFd link(::bpf_raw_tracepoint_open(nullptr, program.fd.get()));
    if (!link.valid()) return refused(errno, program.name);
    if (links.empty())
      program.link = std::move(link);
    else if (::bpf_obj_pin(link.get(), pin.c_str()) != 0)
      return refused(errno, pin);
  }
  return {};
}

/// Shared ones stay on the parent of all runs' control groups, where they cost nobody anything: attaching
/// takes milliseconds. Their pins lie below the parent's id, since it may be another the next time.
Result<void> Programs::attach_hooks(int cgroup) {
  std::string links;
  UniqueFd parent;
  if (shared()) {
    RH_TRY(parent, sys::open_at2(cgroup, "..", O_RDONLY | O_DIRECTORY, 0, 0));
    RH_TRY(const auto st, sys::stat_fd(parent.get()));
    const std::string all = pin_directory() + "/hooks";
    links = all + '/' + std::to_string(st.st_ino);
    if (::access(links.c_str(), F_OK) != 0) remove_dead_hooks(all);
    if (auto made = sys::mkdir_at(AT_FDCWD, links.c_str(), 0700); !made && made.error().err != EEXIST)
      return tl::make_unexpected(made.error());
  }
  for (Program& hook : hooks_) {
    const std::string pin = links + '/' + hook.name;
    if (shared() && ::access(pin.c_str(), F_OK) == 0) continue;
    UniqueFd link(::bpf_link_create(hook.fd.get(), shared() ? parent.get() : cgroup,
                                    static_cast<enum bpf_attach_type>(hook.type), nullptr));
    if (!link.valid()) return refused(errno, hook.name);
    if (!shared())
      hook.link = std::move(link);
    else if (::bpf_obj_pin(link.get(), pin.c_str()) != 0)
      return refused(errno, pin);
  }
  return {};
}

bool Programs::hears_local_sockets() const {
  return std::ranges::any_of(hooks_, [](const Program& hook) { return hook.name == kUnixHooks[0].name; });
}

bool Programs::detach() {
  for (auto* list : {&programs_, &hooks_})
    for (Program& program : *list) program.link.reset();
  modules_.link.reset();
  if (!shared() || !users_.valid()) return true;
  return detach_if_last(pin_directory(), std::move(users_));
}

Result<std::uint64_t> Programs::recursion_misses() const {
  std::uint64_t misses = 0;
  for (const Program& program : programs_) {
    struct bpf_prog_info info = {};
    std::uint32_t size = sizeof info;
    if (::bpf_obj_get_info_by_fd(program.fd.get(), &info, &size) != 0)
      return sys::last_error("bpf", "program info");
    misses += info.recursion_misses;
  }
  return misses;
}

Result<void> Programs::collect(bool all) {
  if (!is_bpf_filesystem()) return {};
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(kDirectory), ::closedir);
  if (!listing) return {};
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string directory = std::string(kDirectory) + '/' + entry->d_name;
    auto mutex = open_lock(directory, "mutex");
    auto users = open_lock(directory, "users");
    if (!mutex || !users || ::flock(mutex->get(), LOCK_EX | LOCK_NB) != 0 ||
        ::flock(users->get(), LOCK_EX | LOCK_NB) != 0)
      continue;
    remove_links(directory);
    if (all) remove_pins(directory);
  }
  if (all) (void)sys::unlink_at(AT_FDCWD, kDirectory, AT_REMOVEDIR);
  return {};
}

}  // namespace rehearse::trace
