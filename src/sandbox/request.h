// What was asked for: the action and the operator's options, before anything is known about the host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/callers_descriptors.h"

namespace rehearse::sandbox {

enum class Profile : std::uint8_t {
  kShifted,  ///< user namespace with shifted ids: the default and the only one chosen automatically
  kRoot,     ///< no user namespace: bounded capabilities and masks, for hosts whose root cannot be idmapped
};
enum class Terminal : std::uint8_t { kAuto, kAlways, kNever };

struct Limits {
  std::optional<std::int64_t> wall_ns;
  std::optional<std::uint64_t> memory_bytes;  ///< absent: three quarters of what is available now
  std::optional<std::uint64_t> pids;          ///< absent: kDefaultPids
  std::optional<double> cpus;
  std::optional<std::uint64_t> write_bytes;
};
inline constexpr std::uint64_t kDefaultPids = 8192;

/// Text that the action finds and the host does not have: at the end of a file, or as a file of its own.
struct Addition {
  std::string path;  ///< absolute; where the host has no such file (for a fresh one: no such directory)
                     ///< nothing is added
  std::string text;
  bool fresh = false;  ///< a file of its own, mode 0644, root's
};

/// Who the action runs as, in host ids, resolved.
struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

struct Request {
  std::vector<std::string> argv;
  std::string cwd = "/";
  Identity identity;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<std::string> not_passed;  ///< names of the caller's variables that are not in `env`
  Descriptors descriptors;              ///< of the caller: the action gets none of them
  /// What the rehearsal sets besides, where `env` has no such name: no part of what was asked for.
  std::vector<std::pair<std::string, std::string>> own_env;
  std::uint32_t umask = 022;
  Limits limits;
  Profile profile = Profile::kShifted;
  bool terminal = false;          ///< the action gets a terminal of its own
  std::vector<std::string> hide;  ///< absolute paths shown empty (directories) or absent
  std::vector<std::string>
      mask;  ///< absolute paths of files shown without their content: found secrets and --mask
  std::vector<Addition> additions;
  bool read_only = false;            ///< every layer is mounted read-only, but for `scratch`
  std::vector<std::string> scratch;  ///< canonical paths of directories whose content nobody relies on
  std::string state_dir;             ///< canonical path of the state directory: always hidden
};

}  // namespace rehearse::sandbox
