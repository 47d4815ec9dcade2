#include "host/identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/ascii.h"
#include "base/sys.h"
#include "host/people.h"

namespace rehearse::host {
namespace {

constexpr std::uint32_t kUnset = 4294967295U;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value == kUnset)
    return std::nullopt;
  return value;
}

std::vector<std::uint32_t> groups_of(const User& user, std::string_view group) {
  std::vector<std::uint32_t> groups = {user.gid};
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4) continue;
    const auto members = split(fields[3], ',');
    const auto gid = number(fields[2]);
    if (gid && std::find(members.begin(), members.end(), user.name) != members.end() &&
        std::find(groups.begin(), groups.end(), *gid) == groups.end()) {
      groups.push_back(*gid);
    }
  }
  return groups;
}

}  // namespace

std::optional<std::string> unit_in(std::string_view self_cgroup) {
  for (const std::string_view line : split(self_cgroup, '\n')) {
    if (!line.starts_with("0::") && line.find(":name=systemd:") == std::string_view::npos) continue;
    const auto parts = split(line, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (part->ends_with(".service") || part->ends_with(".scope")) return std::string(*part);
    }
  }
  return std::nullopt;
}

bool is_user_manager(std::string_view unit) {
  constexpr std::string_view kHead = "user@";
  constexpr std::string_view kTail = ".service";
  return unit.size() > kHead.size() + kTail.size() && unit.starts_with(kHead) && unit.ends_with(kTail) &&
         number(unit.substr(kHead.size(), unit.size() - kHead.size() - kTail.size()));
}

std::optional<std::string> unit_of_requester(std::string_view self_cgroup) {
  for (const std::string_view line : split(self_cgroup, '\n')) {
    if (!line.starts_with("0::") && line.find(":name=systemd:") == std::string_view::npos) continue;
    std::string_view above;
    for (const std::string_view part : split(line, '/')) {
      if (part.ends_with(".service") && !is_user_manager(part)) return std::string(part);
      // A unit of that name anywhere else is no manager.
      if (part.ends_with(".service") && !(above.starts_with("user-") && above.ends_with(".slice")))
        return std::string(above) + '/' + std::string(part);
      above = part;
    }
  }
  return unit_in(self_cgroup);
}

Result<User> parse_user(std::string_view name_or_uid, std::string_view passwd, std::string_view group) {
  const auto uid = number(name_or_uid);
  for (const std::string_view line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 7 || fields[0].empty()) continue;  // a nameless user would be in every empty group
    const auto line_uid = number(fields[2]);
    const auto line_gid = number(fields[3]);
    if (!line_uid || !line_gid || (fields[0] != name_or_uid && line_uid != uid)) continue;
    User user{std::string(fields[0]), *line_uid, *line_gid, std::string(fields[5]),
              std::string(fields[6]), {}};
    user.groups = groups_of(user, group);
    return user;
  }
  if (uid) return User{"", *uid, *uid, "/", "/bin/sh", {*uid}};
  return fail("user \"" + std::string(name_or_uid) + "\" is not in /etc/passwd", ExitCode::kUsage,
              "name an existing user or a uid");
}

Result<User> find_user(std::string_view name_or_uid) {
  RH_TRY(const auto passwd, sys::read_file("/etc/passwd"));
  RH_TRY(const auto group, sys::read_file("/etc/group"));
  return parse_user(name_or_uid, passwd, group);
}

Requester read_requester() {
  Requester requester;
  requester.uid = ::getuid();
  if (const auto text = sys::read_file("/proc/self/loginuid", 64))
    requester.loginuid = number(split(*text, '\n')[0]);
  if (requester.uid == 0 && !requester.loginuid) requester.sudo_uid = user_behind_me();
  requester.attested = requester.loginuid || requester.sudo_uid || std::getenv("SUDO_UID") == nullptr;
  if (const char* claimed = std::getenv("SUDO_UID"); claimed != nullptr && !requester.sudo_uid)
    requester.sudo_uid = number(claimed);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::isatty(fd) != 1) continue;
    if (const auto name = sys::read_link_at(AT_FDCWD, sys::fd_path(fd).c_str())) requester.tty = *name;
    break;
  }
  if (const auto text = sys::read_file("/proc/self/cgroup")) requester.unit = unit_of_requester(*text);
  return requester;
}

}  // namespace rehearse::host
