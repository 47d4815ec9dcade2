#include "trace/own_views.h"

#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/path.h"
#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/df_words.h"
#include "trace/foreign_process.h"
#include "trace/network_configuration.h"
#include "trace/number_words.h"
#include "trace/open_call.h"
#include "trace/ps_words.h"

namespace rehearse::trace {
namespace {

using syscalls::Nr;

constexpr std::size_t kMost = 4096;
constexpr std::uint64_t kInt = 0xffffffff;

constexpr syscalls::NrSet kOpens(Nr::open, Nr::openat, Nr::openat2);
constexpr syscalls::NrSet kLists(Nr::getdents64, Nr::getdents);
constexpr syscalls::NrSet kSends(Nr::sendto, Nr::sendmsg);
constexpr syscalls::NrSet kKinds(Nr::statfs, Nr::fstatfs);
constexpr syscalls::NrSet kMounts(Nr::mount, Nr::umount2, Nr::move_mount, Nr::open_tree, Nr::fsopen,
                                  Nr::mount_setattr);
constexpr syscalls::NrSet kAccesses(Nr::access, Nr::faccessat, Nr::faccessat2);
/// Nothing else shows what the run has of its own.
constexpr syscalls::NrSet kLooks = kOpens | kLists | kSends | kKinds | kMounts | kAccesses |
                                   syscalls::NrSet(Nr::ioctl, Nr::setsockopt, Nr::capget, Nr::prctl);

/// "net/dev" of "/proc/3/net/dev" and of "/proc/3/task/5/net/dev".
std::string_view of_any_process(std::string_view path) {
  constexpr std::string_view kTask = "task/";
  std::string_view what = of_process(path).what;
  if (!what.starts_with(kTask)) return what;
  const std::size_t end = what.find('/', kTask.size());
  return end == std::string_view::npos ? std::string_view() : what.substr(end + 1);
}

bool shows_sockets(std::string_view table) {
  constexpr std::string_view kTables[] = {"tcp",  "tcp6", "udp",    "udp6",    "udplite", "udplite6", "raw",
                                          "raw6", "unix", "packet", "netlink", "icmp",    "icmp6",    "sctp"};
  return std::ranges::find(kTables, table) != std::end(kTables);
}

/// Of a question to the kernel by rtnetlink, what it is about; "" if it is none.
std::string_view asked_of_network(const TraceEvent& event) {
  const auto message = netlink_message(event);
  if (!message || message->read == 0 || static_cast<int>(message->protocol) != NETLINK_ROUTE) return {};
  switch (message->type) {
    case RTM_GETLINK:
      return "interfaces";
    case RTM_GETADDR:
      return "addresses";
    case RTM_GETROUTE:
      return "routes";
    case RTM_GETRULE:
      return "rules of routing";
    case RTM_GETNEIGH:
      return "neighbours";
    case RTM_GETQDISC:
      return "queues";
    default:
      return {};
  }
}

/// The same by ioctl(2) of a socket (netdevice(7)): all interfaces, or one that there is not.
std::string_view asked_of_interface(const TraceEvent& event) {
  const std::uint64_t request = event.record->argument(1) & kInt;
  if (request == SIOCGIFCONF) return "interfaces";
  const bool by_name = request >= SIOCGIFNAME && request <= SIOCGIFINDEX;
  return by_name && event.result() == -ENODEV ? "interfaces" : "";
}

/// A socket that was to belong to an interface which there is not, or a group to be joined at one.
bool wants_interface(const TraceEvent& event) {
  const Record& record = *event.record;
  if (record.head().nr != Nr::setsockopt || event.result() != -ENODEV) return false;
  const auto level = static_cast<int>(record.argument(1));
  return level == SOL_SOCKET || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

/// Asked whether the caller may write there, and was told that it may not.
bool may_not_write(const TraceEvent& event) {
  const std::uint32_t nr = event.record->head().nr;
  if (!kAccesses.contains(nr)) return false;
  const std::int64_t result = event.result();
  return (event.record->argument(nr == Nr::access ? 1 : 2) & W_OK) != 0 &&
         (result == -EACCES || result == -EROFS || result == -EPERM);
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string program_of(const TraceEvent& event) {
  const Image* image = ProcessTree::image_of(*event.process);
  return image == nullptr ? std::string() : image->path;
}

/// Settings that the run has of its own, with its network and user namespaces; those of others are the host's
/// (sandbox/own_settings.h).
bool is_own_setting(std::string_view path) {
  return is_within(path, "/proc/sys/net") || is_within(path, "/proc/sys/user");
}

/// Whether a word that the program was started with has `part` in it.
bool has_word_with(const TraceEvent& event, std::string_view part) {
  const Image* image = ProcessTree::image_of(*event.process);
  if (image == nullptr) return false;
  const std::vector<std::string> words = image->words();
  return std::ranges::any_of(words,
                             [&](const std::string& word) { return word.find(part) != std::string::npos; });
}

/// Programs that are there to show capabilities: others ask for theirs whatever they do.
bool asks_for_rights(const TraceEvent& event) {
  const std::uint32_t nr = event.record->head().nr;
  const bool asks = nr == Nr::capget || (nr == Nr::prctl && event.record->argument(0) == PR_CAPBSET_READ);
  if (!asks) return false;
  constexpr std::string_view kPrograms[] = {"capsh", "getpcaps", "captest", "pscap"};
  const std::string program = program_of(event);
  // setpriv(1) shows them where it is told to, and else reads them to give some away.
  if (base_name(program) == "setpriv") return has_word_with(event, "-d");
  return std::ranges::find(kPrograms, base_name(program)) != std::end(kPrograms);
}

/// Programs that do something for filesystems of one kind, and refuse all others.
bool serves_one_kind(std::string_view name) {
  constexpr std::string_view kPrograms[] = {"e4defrag", "filefrag", "fstrim", "bcachefs"};
  return std::ranges::find(kPrograms, name) != std::end(kPrograms) || name.starts_with("xfs_") ||
         name.starts_with("btrfs") || name.ends_with(".f2fs");
}

/// ps(1) that is to show some of the run's own processes: these are as on the host.
bool shows_own_only(const TraceEvent& event) {
  const Image* image = ProcessTree::image_of(*event.process);
  return image != nullptr && base_name(image->path) == "ps" && ps_selects_by_number(image->words());
}

/// Who lists processes to find one, and hands on whether there is one; else it may be to show them all.
bool seeks_process(const TraceEvent& event, const EventStream& events) {
  const Image* image = ProcessTree::image_of(*event.process);
  if (image == nullptr) return false;
  const std::string_view name = base_name(image->path);
  constexpr std::string_view kSeekers[] = {
      "pgrep", "pkill", "pidof", "pidwait", "killall", "killall5", "start-stop-daemon", "fuser"};
  if (name == "ps")
    return ps_seeks_others(image->words(),
                           [&](std::uint32_t number) { return events.tree().was_inside(number); });
  return std::ranges::find(kSeekers, name) != std::end(kSeekers);
}

}  // namespace

void OwnViews::add(const TraceEvent& event, const EventStream& events) {
  if (event.type != EventType::kCall || event.unfinished || event.record->head().abi != 0) return;
  outputs_.add(event, events);
  const std::uint32_t nr = event.record->head().nr;
  if (!kLooks.contains(nr)) return;
  if (kOpens.contains(nr)) {
    opened(event, events);
  } else if (kLists.contains(nr)) {
    listed(event, events);
  } else if (kSends.contains(nr)) {
    if (const std::string_view what = asked_of_network(event); !what.empty())
      note(View::kNetwork, std::string(what), event, events);
  } else if (nr == Nr::ioctl) {
    if (const std::string_view what = asked_of_interface(event); !what.empty())
      note(View::kNetwork, std::string(what), event, events);
  } else if (wants_interface(event)) {
    note(View::kNetwork, "interfaces", event, events);
  } else if (kKinds.contains(nr)) {
    if (!event.failed()) asked_for_kind(event, events);
  } else if (asks_for_rights(event)) {
    note(View::kRights, "capabilities", event, events);
  } else if (kMounts.contains(nr)) {
    mounters_.insert(event.process->id);
  } else if (may_not_write(event)) {
    const syscalls::Syscall* call = syscalls::find_syscall(nr);
    const auto path = call == nullptr ? std::nullopt : call->find(syscalls::Arg::kPath);
    std::string place = path ? events.place(event, *path) : std::string();
    if (is_within(place, "/sys") || is_within(place, "/proc/sys"))
      note(View::kPermission, std::move(place), event, events);
  }
}

/// Whoever asks for free space is told the kind as well: most look at that only.
void OwnViews::asked_for_kind(const TraceEvent& event, const EventStream& events) {
  const std::string program = program_of(event);
  const std::string_view name = base_name(program);
  if (name == "df") {
    const DfAsks asks = df_asks(ProcessTree::image_of(*event.process)->words());
    if (asks.kinds) note(View::kKind, "asked for by its words", event, events);
    if (asks.sources) note(View::kMounts, "devices", event, events);
  } else if (name == "stat") {
    note(View::kKind, "stat -f", event, events);
  } else if (serves_one_kind(name)) {
    note(View::kKind, "statfs", event, events);
  }
}

void OwnViews::opened_setting(const TraceEvent& event, const EventStream& events) {
  const auto flags = open_flags(*event.record, event.entry);
  if ((flags && opens_for_writing(*flags)) || walkers_.contains(event.process->id)) return;
  const std::string& path = event.fd->name;
  note(is_within(path, "/proc/sys/net") ? View::kNetwork : View::kSettings, path, event, events);
}

void OwnViews::opened(const TraceEvent& event, const EventStream& events) {
  if (event.failed() || event.fd == nullptr || event.fd->type == 'd') return;
  const std::string_view path = event.fd->name;
  if (!path.starts_with("/proc/")) return;
  if (is_own_setting(path)) return opened_setting(event, events);
  constexpr std::string_view kNet = "net/";
  const std::string_view what = of_any_process(path);
  if (what.starts_with(kNet)) {
    note(shows_sockets(what.substr(kNet.size())) ? View::kSockets : View::kNetwork,
         "/proc/" + std::string(what), event, events);
  } else if (what == "mounts" || what == "mountinfo" || what == "mountstats") {
    OwnLook look{View::kMounts, "/proc/self/" + std::string(what), program_of(event)};
    // The libraries of languages, which look where the limits of their control group are.
    if (limited_.contains(event.process->id)) look.view = View::kLimits;
    if (base_name(look.program) != "mount")
      note(look.view, std::move(look.at), event, events);
    else if (readers_.size() < kMost)
      readers_.emplace(event.process->id, std::move(look));
  } else if (of_process(path).who == "1") {
    if (!all_processes_.contains(event.process->id)) note(View::kInit, std::string(path), event, events);
  } else if (what == "cgroup") {
    limited_.insert(event.process->id);
    note(View::kLimits, "/proc/self/cgroup", event, events);
  } else if (what == "status" && has_word_with(event, "Cap")) {
    note(View::kRights, "/proc/self/status", event, events);
  } else if (path == "/proc/locks") {
    note(View::kLocks, std::string(path), event, events);
  }
}

void OwnViews::listed(const TraceEvent& event, const EventStream& events) {
  if (event.failed() || event.fd == nullptr) return;
  const std::string& path = event.fd->name;
  constexpr std::string_view kAlone[] = {"/proc", "/dev", "/dev/shm", "/dev/mqueue"};
  constexpr std::string_view kTrees[] = {"/sys/class/net", "/sys/devices/virtual/net", "/sys/fs/cgroup",
                                         "/proc/sys/net"};
  if (is_within(path, "/proc/sys")) walkers_.insert(event.process->id);
  const bool own = std::ranges::find(kAlone, path) != std::end(kAlone) ||
                   std::ranges::any_of(kTrees, [&](std::string_view tree) { return is_within(path, tree); });
  if (!own) return;
  if (path == "/proc") all_processes_.insert(event.process->id);
  if (path == "/proc" && seeks_process(event, events))
    note(View::kProcesses, "by name or number", event, events);
  else if (path == "/proc" && shows_own_only(event))
    note({View::kListing, path, program_of(event)}, ListingReaders::kNowhere);
  else
    note(View::kListing, path, event, events);
}

void OwnViews::note(View view, std::string at, const TraceEvent& event, const EventStream& events) {
  note({view, std::move(at), program_of(event)}, outputs_.output_of(event, events));
}

void OwnViews::note(OwnLook look, ListingReaders::Output output) {
  if (looks_.size() < kMost) looks_.insert({std::move(look), output});
}

std::set<OwnLook> OwnViews::looks(const ProcessTree& tree) const {
  std::set<OwnLook> all;
  for (auto [look, output] : looks_) {
    look.reader = outputs_.reader_of(output);
    all.insert(std::move(look));
  }
  for (const Process& process : tree.processes()) {
    for (const auto& image : process.images) {
      const std::string_view name = base_name(image->path);
      if (asks_for_device_numbers(name, image->words()))
        all.insert({View::kDevices, "asked for by its words", image->path});
    }
  }
  for (const auto& [process, look] : readers_)
    if (!mounters_.contains(process)) all.insert(look);
  return all;
}

}  // namespace rehearse::trace
