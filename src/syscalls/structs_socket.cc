// Socket addresses, messages and options.
#include <arpa/inet.h>

#include <array>

#include "syscalls/names.h"
#include "syscalls/struct_bytes.h"
#include "syscalls/structs.h"
#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

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

void append_address(std::string& out, std::string_view bytes) {
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

/// struct msghdr: name, namelen, iov, iovlen, control, controllen, flags.
void append_header(std::string& out, std::string_view bytes, const Call& call) {
  constexpr std::size_t kBytes = 56;
  if (bytes.size() < kBytes) {
    append_quoted(out, bytes);
    return;
  }
  out += "{msg_name=";
  const auto name = load<std::uint64_t>(bytes, 0);
  if (name != 0 && call.peer) {
    append_address(out, *call.peer);
  } else {
    append_pointer(out, name);
  }
  append_format(out, ", msg_namelen={}, msg_iov=", load<std::int32_t>(bytes, 8));
  append_pointer(out, load<std::uint64_t>(bytes, 16));
  append_format(out, ", msg_iovlen={}", load<std::uint64_t>(bytes, 24));
  if (const auto control = load<std::uint64_t>(bytes, 32); control != 0) {
    out += ", msg_control=";
    append_pointer(out, control);
  }
  append_format(out, ", msg_controllen={}, msg_flags=", load<std::uint64_t>(bytes, 40));
  append_names(out, names::MsgFlags, load<std::uint32_t>(bytes, 48));
  out += '}';
}

}  // namespace

void append_sockaddr(std::string& out, const StructView& from) {
  append_address(out, from.bytes);
}

void append_message(std::string& out, const StructView& from) {
  append_header(out, from.bytes, from.call);
}

/// The first of an array: its header and how many bytes went.
void append_messages(std::string& out, const StructView& from) {
  constexpr std::size_t kBytes = 64;
  if (from.bytes.size() < kBytes) {
    out += "[]";
    return;
  }
  out += "[{msg_hdr=";
  append_header(out, from.bytes.substr(0, 56), from.call);
  append_format(out, ", msg_len={}}}", load<std::uint32_t>(from.bytes, 56));
  const auto count = static_cast<std::uint32_t>(from.call.args[from.index + 1]);
  out += count > 1 ? ", ...]" : "]";
}

void append_option(std::string& out, const StructView& from) {
  constexpr std::uint32_t kSocket = 1;
  constexpr std::uint32_t kLinger = 13;
  constexpr std::uint32_t kPeerCredentials = 17;
  const auto level = static_cast<std::uint32_t>(from.call.args[1]);
  const auto option = static_cast<std::uint32_t>(from.call.args[2]);
  const std::string_view bytes = from.bytes;
  if (level == kSocket && option == kLinger && bytes.size() >= 8) {
    append_format(out, "{{l_onoff={}, l_linger={}}}", load<std::int32_t>(bytes, 0),
                  load<std::int32_t>(bytes, 4));
    return;
  }
  if (level == kSocket && option == kPeerCredentials && bytes.size() >= 12) {
    append_format(out, "{{pid={}, uid={}, gid={}}}", load<std::int32_t>(bytes, 0),
                  load<std::int32_t>(bytes, 4), load<std::int32_t>(bytes, 8));
    return;
  }
  if (bytes.size() == 4) {
    append_format(out, "[{}]", load<std::int32_t>(bytes, 0));
    return;
  }
  append_quoted(out, bytes);
}

}  // namespace rehearse::syscalls
