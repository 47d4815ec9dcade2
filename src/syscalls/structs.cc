#include "syscalls/structs.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <iterator>

#include "syscalls/call.h"
#include "syscalls/names.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value = {};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string address(int family, std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (::inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr) return {};
  return text.data();
}

void append_port(std::string& out, std::string_view bytes) {
  fmt::format_to(std::back_inserter(out), "htons({})", ntohs(load<std::uint16_t>(bytes, 2)));
}

void append_inet(std::string& out, std::string_view bytes) {
  out += ", sin_port=";
  append_port(out, bytes);
  out += ", sin_addr=inet_addr(\"" + address(AF_INET, bytes.substr(4)) + "\")";
}

void append_inet6(std::string& out, std::string_view bytes) {
  out += ", sin6_port=";
  append_port(out, bytes);
  fmt::format_to(std::back_inserter(out),
                 ", sin6_flowinfo=htonl({}), inet_pton(AF_INET6, \"{}\", &sin6_addr)",
                 ntohl(load<std::uint32_t>(bytes, 4)), address(AF_INET6, bytes.substr(8)));
  if (bytes.size() >= 28) {
    fmt::format_to(std::back_inserter(out), ", sin6_scope_id={}", load<std::uint32_t>(bytes, 24));
  }
}

void append_unix(std::string& out, std::string_view bytes) {
  std::string_view path = bytes.substr(2);
  out += ", sun_path=";
  if (path.front() == '\0' && path.size() > 1) {  // abstract: every byte counts
    out += '@';
    append_quoted(out, path.substr(1));
    return;
  }
  append_quoted(out, path.substr(0, path.find('\0')));
}

void append_netlink(std::string& out, std::string_view bytes) {
  const auto groups = load<std::uint32_t>(bytes, 8);
  fmt::format_to(std::back_inserter(out), ", nl_pid={}, nl_groups=", load<std::int32_t>(bytes, 4));
  fmt::format_to(std::back_inserter(out), "{}{:0{}x}", groups == 0 ? "" : "0x", groups, groups == 0 ? 8 : 6);
}

void append_packet(std::string& out, std::string_view bytes) {
  out += ", sll_protocol=htons(";
  append_names(out, names::EtherProtocol, ntohs(load<std::uint16_t>(bytes, 2)));
  fmt::format_to(std::back_inserter(out), "), sll_ifindex={}, sll_hatype=", load<std::int32_t>(bytes, 4));
  append_names(out, names::HardwareType, load<std::uint16_t>(bytes, 8));
  out += ", sll_pkttype=";
  append_names(out, names::PacketType, load<std::uint8_t>(bytes, 10));
  const std::size_t length = load<std::uint8_t>(bytes, 11);
  fmt::format_to(std::back_inserter(out), ", sll_halen={}", length);
  const std::string_view hardware = bytes.substr(12, length);
  if (hardware.empty()) return;
  out += ", sll_addr=[";
  for (std::size_t i = 0; i < hardware.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}0x{:02x}", i > 0 ? ", " : "",
                   static_cast<unsigned char>(hardware[i]));
  }
  out += ']';
}

struct Family {
  std::uint16_t number;
  std::size_t least;  ///< bytes that the printer needs
  void (*append)(std::string&, std::string_view);
};

constexpr Family kFamilies[] = {
    {1, 3, append_unix},      {2, 8, append_inet},     {10, 24, append_inet6},
    {16, 12, append_netlink}, {17, 12, append_packet},
};

}  // namespace

void append_sockaddr(std::string& out, std::string_view bytes) {
  if (bytes.size() < 2) {
    append_quoted(out, bytes);
    return;
  }
  const auto number = load<std::uint16_t>(bytes, 0);
  out += "{sa_family=";
  append_names(out, names::SocketDomain, number);
  bool known = false;
  for (const Family& family : kFamilies) {
    if (family.number != number || bytes.size() < family.least) continue;
    family.append(out, bytes);
    known = true;
  }
  if (!known && bytes.size() > 2) {
    out += ", sa_data=";
    append_quoted(out, bytes.substr(2));
  }
  out += '}';
}

void append_clone_args(std::string& out, std::string_view bytes) {
  // Eight-byte fields in the kernel's order: flags, pidfd, child_tid, parent_tid, exit_signal, stack,
  // stack_size, tls, set_tid, set_tid_size, cgroup.
  const auto field = [&](std::size_t i) { return load<std::uint64_t>(bytes, i * 8); };
  const std::size_t count = bytes.size() / 8;
  constexpr std::uint64_t kPidfd = 0x1000;
  constexpr std::uint64_t kChildTid = 0x1200000;
  constexpr std::uint64_t kParentTid = 0x100000;
  constexpr std::uint64_t kTls = 0x80000;
  constexpr std::uint64_t kIntoCgroup = 0x200000000;
  out += "{flags=";
  const std::uint64_t flags = count > 0 ? field(0) : 0;
  append_names(out, names::Clone3Flags, flags);
  const auto pointer = [&](std::size_t i, std::string_view name, bool show) {
    if (count <= i || !show) return;
    out += ", ";
    out += name;
    out += '=';
    append_pointer(out, field(i));
  };
  pointer(1, "pidfd", (flags & kPidfd) != 0);
  pointer(2, "child_tid", (flags & kChildTid) != 0);
  pointer(3, "parent_tid", (flags & kParentTid) != 0);
  if (count > 4) {
    out += ", exit_signal=";
    const std::string_view name =
        field(4) <= 64 ? signal_name(static_cast<int>(field(4))) : std::string_view{};
    if (name.empty()) {
      fmt::format_to(std::back_inserter(out), "{}", field(4));
    } else {
      out += name;
    }
  }
  pointer(5, "stack", true);
  if (count > 6) {
    out += ", stack_size=";
    append_hex(out, field(6));
  }
  pointer(7, "tls", (flags & kTls) != 0);
  if (count > 9 && (field(8) != 0 || field(9) != 0)) {
    pointer(8, "set_tid", true);
    fmt::format_to(std::back_inserter(out), ", set_tid_size={}", field(9));
  }
  if (count > 10 && (flags & kIntoCgroup) != 0) {
    fmt::format_to(std::back_inserter(out), ", cgroup={}", field(10));
  }
  out += '}';
}

void append_open_how(std::string& out, std::string_view bytes) {
  // Eight-byte fields: flags, mode, resolve (openat2(2)).
  if (bytes.size() < 24) {
    append_quoted(out, bytes);
    return;
  }
  constexpr std::uint64_t kCreates = 0x40 | 0x400000;  // O_CREAT, __O_TMPFILE
  const auto flags = load<std::uint64_t>(bytes, 0);
  const auto mode = load<std::uint64_t>(bytes, 8);
  out += "{flags=";
  append_names(out, names::OpenFlags, flags);
  if (mode != 0 || (flags & kCreates) != 0) {
    out += ", mode=";
    append_mode(out, mode);
  }
  out += ", resolve=";
  append_names(out, names::ResolveFlags, load<std::uint64_t>(bytes, 16));
  out += '}';
}

}  // namespace rehearse::syscalls
