#include "host/listeners.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

#include "base/sys.h"
#include "host/identity.h"

namespace rehearse::host {
namespace {

constexpr std::string_view kListen = "0A";
constexpr std::string_view kSocket = "socket:[";

template <class Number>
bool parse(std::string_view text, Number& value, int base) {
  const auto done = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return done.ec == std::errc() && done.ptr == text.data() + text.size();
}

/// "0100007F", or four such words: each in the host's byte order.
std::optional<IpAddress> parse_address(std::string_view text) {
  constexpr std::size_t kWord = 8;
  if (text.size() != kWord && text.size() != 4 * kWord) return std::nullopt;
  IpAddress address = IpAddress::v4({});
  std::size_t at = address.bytes.size() - text.size() / 2;
  for (; !text.empty(); text.remove_prefix(kWord), at += 4) {
    std::uint32_t word = 0;
    if (!parse(text.substr(0, kWord), word, 16)) return std::nullopt;
    std::memcpy(address.bytes.data() + at, &word, sizeof word);
  }
  return address;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

/// Calls `visit` with each name that is a number.
template <class Visit>
void for_each_number(const std::string& path, const Visit& visit) {
  const Directory listing(::opendir(path.c_str()), ::closedir);
  if (!listing) return;
  while (const dirent* entry = ::readdir(listing.get())) {
    std::uint32_t number = 0;
    if (parse(entry->d_name, number, 10)) visit(number);
  }
}

Listener describe(std::uint32_t pid) {
  Listener listener;
  listener.pid = pid;
  const std::string directory = "/proc/" + std::to_string(pid);
  if (auto comm = sys::read_file((directory + "/comm").c_str())) {
    listener.comm = *comm;
    while (listener.comm.ends_with('\n')) listener.comm.pop_back();
  }
  if (const auto groups = sys::read_file((directory + "/cgroup").c_str()))
    listener.unit = unit_in(*groups).value_or("");
  return listener;
}

/// Services are older than who starts late: the first process found with a socket is the one that has it.
std::map<std::uint64_t, Listener> find_owners(const std::set<std::uint64_t>& inodes) {
  std::map<std::uint64_t, Listener> owners;
  for_each_number("/proc", [&](std::uint32_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    for_each_number(directory, [&](std::uint32_t fd) {
      const auto target = sys::read_link_at(AT_FDCWD, (directory + '/' + std::to_string(fd)).c_str());
      if (!target || !target->starts_with(kSocket) || !target->ends_with(']')) return;
      std::uint64_t inode = 0;
      const std::string_view number =
          std::string_view(*target).substr(kSocket.size(), target->size() - kSocket.size() - 1);
      if (parse(number, inode, 10) && inodes.contains(inode) && !owners.contains(inode))
        owners.emplace(inode, describe(pid));
    });
  });
  return owners;
}

}  // namespace

std::set<IpAddress> own_addresses() {
  std::set<IpAddress> own;
  struct ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return own;
  const std::unique_ptr<struct ifaddrs, void (*)(struct ifaddrs*)> held(list, ::freeifaddrs);
  for (const struct ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    IpAddress address = IpAddress::v4({});
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* four = reinterpret_cast<const struct sockaddr_in*>(one->ifa_addr);
      std::memcpy(address.bytes.data() + 12, &four->sin_addr, sizeof four->sin_addr);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* six = reinterpret_cast<const struct sockaddr_in6*>(one->ifa_addr);
      std::memcpy(address.bytes.data(), &six->sin6_addr, sizeof six->sin6_addr);
    } else {
      continue;
    }
    own.insert(address);
  }
  return own;
}

InternetSockets parse_internet_sockets(const std::string& text, bool listening) {
  InternetSockets found;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot;
    std::string local;
    std::string remote;
    std::string state;
    std::string skipped;
    std::uint64_t inode = 0;
    words >> slot >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skipped;
    if (!(words >> inode) || (listening && state != kListen)) continue;
    const std::size_t colon = local.find(':');
    std::uint16_t port = 0;
    if (colon == std::string::npos || !parse(std::string_view(local).substr(colon + 1), port, 16)) continue;
    if (const auto address = parse_address(std::string_view(local).substr(0, colon)))
      found.emplace(std::pair(port, *address), inode);
  }
  return found;
}

