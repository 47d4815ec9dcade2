#include "trace/fd_table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace rehearse::trace {
namespace {

/// What one process may hold here, whatever a hostile trace says.
constexpr std::size_t kMostDescriptors = 65536;

/// Where the root directory of a process is kept, beside AT_FDCWD.
constexpr std::int32_t kRootDirectory = AT_FDCWD - 1;

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

void FdTable::connected(std::uint32_t process, std::int32_t fd, std::string_view sockaddr) {
  Table& table = tables_[process];
  if (const auto found = table.find(fd); found != table.end()) found->second.server = endpoint_of(sockaddr);
}

const FdInfo* FdTable::find(std::uint32_t process, std::int32_t fd) const {
  const auto table = tables_.find(process);
  if (table == tables_.end()) return nullptr;
  const auto found = table->second.find(fd);
  return found == table->second.end() ? nullptr : &found->second;
}

void FdTable::moved(Table& table, const Record& record) {
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.arg != RH_CWD && attachment.arg != RH_ROOT) return;
    FdInfo& info = table[attachment.arg == RH_CWD ? AT_FDCWD : kRootDirectory];
    info.type = 'd';
    if (attachment.kind == RH_PATH) info.name = path_of(attachment.bytes);
    if (attachment.kind != RH_FILE) return;
    if (const auto* file = attachment.as<struct rh_file>()) {
      info.file = *file;
      info.known_file = true;
    }
  });
}

std::optional<std::string> FdTable::place(std::uint32_t process, std::int32_t directory,
                                          std::string_view path) const {
  const bool absolute = path.starts_with('/');
  const FdInfo* base = find(process, absolute ? kRootDirectory : directory);
  if (base == nullptr || !base->name.starts_with('/')) return std::nullopt;
  std::string whole = base->name == "/" ? "" : base->name;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (!part.empty() && part != ".") (whole += '/') += part;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return whole.empty() ? "/" : whole;
}

void FdTable::opened(Table& table, std::int32_t fd, const Record& exit, bool close_on_exec) {
  if (table.size() >= kMostDescriptors && !table.contains(fd)) return;
  FdInfo& info = table[fd];
  info = FdInfo();
  info.close_on_exec = close_on_exec;
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

void FdTable::copied(Table& table, std::int32_t from, std::int32_t to, bool close_on_exec) {
  const auto source = table.find(from);
  if (source == table.end()) {
    table.erase(to);
    return;
  }
  if (from == to || (table.size() >= kMostDescriptors && !table.contains(to))) return;
  FdInfo copy = source->second;
  copy.close_on_exec = close_on_exec;
  table[to] = std::move(copy);
}

void FdTable::call(std::uint32_t process, const Record& exit) {
  const auto& call = reinterpret_cast<const struct rh_call&>(exit.head());
  const std::int64_t result = call.result;
  if (result < 0 || exit.head().abi != 0) return;
  const auto fd = static_cast<std::int32_t>(result);
  const auto argument = [&](unsigned i) { return exit.argument(i); };
  const auto as_fd = [&](unsigned i) { return static_cast<std::int32_t>(exit.argument(i)); };
  const auto named = [&](std::int32_t number, const char* name, char type, bool close_on_exec) {
    Table& table = tables_[process];
    if (table.size() >= kMostDescriptors && !table.contains(number)) return;
    FdInfo& info = table[number];
    info = FdInfo();
    info.name = name;
    info.type = type;
    info.close_on_exec = close_on_exec;
  };
  switch (exit.head().nr) {
    case SYS_open:
      return opened(tables_[process], fd, exit, (argument(1) & O_CLOEXEC) != 0);
    case SYS_openat:
      return opened(tables_[process], fd, exit, (argument(2) & O_CLOEXEC) != 0);
    case SYS_creat:
    case SYS_openat2:
    case SYS_memfd_create:
      return opened(tables_[process], fd, exit, exit.head().nr == SYS_openat2);
    case SYS_dup:
      return copied(tables_[process], as_fd(0), fd, false);
    case SYS_dup2:
      return copied(tables_[process], as_fd(0), fd, false);
    case SYS_dup3:
      return copied(tables_[process], as_fd(0), fd, (argument(2) & O_CLOEXEC) != 0);
    case SYS_fcntl: {
      const auto command = static_cast<int>(argument(1));
      if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return copied(tables_[process], as_fd(0), fd, command == F_DUPFD_CLOEXEC);
      if (command == F_SETFD) {
        Table& table = tables_[process];
        if (const auto found = table.find(as_fd(0)); found != table.end())
          found->second.close_on_exec = (argument(2) & FD_CLOEXEC) != 0;
      }
      return;
    }
    case SYS_close:
      tables_[process].erase(as_fd(0));
      return;
    case SYS_close_range: {
      if ((argument(2) & CLOSE_RANGE_CLOEXEC) != 0) return;
      const auto first = static_cast<std::uint32_t>(argument(0));
      const auto last = static_cast<std::uint32_t>(argument(1));
      std::erase_if(tables_[process], [&](const auto& entry) {
        const auto number = static_cast<std::uint32_t>(entry.first);
        return entry.first >= 0 && number >= first && number <= last;
      });
      return;
    }
    case SYS_chdir:
    case SYS_fchdir:
    case SYS_chroot:
    case SYS_pivot_root:
      return moved(tables_[process], exit);
    case SYS_socket:
      return named(fd, "socket", socket_type(argument(0)), (argument(1) & SOCK_CLOEXEC) != 0);
    case SYS_accept:
    case SYS_accept4: {
      const FdInfo* listening = find(process, as_fd(0));
      named(fd, "socket", listening == nullptr ? 's' : listening->type, false);
      Table& table = tables_[process];
      exit.each_attachment([&](const Attachment& attachment) {
        const auto found = table.find(fd);
        if (attachment.kind == RH_BLOB && found != table.end())
          found->second.client = endpoint_of(attachment.bytes);
      });
      return;
    }
    case SYS_epoll_create:
    case SYS_epoll_create1:
      return named(fd, "epoll", 'e', true);
    case SYS_eventfd:
    case SYS_eventfd2:
      return named(fd, "eventfd", 'e', false);
    case SYS_timerfd_create:
      return named(fd, "timerfd", 'e', false);
    case SYS_signalfd:
    case SYS_signalfd4:
      return named(fd, "signalfd", 'e', false);
    case SYS_inotify_init:
    case SYS_inotify_init1:
      return named(fd, "inotify", 'e', false);
    default:
      return;
  }
}

void FdTable::fork(std::uint32_t parent, std::uint32_t child) {
  if (const auto table = tables_.find(parent); table != tables_.end()) {
    Table copy = table->second;
    tables_[child] = std::move(copy);
  }
}

void FdTable::exec(std::uint32_t process, const Record& exec) {
  std::erase_if(tables_[process], [](const auto& entry) { return entry.second.close_on_exec; });
  moved(tables_[process], exec);
}

void FdTable::exit(std::uint32_t process) {
  tables_.erase(process);
}

}  // namespace rehearse::trace
