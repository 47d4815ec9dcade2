// The plan: how this host will be shown to the action, made by a pure function and printable before anything
// happens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/facts.h"
#include "sandbox/request.h"
#include "verdict/finding.h"

namespace rehearse::sandbox {

/// Container id 0 is this host id; the range ends below the ids the kernel treats as invalid.
inline constexpr std::uint32_t kIdShift = 2147483648U;
inline constexpr std::uint32_t kIdRange = 2147483647U;

/// Where systemd's own clients find it (bus-util.c of systemd).
inline constexpr const char* kManagerSocket = "/run/systemd/private";

/// How a line of mountinfo is shown. Every visible line gets exactly one; what fits nowhere is kHidden and
/// named.
enum class Show : std::uint8_t {
  kOverlay,  ///< copy-on-write layer over the host's filesystem
  kAlias,    ///< bind of a layer that already shows these objects
  kProc,     ///< fresh procfs of the run's own pid namespace
  kSysfs,    ///< fresh read-only sysfs of the run's own network namespace
  kDev,      ///< minimal private /dev
  kDevpts,   ///< private terminals
  kShm,      ///< private tmpfs
  kMqueue,   ///< mqueue of the run's own ipc namespace
  kCgroup,   ///< the run's own cgroup2 tree, read-only
  kHidden,   ///< an empty read-only directory or file stands there
  kAbsent,   ///< a kernel interface that the sandbox does not have: nothing is mounted
};

/// What to do with a filesystem that cannot be a layer on this kernel (found out by trying).
enum class Fallback : std::uint8_t {
  kRefuse,    ///< the root: the run stops
  kCopy,      ///< copied into the bundle if it is small, else hidden
  kReadOnly,  ///< an image is shown read-only
};

struct MountPlan {
  std::string mountpoint;
  std::string fstype;
  std::string source;
  Show show = Show::kHidden;
  std::uint32_t layer = 0;  ///< kOverlay: its index; kAlias: the layer it is part of
  std::string subpath;      ///< kAlias: path inside the layer, no leading slash, may be empty
  bool read_only = false;
  bool scratch = false;  ///< a layer of its own in a read-only run: may be written, and is thrown away
  bool nosuid = false;
  bool noexec = false;
  Fallback fallback = Fallback::kCopy;
  std::string why;  ///< kHidden and kAbsent
};

/// One overlay: `mounts[mount]` is where it is shown first.
struct LayerPlan {
  std::size_t mount = 0;
  std::vector<std::string> placeholders;  ///< relative paths of masked files
  std::vector<std::string> absent;        ///< relative paths that are not there (whiteouts)
  std::vector<std::string> stores;  ///< relative paths where promotions may keep what is old (whiteouts)
  std::vector<std::string> stands;  ///< relative paths of what a mount of the run's own covers
  std::vector<Addition> additions;  ///< with relative paths
  std::vector<std::string> hidden;  ///< relative paths of directories that a locked empty mount covers
};

struct Plan {
  Request request;
  std::string hostname;
  std::vector<MountPlan> mounts;  ///< parents before children; [0] is /
  std::vector<LayerPlan> layers;
  std::vector<std::string>
      covered;                     ///< locked empty directories: rehearse's own state, wherever it is visible
  std::vector<verdict::Gap> gaps;  ///< known before the run
  std::uint64_t memory_bytes = 0;
  std::uint64_t pids = 0;
  std::optional<double> cpus;
  std::uint64_t dropped_capabilities = 0;
  bool systemd_hidden = false;
  /// rehearse answers at kManagerSocket in place of the host's service manager; the socket's mode.
  std::optional<std::uint32_t> service_manager;
};

/// Pure. kUsage when the request names something that the host does not have, kUnavailable when this host
/// cannot be shown at all.
Result<Plan> make_plan(Request request, const host::HostFacts& facts);

const char* to_string(Show show);

/// `rehearse run --plan`: for people and as JSON ("rehearse.plan/1").
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan);

}  // namespace rehearse::sandbox
