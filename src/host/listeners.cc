#include "host/listeners.h"

#include <dirent.h>
#include <fcntl.h>

#include <charconv>
#include <cstdlib>
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

/// "0100007F" or its IPv6 form: loopback, mapped loopback, or every address.
bool is_reachable(std::string_view address) {
  if (address.size() == 8) return address.ends_with("7F") || address == "00000000";
  return address == "00000000000000000000000000000000" || address == "00000000000000000000000001000000" ||
         address == "0000000000000000FFFF00000100007F" || address == "0000000000000000FFFF000000000000";
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

std::map<std::uint16_t, std::uint64_t> parse_internet_sockets(const std::string& text, bool listening) {
  std::map<std::uint16_t, std::uint64_t> found;
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
    if (is_reachable(std::string_view(local).substr(0, colon))) found.emplace(port, inode);
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
    for (const auto& [port, inode] : *map) inodes.insert(inode);
  for (const auto& [path, inode] : listeners.unix_) inodes.insert(inode);
  listeners.owners_ = find_owners(inodes);
  return listeners;
}

std::vector<std::string> Listeners::of(std::uint32_t pid) const {
  std::vector<std::string> sockets;
  const auto add = [&](const char* kind, const std::string& name, std::uint64_t inode) {
    const auto owner = owners_.find(inode);
    if (owner != owners_.end() && owner->second.pid == pid) sockets.push_back(kind + name);
  };
  for (const auto& [port, inode] : tcp_) add("tcp ", std::to_string(port), inode);
  for (const auto& [port, inode] : udp_) add("udp ", std::to_string(port), inode);
  for (const auto& [path, inode] : unix_) add("unix ", path, inode);
  return sockets;
}

}  // namespace rehearse::host
