#include "verdict/subjects.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace rehearse::verdict {
namespace {

using Words = std::string_view;

constexpr Words kChanges[] = {"type", "created", "deleted", "renamed", "modified", "metadata", "identical"};
constexpr Words kAlso[] = {"mode", "owner", "mtime", "xattrs", "acl", "caps", "flags", "hardlink", "blocks"};
constexpr Words kTypes[] = {"file", "dir", "symlink", "fifo", "socket", "device"};
constexpr Words kModeBits[] = {"setuid",      "setgid",     "sticky", "group_write",
                               "world_write", "world_read", "exec"};
constexpr Words kSizes[] = {"emptied", "shrunk", "grown"};
constexpr Words kUses[] = {"opened", "executed", "listed", "attributes", "present", "absent"};
constexpr Words kNetVerdicts[] = {"denied", "mocked", "passed", "replayed", "absent", "listening"};
constexpr Words kScopes[] = {"local", "outside", "inbound"};
constexpr Words kAnswers[] = {"mocked", "refused", "carried-out"};
constexpr Words kResults[] = {"denied", "faked", "contained"};
constexpr Words kAccountChanges[] = {"user-added",    "user-removed",     "user-changed",   "group-added",
                                     "group-removed", "group-changed",    "member-added",   "member-removed",
                                     "password-set",  "password-emptied", "password-locked"};
constexpr Words kPackageChanges[] = {"installed", "upgraded", "downgraded", "removed", "changed", "broken"};
constexpr Words kCaps[] = {"green", "yellow", "inconclusive"};

constexpr Key kFile[] = {
    {"path", KeyKind::kPath, {}, "of the object; of a renamed one its old path counts too"},
    {"change", KeyKind::kWord, kChanges, "what happened to it"},
    {"also", KeyKind::kWord, kAlso, "what else differs"},
    {"type", KeyKind::kWord, kTypes, "of the object after; before, if it was deleted"},
    {"mode_gain", KeyKind::kWord, kModeBits, "permission bits that it has now and had not"},
    {"mode_lost", KeyKind::kWord, kModeBits, "permission bits that it had"},
    {"size_change", KeyKind::kWord, kSizes, "emptied: 0 bytes left; shrunk: less than half is left"},
    {"caps_gain", KeyKind::kBool, {}, "it has file capabilities that it had not"},
    {"owner_change", KeyKind::kBool, {}, "another user or group owns it"},
    {"from_package", KeyKind::kBool, {}, "a package owns it that this run installed, upgraded or removed"},
    {"diverted", KeyKind::kBool, {}, "dpkg-divert has moved it, and says so in dpkg's list"},
    {"inert", KeyKind::kBool, {}, "settings of git, new or changed, none of which starts a program"},
    {"owned", KeyKind::kBool, {}, "some package owns it"},
    {"masked", KeyKind::kBool, {}, "its content was hidden from the action"},
    {"noise", KeyKind::kBool, {}, "nothing differs but times of the run itself"},
    {"target", KeyKind::kPath, {}, "where a symlink leads; relative ones are resolved"},
    {"package", KeyKind::kText, {}, "name of the owning package"},
    {"size", KeyKind::kBytes, {}, "after; before, if it was deleted"},
    {"uid", KeyKind::kNumber, {}, "of the owner after; before, if it was deleted"},
    {"gid", KeyKind::kNumber, {}, "of the group after; before, if it was deleted"},
};
constexpr Key kRead[] = {
    {"path", KeyKind::kPath, {}, "of what the result rests on"},
    {"use", KeyKind::kWord, kUses, "what was done with it"},
    {"secret", KeyKind::kBool, {}, "it is a key or password file, and was opened"},
    {"before_net",
     KeyKind::kBool,
     {},
     "it was opened before something outside was to be reached, or while who tried still lived"},
};
constexpr Key kProcess[] = {
    {"exe", KeyKind::kPath, {}, "the file that the kernel executed"},
    {"script", KeyKind::kPath, {}, "that it interprets"},
    {"sha256", KeyKind::kText, {}, "of the executed file, hexadecimal"},
    {"comm", KeyKind::kText, {}, "the kernel's short name"},
    {"argv", KeyKind::kText, {}, "any of its words (the process's own claim)"},
    {"line", KeyKind::kText, {}, "all of its words, with spaces between (the process's own claim)"},
    {"uid", KeyKind::kNumber, {}, "effective"},
    {"exit", KeyKind::kNumber, {}, "its status"},
    {"signal", KeyKind::kNumber, {}, "that ended it"},
    {"setuid", KeyKind::kBool, {}, "setuid bits or file capabilities took effect"},
};
constexpr Key kNet[] = {
    {"verdict", KeyKind::kWord, kNetVerdicts,
     "what the gate did; listening: the action waited there for others"},
    {"scope", KeyKind::kWord, kScopes,
     "local: a socket of this host; inbound: where other hosts would reach it; outside: everything else"},
    {"proto", KeyKind::kText, {}, "tcp, udp, icmp, unix, other"},
    {"to", KeyKind::kText, {}, "\"NAME:PORT\" and \"ADDRESS:PORT\", either; a local socket's path"},
    {"name", KeyKind::kText, {}, "that the address was looked up by"},
    {"address", KeyKind::kText, {}, "or path of a local socket"},
    {"port", KeyKind::kNumber, {}, ""},
    {"bytes_out", KeyKind::kBytes, {}, "passed or mocked"},
    {"exe", KeyKind::kPath, {}, "of the process that tried it"},
};
constexpr Key kUnit[] = {
    {"unit", KeyKind::kText, {}, "as it was named"},
    {"request", KeyKind::kText, {}, "start, restart, enable, mask, daemon-reload, ..."},
    {"answered", KeyKind::kWord, kAnswers, ""},
};
constexpr Key kPrivilege[] = {
    {"what", KeyKind::kText, {}, "mount, module, reboot, sysctl, clock, kill, ..."},
    {"detail", KeyKind::kText, {}, "the call; texts in it are the action's word"},
    {"capability", KeyKind::kText, {}, "CAP_SYS_TIME, ...: what a host's kernel asks for (capabilities(7))"},
    {"result", KeyKind::kWord, kResults, ""},
    {"errno", KeyKind::kText, {}, "EPERM, ..."},
    {"exe", KeyKind::kPath, {}, "of the process that tried it"},
};
constexpr Key kAccount[] = {
    {"what", KeyKind::kWord, kAccountChanges, "what became of it"},
    {"name", KeyKind::kText, {}, "of the user; of member-*: the user"},
    {"group", KeyKind::kText, {}, "of group-* and member-*"},
    {"uid", KeyKind::kNumber, {}, "after"},
    {"gid", KeyKind::kNumber, {}, "after"},
    {"shell", KeyKind::kText, {}, "after"},
};
constexpr Key kPackage[] = {
    {"what", KeyKind::kWord, kPackageChanges, "what became of it"},
    {"name", KeyKind::kText, {}, ""},
    {"version", KeyKind::kText, {}, "after; before, if it was removed"},
};
constexpr Key kSysctl[] = {
    {"name", KeyKind::kText, {}, "net.ipv4.ip_forward"},
    {"result", KeyKind::kWord, kResults, ""},
};
constexpr Key kCost[] = {
    {"wall", KeyKind::kDuration, {}, "time from start to end"},
    {"cpu", KeyKind::kDuration, {}, "user and system time"},
    {"memory", KeyKind::kBytes, {}, "resident at most"},
    {"written", KeyKind::kBytes, {}, "allocated by the changes"},
    {"output", KeyKind::kBytes, {}, "on its streams"},
    {"changes", KeyKind::kNumber, {}, "of files, noise left out"},
    {"deletes", KeyKind::kNumber, {}, "of files"},
    {"processes", KeyKind::kNumber, {}, ""},
    {"syscalls", KeyKind::kNumber, {}, ""},
};
constexpr Key kCommand[] = {
    {"exit", KeyKind::kNumber, {}, "its status"},
    {"signal", KeyKind::kNumber, {}, "that ended it"},
    {"timed_out", KeyKind::kBool, {}, ""},
    {"started", KeyKind::kBool, {}, ""},
    {"leftover", KeyKind::kBool, {}, "processes outlived it"},
    {"argv", KeyKind::kText, {}, "any of its words"},
    {"line", KeyKind::kText, {}, "all of its words, with spaces between"},
    {"action", KeyKind::kText, {}, "name of the action file, empty for none"},
    {"class", KeyKind::kText, {}, "of the action file"},
    {"uid", KeyKind::kNumber, {}, "it ran as"},
};
constexpr Key kTrace[] = {
    {"recorded", KeyKind::kBool, {}, "system calls were recorded"},
    {"complete", KeyKind::kBool, {}, "and none was lost"},
    {"lost", KeyKind::kNumber, {}, ""},
    {"events", KeyKind::kNumber, {}, ""},
};
constexpr Key kFidelity[] = {
    {"gap", KeyKind::kText, {}, "what could not be like production"},
    {"cap", KeyKind::kWord, kCaps, "the best verdict that it leaves"},
};
constexpr Key kExpect[] = {
    {"what", KeyKind::kText, {}, "the key of the expectation"},
    {"met", KeyKind::kBool, {}, ""},
};

constexpr SubjectKeys kTable[kSubjects] = {
    {"file", kFile},         {"read", kRead},           {"process", kProcess}, {"net", kNet},
    {"unit", kUnit},         {"privilege", kPrivilege}, {"account", kAccount}, {"package", kPackage},
    {"sysctl", kSysctl},     {"cost", kCost},           {"command", kCommand}, {"trace", kTrace},
    {"fidelity", kFidelity}, {"expect", kExpect},
};

constexpr unsigned bits_of(const Key& key) {
  return key.kind == KeyKind::kWord   ? static_cast<unsigned>(key.words.size())
         : key.kind == KeyKind::kBool ? 1
                                      : 0;
}

constexpr unsigned bits_before(std::span<const Key> keys, std::size_t key) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < key; ++i) bits += bits_of(keys[i]);
  return bits;
}
static_assert(bits_before(kFile, std::size(kFile)) <= 64);
static_assert(bits_before(kRead, std::size(kRead)) <= 64);

}  // namespace

