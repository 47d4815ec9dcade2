#include "syscalls/argument_names.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/edit_distance.h"

namespace rehearse::syscalls {
namespace {

struct Names {
  std::uint32_t nr;
  std::uint8_t count;
  std::array<std::string_view, kMaxArguments> names;
};

template <class... Text>
constexpr Names make(std::uint32_t nr, Text... names) {
  static_assert(sizeof...(names) <= kMaxArguments);
  return {nr, sizeof...(names), {names...}};
}

#define RH_NAME1(a, ...) #a __VA_OPT__(, RH_NAME2(__VA_ARGS__))
#define RH_NAME2(a, ...) #a __VA_OPT__(, RH_NAME3(__VA_ARGS__))
#define RH_NAME3(a, ...) #a __VA_OPT__(, RH_NAME4(__VA_ARGS__))
#define RH_NAME4(a, ...) #a __VA_OPT__(, RH_NAME5(__VA_ARGS__))
#define RH_NAME5(a, ...) #a __VA_OPT__(, RH_NAME6(__VA_ARGS__))
#define RH_NAME6(a) #a

constexpr Names kNames[] = {
#define ARGUMENTS(call, ...) make(Nr::call, RH_NAME1(__VA_ARGS__)),
#include "syscalls/argument_names.def"
#undef ARGUMENTS
};

/// Found by number: the table has its order.
static_assert(std::is_sorted(std::begin(kNames), std::end(kNames),
                             [](const Names& a, const Names& b) { return a.nr < b.nr; }));

using Group = std::array<std::string_view, 12>;

/// What different pages, and other tools, call the same thing. A word of a group means the first argument
/// that has another word of it for a name.
constexpr Group kSame[] = {
    {"op", "cmd", "request", "option", "operation", "command", "opcode", "futex_op"},
    {"size", "count", "len", "length", "buflen", "nbytes", "bufsiz", "bufsize", "msg_len", "msgsz", "plen"},
    {"flags", "mountflags", "swapflags", "oflag", "at_flags", "shmflg", "semflg", "msgflg"},
    {"buf", "data", "buffer", "payload", "msg_ptr", "bufp", "dirp"},
    {"addr", "address", "sockaddr", "dest_addr", "src_addr", "uaddr", "old_address", "shmaddr"},
    {"uid", "owner", "user"},
    {"gid", "group"},
    {"sig", "signum", "signal"},
    {"pid", "tgid", "tid"},
    {"oldpath", "oldname", "from_pathname"},
    {"newpath", "newname", "to_pathname", "linkpath"},
    {"filesystemtype", "fstype", "fsname"},
    {"source", "dev"},
    {"target", "dir"},
    {"protocol", "proto"},
    {"domain", "family"},
    {"argv", "args"},
    {"envp", "env"},
    {"status", "wstatus"},
    {"offset", "pos"},
    {"olddirfd", "olddfd", "from_dirfd"},
    {"newdirfd", "newdfd", "to_dirfd"},
    {"prot", "protection"},
};

bool has_word(const Group& group, std::string_view name) {
  return !name.empty() && std::ranges::find(group, name) != group.end();
}

/// Words for whatever argument is of a kind.
struct KindWord {
  std::string_view word;
  Arg kind;
};
constexpr KindWord kByKind[] = {
    {"fd", Arg::kFd},        {"dirfd", Arg::kAtFd},      {"dfd", Arg::kAtFd},        {"flags", Arg::kOpenHow},
    {"mode", Arg::kOpenHow}, {"resolve", Arg::kOpenHow}, {"flags", Arg::kCloneArgs},
};
/// Of these the first text that the call takes is meant.
constexpr std::string_view kTextWords[] = {"path", "pathname", "filename", "name"};

std::optional<std::uint8_t> index_in(std::span<const std::string_view> names, auto matches) {
  const auto found = std::ranges::find_if(names, matches);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - names.begin());
}

}  // namespace

std::span<const std::string_view> argument_names(const Syscall& call) {
  const auto* const found = std::ranges::lower_bound(kNames, call.nr, {}, &Names::nr);
  if (found == std::end(kNames) || found->nr != call.nr) return {};
  return std::span(found->names).first(found->count);
}

std::optional<std::uint8_t> find_argument(const Syscall& call, std::string_view name) {
  const std::span<const std::string_view> names = argument_names(call);
  if (const auto exact = index_in(names, [&](std::string_view one) { return one == name; })) return exact;
  if (std::ranges::find(kTextWords, name) != std::end(kTextWords)) {
    if (call.strings().empty()) return std::nullopt;
    return call.strings().front();
  }
  for (const Group& group : kSame) {
    if (!has_word(group, name)) continue;
    if (const auto same = index_in(names, [&](std::string_view one) { return has_word(group, one); }))
      return same;
  }
  for (const KindWord& one : kByKind) {
    if (one.word != name) continue;
    if (const auto index = call.find(one.kind)) return index;
  }
  return std::nullopt;
}

bool is_argument_name(std::string_view name) {
  if (name.empty()) return false;
  const auto has = [&](const Names& names) {
    return std::ranges::find(names.names, name) != names.names.end();
  };
  return std::ranges::any_of(kNames, has) || std::ranges::find(kTextWords, name) != std::end(kTextWords) ||
         std::ranges::any_of(kSame, [&](const Group& group) { return has_word(group, name); }) ||
         std::ranges::find(kByKind, name, &KindWord::word) != std::end(kByKind);
}

std::string_view nearest_argument_name(std::string_view name) {
  std::vector<std::string_view> all(std::begin(kTextWords), std::end(kTextWords));
  const auto add = [&](std::string_view word) {
    if (!word.empty()) all.push_back(word);
  };
  for (const Names& names : kNames) std::ranges::for_each(names.names, add);
  for (const Group& group : kSame) std::ranges::for_each(group, add);
  for (const KindWord& one : kByKind) add(one.word);
  return nearest_word(name, all);
}

}  // namespace rehearse::syscalls
