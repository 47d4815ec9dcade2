// The stable interface of librehearse: what a program needs to rehearse an action and read its result.
// Everything else below src/ may change from version to version. Plain types only; C++20.
//
// Needs root. A rehearsal changes the calling thread's mount namespace and filesystem ids while it builds its
// sandbox, blocks SIGINT, SIGTERM, SIGHUP and SIGWINCH while the action runs, ignores SIGXFSZ from then on
// and raises the limits of open files and of file size; the action gets what the process had at its first
// call: call it from a process, or at least a thread, that does nothing else meanwhile. Strings are bytes;
// nothing in them is escaped.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rehearse {

inline constexpr std::uint64_t kCaptureBytes = std::uint64_t{4} << 20U;

/// The action and how it is to be shown this host. Empty and absent members take the defaults of `rehearse
/// run`.
struct Options {
  std::vector<std::string> argv;            ///< the command; argv[0] is looked for in PATH as execvp(3) does
  std::string action;                       ///< name or path of an action file: `argv` are further words then
  std::string state = "/var/lib/rehearse";  ///< state directory: absolute, root's own, mode 0700
  std::string user;                         ///< name or uid the action runs as; default root
  std::string cwd;                          ///< absolute; default the caller's
  std::vector<std::string> env;             ///< NAME=VALUE, or NAME to pass the caller's value
  std::vector<std::string> hide;            ///< absolute paths shown empty
  std::vector<std::string> mask;            ///< absolute paths of secret files shown empty
  std::vector<std::string> unmask;          ///< found secrets that are shown after all
  std::string expect;                       ///< path of a file of expectations: docs/action-files.md
  bool validators = true;  ///< check configuration that has changed, inside (docs/failures.md)
  std::string claim;  ///< what the requester says that the action does: kept, never verified; at most 16 KiB
  /// Where nothing can be written; an attempt ends the run, and it is rehearsed in full.
  bool read_only = false;
  std::optional<std::int64_t> wall_ns;  ///< the action is killed after this time
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<double> cpus;
  std::optional<std::uint64_t> write_bytes;
  bool root_profile = false;             ///< no user namespace: for hosts whose root cannot be idmapped
  bool trace = true;                     ///< record every system call; without it the verdict is inconclusive
  std::uint64_t trace_buffer_bytes = 0;  ///< of each CPU, a power of two; 0: as large as they get
  std::vector<std::string> policy;       ///< policy files and directories in place of the host's own
  std::vector<std::string> pass;         ///< network rules: docs/network-rules.md
  std::vector<std::string> deny;
  std::vector<std::string> mock;  ///< paths of files of mock services
  std::string replay;             ///< run whose recorded exchanges are served
  bool nxdomain = false;          ///< names that no rule or mock speaks of do not exist
  bool network_mirror = false;    ///< this host's interfaces, addresses and routes are seen inside
  /// Of packets to and from the gate, how many bytes are kept; absent: kCaptureBytes.
  std::optional<std::uint64_t> capture_bytes;
  bool terminal = false;  ///< the action gets a terminal of its own
  int in = 0;             ///< descriptors its streams are relayed from and to; borrowed
  int out = 1;
  int err = 2;
  std::function<void(std::uint64_t)>
      progress;  ///< called now and then with the number of changes read so far
  std::function<void(const std::string&)> notice;  ///< called with a line that a person should see at once
};

enum class Level : std::uint8_t { kGreen, kYellow, kInconclusive, kRed };

struct Outcome {
  std::string id;      ///< of the run
  std::string digest;  ///< "sha256:..." of its effects: what an approval names
  Level level = Level::kInconclusive;
  std::optional<int> exit;    ///< the command's own status
  std::optional<int> signal;  ///< that ended it
};

/// The action never ran, or its run cannot be read.
struct Failure {
  std::string what;   ///< one line that names the thing and the place
  std::string fix;    ///< what to do about it; may be empty
  int exit_code = 1;  ///< as the command line would end with (README, "Exit codes")
};

/// Rehearses: the host does not change, the run is kept below `Options::state`.
std::variant<Outcome, Failure> rehearse_action(const Options& options);

/// The document of a finished run, schema "rehearse.run/1", written to `fd`. `run`: its id, the unique start
/// of one, or "last". Streams: memory does not grow with the number of changes.
std::optional<Failure> write_document(const std::string& state, const std::string& run, int fd);

}  // namespace rehearse
