#include "syscalls/names.h"

#include <algorithm>

#include "syscalls/text.h"

namespace rehearse::syscalls {

std::string_view choice_name(const NameSet& set, std::uint64_t value) {
  if (!set.wide) value &= 0xffffffffU;
  if (set.ascending) {
    const auto found = std::ranges::lower_bound(set.choices, value, {}, &Name::value);
    return found == set.choices.end() || found->value != value ? std::string_view{} : found->name;
  }
  const auto found = std::find_if(set.choices.begin(), set.choices.end(),
                                  [&](const Name& name) { return name.value == (value & set.choice_mask); });
  return found == set.choices.end() ? std::string_view{} : found->name;
}

void append_names(std::string& out, const NameSet& set, std::uint64_t value) {
  if (!set.wide) value &= 0xffffffffU;
  const std::size_t start = out.size();
  const auto remark = [&] {
    if (set.unknown.empty()) return;
    out += " /* ";
    out += set.unknown;
    out += " */";
  };
  const auto separate = [&] {
    if (out.size() > start) out += '|';
  };
  std::uint64_t rest = value & ~set.choice_mask;
  std::uint64_t nameless = 0;
  if (set.choice_mask != 0) {
    const std::string_view name = choice_name(set, value);
    if (name.empty()) nameless = value & set.choice_mask;
    out += name;
  }
  std::string flags;
  for (const Name& flag : set.flags) {
    const bool zero = flag.value == 0 && value == 0 && set.choice_mask == 0;
    if (!zero && (flag.value == 0 || (rest & flag.value) != flag.value)) continue;
    if (!flags.empty()) flags += '|';
    flags += flag.name;
    rest &= ~flag.value;
  }
  if (set.choice_mask != 0 && out.size() == start) {
    append_hex(out, nameless | rest);
    remark();
    rest = 0;
  }
  if (!flags.empty()) {
    separate();
    out += flags;
  }
  if (rest != 0) {
    const bool alone = out.size() == start;
    separate();
    append_hex(out, rest);
    if (alone) remark();
  } else if (out.size() == start) {
    out += '0';
  }
}

const NameSet* names_of(Arg kind) {
  switch (kind) {
#define NAMED(name)  \
  case Arg::k##name: \
    return &names::name;
#include "syscalls/named_args.def"
    NAMED(InetProtocol)
    NAMED(NetlinkProtocol)
    NAMED(SocketOption)
    NAMED(IpOption)
    NAMED(Ipv6Option)
    NAMED(TcpOption)
    NAMED(NetlinkOption)
    NAMED(PacketOption)
    NAMED(FdFlags)
    NAMED(SealFlags)
    NAMED(LeaseType)
    NAMED(NotifyFlags)
    NAMED(Dumpable)
    NAMED(Capability)
    NAMED(CapAmbient)
    NAMED(Securebits)
    NAMED(SeccompMode)
    NAMED(PtraceOptions)
#undef NAMED
    default:
      return nullptr;
  }
}

}  // namespace rehearse::syscalls
