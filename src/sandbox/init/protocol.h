// What the supervisor and PID 1 of a sandbox say to each other.
//
// Configuration goes through a sealed memfd that init maps; strings and arrays are named by offsets from its
// start. Messages go through a SOCK_SEQPACKET pair, one struct a message. Nothing here depends on libc: init
// has none.
#pragma once

#include <cstdint>

namespace rehearse::sandbox {

/// Descriptors as init finds them.
inline constexpr int kInitControlFd = 3;
inline constexpr int kInitConfigFd = 4;
inline constexpr int kInitToolsFd = 5;  ///< if InitConfig::tools says so

inline constexpr int kManagerBacklog = 4096;  ///< the host has SOMAXCONN

/// What PID 1 is called, whatever the kernel makes of the name of a program without one.
inline constexpr char kInitName[] = "rehearse-init";

inline constexpr std::uint32_t kInitMagic = 0x72686931;  // "rhi1"

/// Of setrlimit(2).
struct InitLimit {
  std::uint64_t soft, hard;
};

struct InitConfig {
  std::uint32_t magic;
  std::uint32_t size;  ///< of the whole blob
  std::uint32_t argv;  ///< offset of argc+1 uint64 string offsets, the last 0; the word before them is free
  std::uint32_t argc;
  std::uint32_t envp;  ///< likewise
  std::uint32_t envc;
  std::uint32_t candidates;  ///< paths to try in turn, as execvp(3) would
  std::uint32_t candidate_count;
  std::uint32_t cwd;     ///< offset of a string
  std::uint32_t groups;  ///< offset of uint32 supplementary group ids
  std::uint32_t group_count;
  std::uint32_t filter;  ///< offset of struct sock_filter[]
  std::uint32_t filter_count;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t umask;
  std::uint32_t terminal;       ///< 1: descriptor 0 is a terminal that the action shall control
  std::uint32_t mount_cgroup;   ///< 1: show the run's own cgroup2 tree at /sys/fs/cgroup
  std::uint32_t tools;          ///< 1: programs may be asked for, see ToolRequest
  std::uint32_t core_is_piped;  ///< 1: the host runs a program for each core dump
  InitLimit open_files;         ///< RLIMIT_NOFILE and RLIMIT_FSIZE as rehearse's caller had them
  InitLimit file_size;
  std::uint64_t ignored_signals;       ///< bit n-1: the action finds signal n ignored, as the caller's other
                                       ///< programs do
  std::uint64_t dropped_capabilities;  ///< bit n: capability n leaves the bounding set
};

/// Supervisor to init.
enum class InitCommand : std::uint32_t {
  kMapped = 1,  ///< the id maps are written: become root of the namespace
  kGo = 2,      ///< the mounts are ready; three descriptors (stdin, stdout, stderr) come with it, and with
                ///< InitConfig::tools the service manager's socket
  kQuit = 3,    ///< everything is read: end
  kProbe = 4,   ///< a ProbeRequest; three descriptors (stdin, stdout, stderr) come with it
  kStop = 5,    ///< end the probe that runs, and its process group
};

/// Where a failure happened; the supervisor turns it into a sentence.
enum class InitStep : std::uint32_t {
  kNone = 0,
  kReadConfig,
  kCgroup,
  kSetIds,
  kExecInit,
  kKeyring,
  kLoopback,
  kParentDeath,
  kReceive,
  kUnshare,
  kMountCgroup,
  kCapabilities,
  kLimits,
  kSeccomp,
  kFork,
  kSession,
  kTerminal,
  kDescriptors,
  kWorkingDirectory,
  kActionIds,
  kExec,
  kInterpreter,  ///< the program is there; what it names to be executed by (#!, ELF) is not
};

enum class InitEvent : std::uint32_t {
  kFailed = 1,        ///< set-up failed at `step` with `error`: the action never ran
  kReady = 2,         ///< init is root of its namespaces
  kStarted = 3,       ///< the action is executing; `pid` is its id inside
  kExited = 4,        ///< the action ended with wait status `status`
  kProbeStarted = 5,  ///< `pid` is the probe's id inside
  kProbeEnded = 6,    ///< with wait status `status`; or it was never started: `step`, `error`
};

struct InitMessage {
  InitEvent event;
  InitStep step;
  std::int32_t error;
  std::int32_t status;
  std::int32_t pid;
  std::uint32_t padding;
  std::int64_t user_us;
  std::int64_t system_us;
  std::int64_t max_rss_kib;
};

/// A program that rehearse itself wants run inside, as root and under the action's filter, in / and with an
/// environment of init's: asked for on a SOCK_SEQPACKET pair of its own, one at a time. `argc` strings, each
/// ended by NUL, follow; the first is the path of the program, too. Three descriptors (stdin, stdout, stderr)
/// come with it. Answered by one ToolEnd.
struct ToolRequest {
  std::uint32_t argc;
  std::uint32_t seconds;  ///< after which it is killed, with its process group
};
inline constexpr std::uint32_t kMaxToolRequest = 64U << 10U;
inline constexpr std::uint32_t kMaxToolWords = 4096;

struct ToolEnd {
  std::int32_t error;   ///< errno of why it could not be started, or 0
  std::int32_t status;  ///< wait status
};

/// A program that is run when the action has ended, while what the action left running goes on: asked for on
/// the control socket, one at a time. `candidates` paths, to be tried in turn, and the `argc` words of the
/// command follow, each ended by NUL; together at most kMaxToolRequest bytes and kMaxToolWords strings.
struct ProbeRequest {
  InitCommand command;  ///< kProbe
  std::uint32_t candidates;
  std::uint32_t argc;
};

}  // namespace rehearse::sandbox
