#include "trace/fd_table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <array>
#include <cstring>

#include "syscalls/nr_set.h"
#include "syscalls/table.h"
#include "trace/open_call.h"

namespace rehearse::trace {
namespace {

/// Of all processes together, whatever an action or a hostile trace does.
constexpr std::size_t kMostDescriptors = 262144;

char type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'f';
    case S_IFDIR:
      return 'd';
    case S_IFCHR:
    case S_IFBLK:
      return 'c';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 'u';
    default:
      return '?';
  }
}

char socket_type(std::uint64_t family) {
  return family == AF_INET ? '4' : family == AF_INET6 ? '6' : family == AF_UNIX ? 'u' : 's';
}

/// As socket(2) is asked for it.
std::string_view protocol_of(std::uint64_t family, std::uint64_t type, std::uint64_t protocol) {
  constexpr std::uint64_t kTypes = 0xf;
  if (family == AF_PACKET) return "packet";
  if (family != AF_INET && family != AF_INET6) return "";
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) return "icmp";
  switch (type & kTypes) {
    case SOCK_STREAM:
      return "tcp";
    case SOCK_DGRAM:
      return "udp";
    case SOCK_RAW:
      return "raw";
    default:
      return "";
  }
}

/// What the kernel says that the descriptor stands for.
void take_object(const Record& exit, FdInfo& info) {
  exit.each_attachment([&](const Attachment& attachment) {
    if (attachment.arg != RH_OPENED) return;
    if (attachment.kind == RH_PATH) {
      info.name = path_of(attachment.bytes);
    } else if (attachment.kind == RH_FILE) {
      if (const auto* file = attachment.as<struct rh_file>()) {
        info.file = *file;
        info.known_file = true;
        info.type = type_of(file->mode);
      }
    }
  });
}