const SubjectKeys& keys_of(Subject subject) {
  return kTable[static_cast<std::size_t>(subject)];
}

std::optional<Subject> find_subject(std::string_view name) {
  for (std::size_t i = 0; i < kSubjects; ++i) {
    if (kTable[i].name == name) return static_cast<Subject>(i);
  }
  return std::nullopt;
}

unsigned first_bit(Subject subject, std::size_t key) {
  return bits_before(keys_of(subject).keys, key);
}

std::uint64_t bit_of(Subject subject, std::string_view key, std::string_view word) {
  const auto keys = keys_of(subject).keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].name != key) continue;
    const auto found = std::find(keys[i].words.begin(), keys[i].words.end(), word);
    const auto place = word.empty() ? 0 : found - keys[i].words.begin();
    if (!word.empty() && found == keys[i].words.end()) break;
    return std::uint64_t{1} << (first_bit(subject, i) + static_cast<unsigned>(place));
  }
  std::abort();  // a name in the program is misspelt
}

std::optional<StreamKey> stream_key(std::string_view key) {
  constexpr std::pair<std::string_view, StreamKey> kKeys[] = {
      {"path", StreamKey::kPath}, {"target", StreamKey::kTarget}, {"package", StreamKey::kPackage},
      {"size", StreamKey::kSize}, {"uid", StreamKey::kUid},       {"gid", StreamKey::kGid}};
  for (const auto& [name, which] : kKeys) {
    if (name == key) return which;
  }
  return std::nullopt;
}

}  // namespace rehearse::verdict
