#include "host/people.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/sys.h"

namespace rehearse::host {
namespace {

constexpr int kMostAncestors = 256;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// The first number after "Name:" and blanks.
template <class Number>
std::optional<Number> field(std::string_view status, std::string_view name) {
  for (const std::string_view line : split(status, '\n')) {
    if (!line.starts_with(name)) continue;
    std::string_view rest = line.substr(name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return number<Number>(rest.substr(0, rest.find_first_of(" \t")));
  }
  return std::nullopt;
}

std::optional<ProcessIds> read_ids(std::int32_t pid) {
  const auto text = sys::read_file(("/proc/" + std::to_string(pid) + "/status").c_str(), 65536);
  return text ? ids_in(*text) : std::nullopt;
}

}  // namespace

Person person_in(std::uint32_t uid, std::string_view passwd, std::string_view group) {
  Person person;
  person.uid = uid;
  std::optional<std::uint32_t> own_group;
  for (const std::string_view line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 7 || fields[0].empty() || number<std::uint32_t>(fields[2]) != uid) continue;
    person.name = fields[0];
    own_group = number<std::uint32_t>(fields[3]);
    break;
  }
  if (person.name.empty()) return person;
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4 || fields[0].empty()) continue;
    const auto members = split(fields[3], ',');
    const bool member = std::ranges::find(members, person.name) != members.end();
    if (member || (own_group && number<std::uint32_t>(fields[2]) == own_group))
      person.groups.emplace_back(fields[0]);
  }
  return person;
}

Result<Person> find_person(std::uint32_t uid) {
  RH_TRY(const auto passwd, sys::read_file("/etc/passwd"));
  RH_TRY(const auto group, sys::read_file("/etc/group"));
  return person_in(uid, passwd, group);
}

std::string name_of(const Person& person) {
  return person.name.empty() ? "uid " + std::to_string(person.uid) : person.name;
}

std::optional<ProcessIds> ids_in(std::string_view status) {
  const auto parent = field<std::int32_t>(status, "PPid:");
  const auto uid = field<std::uint32_t>(status, "Uid:");
  if (!parent || !uid) return std::nullopt;
  return ProcessIds{*parent, *uid};
}

std::optional<std::uint32_t> user_behind(
    std::int32_t pid, const std::function<std::optional<ProcessIds>(std::int32_t)>& ids_of) {
  for (int depth = 0; pid > 0 && depth < kMostAncestors; ++depth) {
    const auto ids = ids_of(pid);
    if (!ids) return std::nullopt;
    if (ids->real_uid != 0) return ids->real_uid;
    pid = ids->parent;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> user_behind_me() {
  return user_behind(::getpid(), read_ids);
}

}  // namespace rehearse::host