/// Of the descriptor that the call returned.
bool closes_on_exec(const Record& exit, const Record* entry) {
  const auto flag = [&](unsigned argument) { return (exit.argument(argument) & O_CLOEXEC) != 0; };
  static_assert(SOCK_CLOEXEC == O_CLOEXEC && EPOLL_CLOEXEC == O_CLOEXEC && EFD_CLOEXEC == O_CLOEXEC &&
                TFD_CLOEXEC == O_CLOEXEC && SFD_CLOEXEC == O_CLOEXEC && IN_CLOEXEC == O_CLOEXEC);
  switch (exit.head().nr) {
    case SYS_epoll_create1:
    case SYS_inotify_init1:
      return flag(0);
    case SYS_open:
    case SYS_socket:
    case SYS_eventfd2:
    case SYS_timerfd_create:
      return flag(1);
    case SYS_openat:
      return flag(2);
    case SYS_accept4:
    case SYS_signalfd4:
      return flag(3);
    case SYS_memfd_create:
      return (exit.argument(1) & MFD_CLOEXEC) != 0;
    case SYS_openat2:
      return (open_flags(exit, entry).value_or(0) & O_CLOEXEC) != 0;
    case SYS_pidfd_open:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<Endpoint> endpoint_of(std::string_view sockaddr) {
  struct sockaddr_in6 six = {};
  struct sockaddr_in four = {};
  Endpoint end;
  if (sockaddr.size() >= sizeof four) {
    std::memcpy(&four, sockaddr.data(), sizeof four);
    if (four.sin_family == AF_INET) {
      std::array<std::uint8_t, 4> bytes = {};
      std::memcpy(bytes.data(), &four.sin_addr, bytes.size());
      end.address = IpAddress::v4(bytes);
      end.port = ntohs(four.sin_port);
      return end;
    }
  }
  if (sockaddr.size() >= sizeof six) {
    std::memcpy(&six, sockaddr.data(), sizeof six);
    if (six.sin6_family == AF_INET6) {
      std::memcpy(end.address.bytes.data(), &six.sin6_addr, end.address.bytes.size());
      end.port = ntohs(six.sin6_port);
      return end;
    }
  }
  return std::nullopt;
}

FdTable::Table::Table(const Table& other) : total_(other.total_) {
  if (total_ + other.entries_.size() > kMostDescriptors) return;
  entries_ = other.entries_;
  total_ += entries_.size();
}

const FdTable::Descriptor* FdTable::Table::find(std::int32_t fd) const {
  const auto found = entries_.find(fd);
  return found == entries_.end() ? nullptr : &found->second;
}

void FdTable::Table::put(std::int32_t fd, Descriptor descriptor) {
  erase(fd);
  if (total_ >= kMostDescriptors) return;
  entries_.emplace(fd, std::move(descriptor));
  ++total_;
}

void FdTable::Table::set_close_on_exec(std::int32_t fd, bool on) {
  if (const auto found = entries_.find(fd); found != entries_.end()) found->second.close_on_exec = on;
}

template <class Condition>
void FdTable::Table::mark_close_on_exec(const Condition& condition) {
  for (auto& [fd, descriptor] : entries_) {
    if (condition(fd)) descriptor.close_on_exec = true;
  }
}

template <class Condition>
void FdTable::Table::erase_if(const Condition& condition) {
  total_ -= std::erase_if(entries_, [&](const auto& entry) { return condition(entry.first, entry.second); });
}

FdTable::Table& FdTable::table(std::uint32_t tid) {
  return tables_.change(tid, [this] { return std::make_shared<Table>(total_); });
}

const FdInfo* FdTable::peek(std::uint32_t tid, std::int32_t fd) const {
  const Table* table = tables_.find(tid);
  const Descriptor* found = table == nullptr ? nullptr : table->find(fd);
  return found == nullptr ? nullptr : found->info.get();
}

std::shared_ptr<const FdInfo> FdTable::find(std::uint32_t tid, std::int32_t fd) const {
  const Table* table = tables_.find(tid);
  const Descriptor* found = table == nullptr ? nullptr : table->find(fd);
  return found == nullptr ? nullptr : found->info;
}

void FdTable::copied(std::uint32_t tid, std::int32_t from, std::int32_t to, bool close_on_exec,
                     const Record* exit) {
  const Table* known = tables_.find(tid);
  const Descriptor* source = known == nullptr ? nullptr : known->find(from);
  if (from == to) return;
  FdInfo told;
  if (exit != nullptr) take_object(*exit, told);
  const bool has_path = S_ISREG(told.file.mode) || S_ISDIR(told.file.mode);
  const bool same = source != nullptr &&
                    (source->info->known_file
                         ? source->info->file.ino == told.file.ino && source->info->file.dev == told.file.dev
                         : !has_path);
  if (source != nullptr && told.known_file && S_ISFIFO(told.file.mode) && source->info->type == 'p')
    source->info->pipe.emplace(told.file.dev, told.file.ino);
  if (told.known_file && !same && has_path)
    table(tid).put(to, {std::make_shared<FdInfo>(std::move(told)), close_on_exec});
  else if (source == nullptr)
    table(tid).erase(to);
  else
    table(tid).put(to, {source->info, close_on_exec});
}

void FdTable::close_range(std::uint32_t tid, const Record& exit) {
  const auto first = static_cast<std::uint32_t>(exit.argument(0));
  const auto last = static_cast<std::uint32_t>(exit.argument(1));
  const std::uint64_t flags = exit.argument(2);
  const auto within = [&](std::int32_t fd) {
    return static_cast<std::uint32_t>(fd) >= first && static_cast<std::uint32_t>(fd) <= last;
  };
  if ((flags & CLOSE_RANGE_UNSHARE) != 0) tables_.unshare(tid);
  if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
    table(tid).mark_close_on_exec(within);
  else
    table(tid).erase_if([&](std::int32_t fd, const Descriptor&) { return within(fd); });
}

void FdTable::paired(std::uint32_t tid, const Record& exit) {
  const bool sockets = exit.head().nr == SYS_socketpair;
  const std::uint8_t ends_at = sockets ? 3 : 0;
  const bool close_on_exec = exit.head().nr != SYS_pipe && (exit.argument(1) & O_CLOEXEC) != 0;
  const auto info = std::make_shared<FdInfo>();
  info->name = sockets ? "socket" : "pipe";
  info->type = sockets ? socket_type(exit.argument(0)) : 'p';
  exit.each_attachment([&](const Attachment& attachment) {
    std::array<std::int32_t, 2> ends = {};
    if (attachment.kind != RH_BLOB || attachment.arg != ends_at || attachment.bytes.size() < sizeof ends)
      return;
    std::memcpy(ends.data(), attachment.bytes.data(), sizeof ends);
    for (const std::int32_t end : ends) table(tid).put(end, {info, close_on_exec});
  });
}

void FdTable::addressed(std::uint32_t tid, std::int32_t fd, const Record& entry) {
  const Table* known = tables_.find(tid);
  const Descriptor* found = known == nullptr ? nullptr : known->find(fd);
  if (found == nullptr) return;
  auto& end = entry.head().nr == SYS_bind ? found->info->bound : found->info->server;
  entry.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_BLOB) end = endpoint_of(attachment.bytes);
  });
}

