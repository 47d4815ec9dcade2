#include "trace/field.h"

#include <algorithm>
#include <vector>

#include "base/edit_distance.h"

namespace rehearse::trace {
namespace {

using enum FieldType;
constexpr auto kNone = ArgumentRule::kNone;
constexpr auto kIndex = ArgumentRule::kOptionalIndex;
constexpr auto kRequired = ArgumentRule::kRequired;

constexpr FieldInfo kFields[] = {
    {Field::kEvtNum, "evt.num", kUint, kNone, "number of the event in the trace, from 1"},
    {Field::kEvtTime, "evt.time", kTime, kNone,
     "when it happened: RFC 3339, or seconds (with or without unit) after the trace began"},
    {Field::kEvtRawtime, "evt.rawtime", kUint, kNone, "when it happened, in nanoseconds since 1970"},
    {Field::kEvtReltime, "evt.reltime", kDuration, kNone,
     "time since the trace began: nanoseconds, or with unit (1.5s)"},
    {Field::kEvtLatency, "evt.latency", kDuration, kNone,
     "time from the call's entry to its return: nanoseconds, or with unit (10ms)"},
    {Field::kEvtType, "evt.type", kString, kNone,
     "name of the system call (openat, 'i386 open', syscall_0x258) or event: procexec, procstart, procexit, "
     "signaldeliver, iouring, netverdict, modulerequest"},
    {Field::kEvtDir, "evt.dir", kString, kNone, "'>' when a call is entered, '<' when it has returned"},
    {Field::kEvtCategory, "evt.category", kString, kNone, "kind of event (file, net, process, …)"},
    {Field::kEvtRes, "evt.res", kString, kNone, "SUCCESS or the error's name (ENOENT)"},
    {Field::kEvtRawres, "evt.rawres", kInt, kNone, "what the call returned, as a number (-2)"},
    {Field::kEvtFailed, "evt.failed", kBool, kNone, "true if the call returned an error"},
    {Field::kEvtArg, "evt.arg", kAny, kRequired,
     "one argument of the call, by number from 0 or by its name in the manual page: evt.arg[0], "
     "evt.arg.flags; "
     "as text what trace prints (O_WRONLY|O_CREAT), paths and names without quotes; = takes numbers too"},
    {Field::kEvtArgs, "evt.args", kString, kNone, "all arguments as one text"},
    {Field::kEvtIsOpenRead, "evt.is_open_read", kBool, kNone, "true for an open for reading"},
    {Field::kEvtIsOpenWrite, "evt.is_open_write", kBool, kNone, "true for an open for writing"},
    {Field::kEvtTampered, "evt.tampered", kBool, kNone,
     "true if an argument may not be what the kernel acted on"},
    {Field::kEvtLate, "evt.late", kBool, kNone, "true if an argument was only read long after the call"},
    {Field::kEvtUnread, "evt.unread", kBool, kNone, "true if an argument could be read at no time"},
    {Field::kEvtPrivileged, "evt.privileged", kBool, kNone,
     "true if the report lists it among the privileged attempts"},
    {Field::kProcPid, "proc.pid", kInt, kNone, "process id as the host sees it"},
    {Field::kProcVpid, "proc.vpid", kInt, kNone, "process id as the sandbox sees it"},
    {Field::kProcPpid, "proc.ppid", kInt, kNone, "process id of the parent as the host sees it"},
    {Field::kProcName, "proc.name", kString, kNone, "name of the process (comm, at most 15 bytes)"},
    {Field::kProcExe, "proc.exe", kString, kNone, "first argument of the command line (argv[0])"},
    {Field::kProcExepath, "proc.exepath", kString, kNone, "path of the executable"},
    {Field::kProcArgs, "proc.args", kString, kNone, "arguments of the command line without the first"},
    {Field::kProcCmdline, "proc.cmdline", kString, kNone, "name and arguments"},
    {Field::kProcCwd, "proc.cwd", kString, kNone, "working directory of the thread, as it was named"},
    {Field::kProcPname, "proc.pname", kString, kNone, "name of the parent"},
    {Field::kProcAname, "proc.aname", kString, kIndex,
     "name of an ancestor, [1] who made it: its parent, but for CLONE_PARENT; without number: of any of the "
     "next 256"},
    {Field::kProcApid, "proc.apid", kInt, kIndex,
     "process id of an ancestor, [1] who made it: its parent, but for CLONE_PARENT; without number: of any "
     "of the next 256"},
    {Field::kProcId, "proc.id", kUint, kNone,
     "rehearse's own number of the process, never used twice in a run"},
    {Field::kProcDuration, "proc.duration", kDuration, kNone,
     "age of the process: nanoseconds, or with unit"},
    {Field::kThreadTid, "thread.tid", kInt, kNone, "thread id as the host sees it"},
    {Field::kThreadVtid, "thread.vtid", kInt, kNone, "thread id as the sandbox sees it"},
    {Field::kUserUid, "user.uid", kUint, kNone, "user id"},
    {Field::kUserName, "user.name", kString, kNone, "user name"},
    {Field::kGroupGid, "group.gid", kUint, kNone, "group id"},
    {Field::kFdNum, "fd.num", kInt, kNone, "number of the descriptor"},
    {Field::kFdType, "fd.type", kString, kNone, "type of the descriptor (file, directory, ipv4, pipe, …)"},
    {Field::kFdTypechar, "fd.typechar", kString, kNone,
     "type of the descriptor as one letter (f, 4, 6, u, p, …)"},
    {Field::kFdName, "fd.name", kString, kNone,
     "path of a file, also of one that is only named; of an internet socket CLIENT:PORT->SERVER:PORT, or the "
     "one end that is known"},
    {Field::kFdDirectory, "fd.directory", kString, kNone, "path of the directory that holds the file"},
    {Field::kFdFilename, "fd.filename", kString, kNone, "file name without its directory"},
    {Field::kFdIp, "fd.ip", kIp, kNone, "address of either end (address or CIDR block)"},
    {Field::kFdCip, "fd.cip", kIp, kNone, "address of the client (address or CIDR block)"},
    {Field::kFdSip, "fd.sip", kIp, kNone, "address of the server (address or CIDR block)"},
    {Field::kFdPort, "fd.port", kPort, kNone, "port of either end"},
    {Field::kFdCport, "fd.cport", kPort, kNone, "port of the client"},
    {Field::kFdSport, "fd.sport", kPort, kNone, "port of the server"},
    {Field::kFdL4proto, "fd.l4proto", kString, kNone,
     "protocol of the connection (tcp, udp, icmp, raw, packet)"},
    {Field::kFdDev, "fd.dev", kUint, kNone, "device number of the file system"},
    {Field::kFdIno, "fd.ino", kUint, kNone, "inode number"},
    {Field::kFdUpper, "fd.upper", kBool, kNone, "true if the file lies in the rehearsal's upper layer"},
    {Field::kFsPathName, "fs.path.name", kString, kNone,
     "where the path leads that a call names, absolute (the first of two)"},
    {Field::kFsPathSource, "fs.path.source", kString, kNone,
     "of a call that names two paths (rename, link): where the first leads"},
    {Field::kFsPathTarget, "fs.path.target", kString, kNone,
     "of a call that names two paths (rename, link): where the second leads"},
    {Field::kSignalNumber, "signal.number", kInt, kNone, "number of the signal"},
    {Field::kSignalName, "signal.name", kString, kNone, "name of the signal (SIGKILL)"},
    {Field::kSignalTarget, "signal.target", kInt, kNone, "process id that the signal was sent to"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kFields); ++i) {
    if (static_cast<std::size_t>(kFields[i].field) != i) return false;
  }
  return true;
}
static_assert(in_order() && std::size(kFields) == static_cast<std::size_t>(Field::kSignalTarget) + 1);

}  // namespace