std::map<std::string, std::uint64_t> parse_unix_sockets(const std::string& text) {
  constexpr std::uint32_t kAccepts = 0x10000;  // __SO_ACCEPTCON
  constexpr std::uint32_t kDatagram = 2;
  std::map<std::string, std::uint64_t> found;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string number;
    std::string references;
    std::string protocol;
    std::string flags;
    std::string type;
    std::string state;
    std::uint64_t inode = 0;
    if (!(words >> number >> references >> protocol >> flags >> type >> state >> inode)) continue;
    std::uint32_t flag_bits = 0;
    std::uint32_t kind = 0;
    if (!parse(flags, flag_bits, 16) || !parse(type, kind, 16)) continue;
    if ((flag_bits & kAccepts) == 0 && kind != kDatagram) continue;
    std::string path;
    if (words.get() != ' ' || !std::getline(words, path) || path.empty()) continue;
    found.emplace(std::move(path), inode);
  }
  return found;
}

Result<Listeners> Listeners::read() {
  Listeners listeners;
  const auto add = [](auto& to, auto&& from) { to.merge(from); };
  RH_TRY(const std::string tcp, sys::read_file("/proc/net/tcp"));
  add(listeners.tcp_, parse_internet_sockets(tcp, true));
  RH_TRY(const std::string udp, sys::read_file("/proc/net/udp"));
  add(listeners.udp_, parse_internet_sockets(udp, false));
  if (const auto six = sys::read_file("/proc/net/tcp6"))
    add(listeners.tcp_, parse_internet_sockets(*six, true));
  if (const auto six = sys::read_file("/proc/net/udp6"))
    add(listeners.udp_, parse_internet_sockets(*six, false));
  RH_TRY(const std::string local, sys::read_file("/proc/net/unix"));
  add(listeners.unix_, parse_unix_sockets(local));
  std::set<std::uint64_t> inodes;
  for (const auto* map : {&listeners.tcp_, &listeners.udp_})
    for (const auto& [end, inode] : *map) inodes.insert(inode);
  for (const auto& [path, inode] : listeners.unix_) inodes.insert(inode);
  listeners.owners_ = find_owners(inodes);
  listeners.own_ = own_addresses();
  return listeners;
}

std::string to_string(const Listener& listener) {
  if (listener.pid == 0) return "a service of this host";
  return fmt::format("{} (pid {}{}{})", listener.comm, listener.pid, listener.unit.empty() ? "" : ", ",
                     listener.unit);
}

std::optional<Listener> Listeners::find(const InternetSockets& sockets, const IpAddress& address,
                                        std::uint16_t port) const {
  const IpAddress every4 = IpAddress::v4({});
  const IpAddress every6;
  for (const IpAddress& bound : {address, address.is_v4() ? every4 : every6, every6}) {
    if (const auto found = sockets.find({port, bound}); found != sockets.end()) {
      const auto owner = owners_.find(found->second);
      return owner == owners_.end() ? Listener{} : owner->second;
    }
  }
  return std::nullopt;
}

std::optional<Listener> Listeners::in_the_way(bool tcp, const IpAddress& address, std::uint16_t port) const {
  const IpAddress every4 = IpAddress::v4({});
  const IpAddress every6;
  // One of every IPv6 address has those of IPv4, too.
  const auto covers = [&](const IpAddress& all, const IpAddress& one) {
    return all == one || all == every6 || (all == every4 && one.is_v4());
  };
  const InternetSockets& sockets = tcp ? tcp_ : udp_;
  for (auto at = sockets.lower_bound({port, IpAddress{}}); at != sockets.end() && at->first.first == port;
       ++at) {
    if (!covers(at->first.second, address) && !covers(address, at->first.second)) continue;
    const auto owner = owners_.find(at->second);
    return owner == owners_.end() ? Listener{} : owner->second;
  }
  return std::nullopt;
}

std::vector<std::string> Listeners::of(std::uint32_t pid) const {
  std::vector<std::string> sockets;
  const auto add = [&](const char* kind, const std::string& name, std::uint64_t inode) {
    const auto owner = owners_.find(inode);
    if (owner == owners_.end() || owner->second.pid != pid) return;
    std::string socket = kind + name;
    if (std::ranges::find(sockets, socket) == sockets.end()) sockets.push_back(std::move(socket));
  };
  for (const auto& [end, inode] : tcp_) add("tcp ", std::to_string(end.first), inode);
  for (const auto& [end, inode] : udp_) add("udp ", std::to_string(end.first), inode);
  for (const auto& [path, inode] : unix_) add("unix ", path, inode);
  return sockets;
}

}  // namespace rehearse::host