FdInfo FdTable::made(std::uint32_t tid, const Record& exit) const {
  FdInfo info;
  const auto named = [&](const char* name, char type) {
    info.name = name;
    info.type = type;
  };
  switch (exit.head().nr) {
    case SYS_socket:
      named("socket", socket_type(exit.argument(0)));
      info.protocol = protocol_of(exit.argument(0), exit.argument(1), exit.argument(2));
      if (exit.argument(0) == AF_NETLINK) info.netlink = static_cast<int>(exit.argument(2));
      break;
    case SYS_accept:
    case SYS_accept4: {
      const auto listening = find(tid, static_cast<std::int32_t>(exit.argument(0)));
      named("socket", listening == nullptr ? 's' : listening->type);
      if (listening != nullptr) info.protocol = listening->protocol;
      if (listening != nullptr) info.bound = listening->bound;
      exit.each_attachment([&](const Attachment& attachment) {
        if (attachment.kind == RH_BLOB) info.client = endpoint_of(attachment.bytes);
      });
      break;
    }
    case SYS_epoll_create:
    case SYS_epoll_create1:
      named("epoll", 'e');
      break;
    case SYS_eventfd:
    case SYS_eventfd2:
      named("eventfd", 'e');
      break;
    case SYS_timerfd_create:
      named("timerfd", 'e');
      break;
    case SYS_signalfd:
    case SYS_signalfd4:
      named("signalfd", 'e');
      break;
    case SYS_inotify_init:
    case SYS_inotify_init1:
      named("inotify", 'e');
      break;
    case SYS_pidfd_open:
      named("pidfd", 'e');
      info.process = static_cast<std::uint32_t>(exit.argument(0));
      break;
    default:
      break;
  }
  take_object(exit, info);
  return info;
}

bool FdTable::changes(std::uint32_t nr) {
  using syscalls::Nr;
  static constexpr syscalls::NrSet kCalls(Nr::dup, Nr::dup2, Nr::dup3, Nr::fcntl, Nr::close, Nr::close_range,
                                          Nr::pipe, Nr::pipe2, Nr::socketpair, Nr::unshare);
  const syscalls::Syscall* known = syscalls::find_syscall(nr);
  return kCalls.contains(nr) || (known != nullptr && known->result == syscalls::Return::kFd);
}

void FdTable::call(std::uint32_t tid, const Record& exit, const Record* entry) {
  const struct rh_head& head = exit.head();
  const std::int64_t result = reinterpret_cast<const struct rh_call&>(head).result;
  if (head.abi != 0) return;
  const auto argument = [&](unsigned i) { return exit.argument(i); };
  const auto as_fd = [&](unsigned i) { return static_cast<std::int32_t>(exit.argument(i)); };
  // A connection that is refused or goes on in the background was asked for all the same.
  if (head.nr == SYS_connect && entry != nullptr) addressed(tid, as_fd(0), *entry);
  if (result < 0) return;
  if (head.nr == SYS_bind && entry != nullptr) addressed(tid, as_fd(0), *entry);
  if (!changes(head.nr)) return;
  const auto fd = static_cast<std::int32_t>(result);
  switch (head.nr) {
    case SYS_dup:
    case SYS_dup2:
      return copied(tid, as_fd(0), fd, false, &exit);
    case SYS_dup3:
      return copied(tid, as_fd(0), fd, (argument(2) & O_CLOEXEC) != 0, &exit);
    case SYS_fcntl:
      if (argument(1) == F_DUPFD || argument(1) == F_DUPFD_CLOEXEC)
        copied(tid, as_fd(0), fd, argument(1) == F_DUPFD_CLOEXEC);
      else if (argument(1) == F_SETFD)
        table(tid).set_close_on_exec(as_fd(0), (argument(2) & FD_CLOEXEC) != 0);
      return;
    case SYS_close:
      return table(tid).erase(as_fd(0));
    case SYS_close_range:
      return close_range(tid, exit);
    case SYS_pipe:
    case SYS_pipe2:
    case SYS_socketpair:
      return paired(tid, exit);
    case SYS_unshare:
      if ((argument(0) & CLONE_FILES) != 0) tables_.unshare(tid);
      return;
    default:
      break;
  }
  const auto info = std::make_shared<FdInfo>(made(tid, exit));
  if (info->name.empty())
    table(tid).erase(fd);
  else
    table(tid).put(fd, {info, closes_on_exec(exit, entry)});
}

void FdTable::exec(std::uint32_t old_tid, std::uint32_t tid) {
  tables_.rename(old_tid, tid);
  tables_.unshare(tid);
  if (tables_.find(tid) != nullptr)
    table(tid).erase_if([](std::int32_t, const Descriptor& descriptor) { return descriptor.close_on_exec; });
}

}  // namespace rehearse::trace
