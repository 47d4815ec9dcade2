// Sets of names for numbers and bits, and the one printer for them.
//
// A value is a choice (the bits under `choice_mask`) plus flags; either may be empty. Names of flags are
// tried in order, so a combination stands before its parts. What has no name is shown as hex, as strace does:
// "O_RDONLY|0x40000000", "0x63 /* AF_??? */".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "syscalls/table.h"

namespace rehearse::syscalls {

struct Name {
  std::uint64_t value;
  std::string_view name;
};

struct NameSet {
  std::span<const Name> choices;
  std::uint64_t choice_mask;  ///< 0: flags only; all ones: a choice only
  std::span<const Name> flags;
  std::string_view unknown;  ///< for the comment: "AF_???"; empty: there is none
  bool wide = false;         ///< the kernel takes all 64 bits; else the low 32
  bool ascending = false;    ///< the choices are in the order of their values, and all of those are choices
};

/// The value's names, appended.
void append_names(std::string& out, const NameSet& set, std::uint64_t value);

/// The name of a choice, empty if it has none.
std::string_view choice_name(const NameSet& set, std::uint64_t value);

/// The set that alone decides how a kind is shown, nullptr for the other kinds.
const NameSet* names_of(Arg kind);

namespace names {
#define NAMED(name) extern const NameSet name;
#include "syscalls/named_args.def"
#undef NAMED
extern const NameSet CapAmbient, Capability, CapVersion, Clone3Flags, Dumpable, EpollEvents, EtherProtocol,
    FdFlags, FileKind, FutexOp, HardwareType, InetProtocol, IoprioClass, IpOption, IpcFlags, Ipv6Option,
    KeySpecial, LeaseType, NetlinkOption, NetlinkProtocol, NotifyFlags, PacketOption, PacketType, Personality,
    PollEvents, Propagation, PtraceOptions, QuotaSubcommand, QuotaType, SchedFlags, SealFlags, SeccompMode,
    Securebits, ShmgetFlags, SigactionFlags, SocketOption, StatxAttributes, SyslogAction, TcpOption;
extern const NameSet ChildCode, FsMagic, FutexWaiterFlags, IoctlRequest, StatfsFlags, TermControl, TermInput,
    TermLocal, TermOutput, TermSpeed;
}  // namespace names

}  // namespace rehearse::syscalls