std::span<const FieldInfo> all_fields() {
  return kFields;
}

const FieldInfo& info(Field field) {
  return kFields[static_cast<std::size_t>(field)];
}

const FieldInfo* find_field(std::string_view name) {
  const auto* const found = std::ranges::find(kFields, name, &FieldInfo::name);
  return found == std::end(kFields) ? nullptr : found;
}

std::string_view nearest_field(std::string_view name) {
  if (name.empty() || name.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t least = neighbour_distance(name) + 1;
  for (const FieldInfo& field : kFields) {
    const std::string_view last = field.name.substr(field.name.find('.') + 1);
    const std::size_t apart = name == last ? 0 : edit_distance(name, field.name);
    if (apart < least) {
      least = apart;
      best = field.name;
    }
  }
  return best;
}

std::string_view type_phrase(FieldType type) {
  switch (type) {
    case kBool:
      return "true or false";
    case kInt:
      return "a whole number";
    case kUint:
      return "a whole number from 0 up";
    case kPort:
      return "a port number";
    case kTime:
      return "a time";
    case kDuration:
      return "a duration";
    case kString:
      return "text";
    case kIp:
      return "an internet address";
    case kAny:
      return "text or a number";
  }
  return {};
}

std::string_view type_name(FieldType type) {
  const std::string_view phrase = type_phrase(type);
  for (const std::string_view article : {"a ", "an "}) {
    if (phrase.starts_with(article)) return phrase.substr(article.size());
  }
  return phrase;
}

}  // namespace rehearse::trace
