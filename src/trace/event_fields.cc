#include "trace/event_fields.h"

#include <fcntl.h>

#include <string>
#include <vector>

#include "syscalls/argument_names.h"
#include "syscalls/argument_value.h"
#include "trace/attempt_kind.h"
#include "trace/event_paths.h"
#include "trace/event_types.h"
#include "trace/open_call.h"
#include "trace/socket_text.h"

namespace rehearse::trace {
namespace {

const syscalls::Syscall* known(const TraceEvent& event) {
  const struct rh_head& head = event.record->head();
  return event.type == EventType::kCall && head.abi == 0 ? syscalls::find_syscall(head.nr) : nullptr;
}

std::string_view fd_type_name(char type) {
  switch (type) {
    case 'f':
      return "file";
    case 'd':
      return "directory";
    case 'c':
      return "device";
    case 'p':
      return "pipe";
    case 'u':
      return "unix";
    case '4':
      return "ipv4";
    case '6':
      return "ipv6";
    case 'e':
      return "event";
    default:
      return "other";
  }
}

}  // namespace

std::uint32_t EventFields::type_id() const {
  if (event_.type != EventType::kCall) return event_type_id(event_word(event_.type));
  const syscalls::Syscall* call = known(event_);
  return call == nullptr ? kNoTypeId : call->nr;
}

Value EventFields::type() const {
  if (event_.type != EventType::kCall) return event_word(event_.type);
  if (const syscalls::Syscall* call = known(event_)) return call->name;
  return keep(syscalls::format_full_name(event_.call()));
}

Value EventFields::keep(std::string text) const {
  text_ = std::move(text);
  return std::string_view(text_);
}

Value EventFields::value(Field field, const FieldArgument& argument) const {
  if (field <= Field::kEvtPrivileged) return event_value(field, argument);
  if (field <= Field::kGroupGid) return process_value(field, argument);
  if (field <= Field::kFdUpper) return fd_value(field);
  if (field <= Field::kFsPathTarget) return path_value(field);
  return signal_value(field);
}

Value EventFields::event_value(Field field, const FieldArgument& argument) const {
  const bool returned = event_.type == EventType::kCall && !event_.unfinished;
  switch (field) {
    case Field::kEvtNum:
      return event_.number;
    case Field::kEvtTime:
      return shifted(event_.time_ns, offset_);
    case Field::kEvtRawtime:
      return static_cast<std::uint64_t>(shifted(event_.time_ns, offset_));
    case Field::kEvtReltime:
      return between(stream_.begun_ns(), event_.time_ns);
    case Field::kEvtLatency:
      if (!returned || !event_.begun_ns) return {};
      return static_cast<std::int64_t>(event_.time_ns - *event_.begun_ns);
    case Field::kEvtType:
      return type();
    case Field::kEvtDir:
      return std::string_view(event_.unfinished ? ">" : "<");
    case Field::kEvtCategory: {
      const syscalls::Syscall* call = known(event_);
      if (call == nullptr) return std::string_view("process");
      for (const auto one :
           {syscalls::Class::kNetwork, syscalls::Class::kFile, syscalls::Class::kMemory,
            syscalls::Class::kSignal, syscalls::Class::kIpc, syscalls::Class::kTime, syscalls::Class::kCreds,
            syscalls::Class::kProcess, syscalls::Class::kDesc, syscalls::Class::kSystem}) {
        if (syscalls::has(call->classes, one)) return syscalls::class_name(one);
      }
      return std::string_view("other");
    }
    case Field::kEvtRes:
      if (!returned) return {};
      return event_.failed() ? syscalls::errno_name(static_cast<int>(-event_.result()))
                             : std::string_view("SUCCESS");
    case Field::kEvtRawres:
      if (!returned) return {};
      return event_.result();
    case Field::kEvtFailed:
      if (!returned) return {};
      return event_.failed();
    case Field::kEvtArg:
      return argument_value(argument);
    case Field::kEvtArgs:
      if (event_.type != EventType::kCall) return {};
      return keep(syscalls::format_arguments(event_.call()));
    case Field::kEvtIsOpenRead:
    case Field::kEvtIsOpenWrite: {
      if (event_.type != EventType::kCall) return false;
      const auto flags = open_flags(*event_.record, event_.entry);
      if (!flags) return false;
      const auto mode = *flags & O_ACCMODE;
      return mode == O_RDWR || mode == (field == Field::kEvtIsOpenRead ? O_RDONLY : O_WRONLY);
    }
    case Field::kEvtTampered:
      return event_.tampered();
    case Field::kEvtLate:
      return event_.has_late_copy();
    case Field::kEvtUnread:
      return event_.has_unread();
    case Field::kEvtPrivileged:
      return !attempt_kind(event_, stream_).empty();
    default:
      return {};
  }
}

Value EventFields::argument_value(const FieldArgument& argument) const {
  const syscalls::Syscall* call = known(event_);
  if (call == nullptr) return {};
  std::int64_t index = argument.index;
  if (index == FieldArgument::kNone) {
    const auto found = syscalls::find_argument(*call, argument.name);
    if (!found) return argument.name == "res" ? result_value() : Value();
    index = *found;
  }
  if (index >= call->count) return {};
  const auto i = static_cast<unsigned>(index);
  const syscalls::Call made = event_.call();
  if (made.texts[i]) return keep(made.texts[i]->bytes);
  std::optional<syscalls::ArgumentValue> value = syscalls::argument_value(made, i);
  if (!value) return {};
  const auto as_signed = static_cast<std::int64_t>(value->bits);
  if (!value->text.empty()) {
    text_ = std::move(value->text);
    return NamedNumber{value->is_signed ? Number{as_signed} : Number{value->bits}, text_};
  }
  if (value->is_signed) return as_signed;
  return value->bits;
}

/// What Falco's filters call an argument, too: the error's name, and the number.
Value EventFields::result_value() const {
  if (event_.unfinished) return {};
  if (!event_.failed()) return event_.result();
  return NamedNumber{event_.result(), syscalls::errno_name(static_cast<int>(-event_.result()))};
}

const Process* EventFields::parent() const {
  const Process* found = &stream_.tree().processes()[event_.process->parent];
  return event_.process->id == 0 || found->id == 0 ? nullptr : found;
}

/// By who made whom, whatever parent that was given (CLONE_PARENT).
const Process* EventFields::ancestor(std::int64_t distance) const {
  const auto& all = stream_.tree().processes();
  const Process* at = event_.process;
  for (; distance > 0 && at->id != 0; --distance) at = &all[at->maker];
  return distance == 0 && at->id != 0 ? at : nullptr;
}

Value EventFields::process_value(Field field, const FieldArgument& argument) const {
  const Process& process = *event_.process;
  const Image* image = ProcessTree::image_of(process);
  switch (field) {
    case Field::kProcPid:
      return std::int64_t{process.pid};
    case Field::kProcVpid:
      return std::int64_t{process.inner_pid};
    case Field::kProcId:
      return std::uint64_t{process.id};
    case Field::kProcName:
      return std::string_view(process.comm);
    case Field::kProcExe:
    case Field::kProcExepath:
    case Field::kProcArgs:
    case Field::kProcCmdline: {
      if (image == nullptr) return {};
      if (field == Field::kProcExepath) return std::string_view(image->path);
      const std::size_t first = std::min(image->argv.find('\0'), image->argv.size());
      if (field == Field::kProcExe) return std::string_view(image->argv).substr(0, first);
      std::string words = field == Field::kProcCmdline
                              ? image->argv
                              : image->argv.substr(std::min(first + 1, image->argv.size()));
      while (!words.empty() && words.back() == '\0') words.pop_back();
      std::replace(words.begin(), words.end(), '\0', ' ');
      return keep(std::move(words));
    }
    case Field::kProcCwd: {
      const std::string_view cwd = stream_.working_directory(event_);
      if (cwd.empty()) return {};
      return cwd;
    }
    case Field::kProcPpid:
      if (const Process* found = parent()) return std::int64_t{found->pid};
      return {};
    case Field::kProcPname:
      if (const Process* found = parent()) return std::string_view(found->comm);
      return {};
    case Field::kProcAname:
      if (const Process* found = ancestor(argument.index == FieldArgument::kNone ? 1 : argument.index))
        return std::string_view(found->comm);
      return {};
    case Field::kProcApid:
      if (const Process* found = ancestor(argument.index == FieldArgument::kNone ? 1 : argument.index))
        return std::int64_t{found->pid};
      return {};
    case Field::kProcDuration:
      return static_cast<std::int64_t>(event_.time_ns - process.start_ns);
    case Field::kThreadTid:
      return std::int64_t{event_.tid};
    case Field::kThreadVtid:
      return std::int64_t{stream_.tree().inner_tid(event_.tid)};
    case Field::kUserUid:
      return std::uint64_t{inside(process.creds.euid)};
    case Field::kUserName:
      if (inside(process.creds.euid) == 0) return std::string_view("root");
      return {};
    case Field::kGroupGid:
      return std::uint64_t{inside(process.creds.egid)};
    default:
      return {};
  }
}

Value EventFields::fd_value(Field field) const {
  if (field >= Field::kFdIp && field <= Field::kFdSport) return address_value(field);
  if (field >= Field::kFdName && field <= Field::kFdFilename) return name_value(field);
  if (event_.fd_number < 0 && event_.fd == nullptr) return {};
  if (field == Field::kFdNum) return std::int64_t{event_.fd_number};
  const FdInfo* fd = event_.fd;
  if (fd == nullptr) return {};
  switch (field) {
    case Field::kFdType:
      return fd_type_name(fd->type);
    case Field::kFdTypechar:
      return std::string_view(&fd->type, 1);
    case Field::kFdL4proto:
      if (fd->protocol.empty()) return {};
      return fd->protocol;
    case Field::kFdDev:
      if (!fd->known_file) return {};
      return std::uint64_t{fd->file.dev};
    case Field::kFdIno:
      if (!fd->known_file) return {};
      return std::uint64_t{fd->file.ino};
    case Field::kFdUpper:
      if (!fd->known_file) return {};
      return (fd->file.flags & RH_UPPER) != 0;
    default:
      return {};
  }
}

Value EventFields::name_value(Field field) const {
  if (field == Field::kFdName) {
    if (std::string socket = ends(); !socket.empty()) return keep(std::move(socket));
  }
  auto object = object_of(event_, stream_);
  if (!object) return {};
  const std::string& name = object->path;
  if (field == Field::kFdName) return keep(std::move(object->path));
  const std::size_t slash = name.rfind('/');
  if (slash == std::string::npos) return {};
  if (field == Field::kFdFilename) return keep(name.substr(slash + 1));
  return keep(slash == 0 ? "/" : name.substr(0, slash));
}

Value EventFields::path_value(Field field) const {
  std::vector<std::string> paths = named_paths(event_, stream_);
  if (field != Field::kFsPathName && paths.size() != 2) return {};
  const std::size_t which = field == Field::kFsPathTarget ? 1 : 0;
  if (which >= paths.size() || paths[which].empty()) return {};
  return keep(std::move(paths[which]));
}

/// That the socket is connected to, or what a failed connect or a datagram was meant for.
std::optional<Endpoint> EventFields::server() const {
  std::optional<Endpoint> server = event_.fd == nullptr ? std::nullopt : event_.fd->server;
  const syscalls::Syscall* call = known(event_);
  if (call == nullptr || server) return server;
  const bool sends = call->find(syscalls::Arg::kMessage) || call->find(syscalls::Arg::kMessages);
  const auto take = [&](const Attachment& attachment) {
    const bool names = call->sockaddr_in() && attachment.kind == RH_BLOB;
    if (names || (sends && attachment.kind == RH_PEER)) server = endpoint_of(attachment.bytes);
  };
  if (event_.entry != nullptr) event_.entry->each_attachment(take);
  if (!server) event_.record->each_attachment(take);
  return server;
}

/// As libsinsp names a socket: "CLIENT:PORT->SERVER:PORT" where both ends are known, else the one that is.
std::string EventFields::ends() const {
  const auto text = [](const IpAddress& address, std::uint16_t port) {
    return format_ip(address) + ':' + std::to_string(port);
  };
  if (event_.type == EventType::kSocket) {
    const auto& socket = *event_.record->as<struct rh_socket>();
    return text(address_of(socket), socket.port);
  }
  if (event_.fd != nullptr && event_.fd->type != '4' && event_.fd->type != '6') return {};
  std::optional<Endpoint> server = this->server();
  if (!server && event_.fd != nullptr) server = event_.fd->bound;
  const std::optional<Endpoint> client = event_.fd == nullptr ? std::nullopt : event_.fd->client;
  std::string name = client ? text(client->address, client->port) : std::string();
  if (client && server) name += "->";
  return server ? name + text(server->address, server->port) : name;
}

Value EventFields::address_value(Field field) const {
  if (event_.type == EventType::kSocket) {
    const auto& socket = *event_.record->as<struct rh_socket>();
    if (field == Field::kFdCip || field == Field::kFdCport) return {};
    if (field == Field::kFdIp || field == Field::kFdSip) return address_of(socket);
    return std::uint64_t{socket.port};
  }
  const std::optional<Endpoint> server = this->server();
  const std::optional<Endpoint> client = event_.fd == nullptr ? std::nullopt : event_.fd->client;
  const std::optional<Endpoint>& asked = field == Field::kFdSip || field == Field::kFdSport   ? server
                                         : field == Field::kFdCip || field == Field::kFdCport ? client
                                         : server                                             ? server
                                                                                              : client;
  if (!asked) return {};
  if (field == Field::kFdIp || field == Field::kFdSip || field == Field::kFdCip) return asked->address;
  return std::uint64_t{asked->port};
}

Value EventFields::signal_value(Field field) const {
  if (event_.type != EventType::kSignal) return {};
  const auto* signal = event_.record->as<struct rh_signal>();
  if (signal == nullptr) return {};
  if (field == Field::kSignalNumber) return std::int64_t{signal->signal};
  if (field == Field::kSignalName) return syscalls::signal_name(signal->signal);
  return std::int64_t{signal->target_tgid};
}

}  // namespace rehearse::trace
