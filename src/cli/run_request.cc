#include "cli/run_request.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "base/units.h"
#include "cli/command_line.h"

namespace rehearse::cli {
namespace {

/// Options as they stand on the line, before they are understood.
struct Words {
  std::string timeout, memory, max_write, trace_buffer, capture, profile = "shifted", tty = "auto",
                                                                 fail_on = "yellow", deadline;
};

Result<void> read_amounts(const Words& words, Options& action) {
  if (!words.timeout.empty()) {
    RH_TRY(action.wall_ns, of_option("--timeout", parse_duration(words.timeout)));
  }
  if (!words.memory.empty()) {
    RH_TRY(action.memory_bytes, of_option("--memory", parse_bytes(words.memory)));
  }
  if (!words.max_write.empty()) {
    RH_TRY(action.write_bytes, of_option("--max-write", parse_bytes(words.max_write)));
  }
  if (!words.capture.empty()) {
    RH_TRY(action.capture_bytes, of_option("--capture", parse_bytes(words.capture)));
  }
  if (!words.trace_buffer.empty()) {
    RH_TRY(action.trace_buffer_bytes, of_option("--trace-buffer", parse_bytes(words.trace_buffer)));
    constexpr std::uint64_t kLeast = 128U << 10U;
    constexpr std::uint64_t kMost = 4U << 20U;
    if (!std::has_single_bit(action.trace_buffer_bytes) || action.trace_buffer_bytes < kLeast ||
        action.trace_buffer_bytes > kMost)
      return fail("--trace-buffer: \"" + words.trace_buffer + "\" is no power of two from 128K to 4M",
                  ExitCode::kUsage, "write 128K, 256K, 512K, 1M, 2M or 4M");
  }
  return {};
}

/// Where the action's output goes beside a document: that nobody has standard error is not the action's
/// fault. The descriptor is the process's.
int output_beside_document() {
  // main() puts /dev/null, for reading, where there was nothing.
  const bool closed = (::fcntl(STDERR_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY;
  const int sink = closed ? ::open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
  return sink >= 0 ? sink : STDERR_FILENO;
}

}  // namespace

Result<bool> parse_run_options(Globals& globals, Arguments arguments, RunOptions& options) {
  Words words;
  CommandLine line("Rehearse a command in a clone of this host; the host does not change.", "run", globals);
  line.option("--action", options.action.action, "Rehearse what this action file says (docs/action-files.md)")
      .type_name("NAME|PATH");
  line.option("--expect", options.action.expect,
              "Compare with what this file declares (docs/action-files.md)")
      .type_name("FILE");
  line.option("--claim", options.action.claim,
              "What you say that it does: shown beside what it did; default: $REHEARSE_CLAIM")
      .environment("REHEARSE_CLAIM")
      .type_name("TEXT");
  line.flag("!--no-validators", options.action.validators,
            "Do not check changed configuration inside (docs/failures.md)");
  line.flag("--read-only", options.action.read_only,
            "Let it write nothing; if it tries, end it and rehearse it in full");
  line.flag("--plan", options.plan_only, "Print how this host would be shown, and stop");
  line.option("--timeout", words.timeout, "End the action after this time (30s, 5m)");
  line.option("--memory", words.memory, "Memory limit (512M); default: 3/4 of what is available");
  line.option("--pids", options.action.pids, "Limit of processes and threads; default 8192");
  line.option("--cpus", options.action.cpus, "CPU limit (1.5)");
  line.option("--max-write", words.max_write, "Limit of bytes written (1G)");
  line.option("--user", options.action.user, "Run as this user (name or uid) instead of root");
  line.option("--cwd", options.action.cwd, "Working directory; default: the caller's");
  line.option("--env", options.action.env, "Set or pass a variable; default: PATH HOME TERM LANG TZ")
      .type_name("NAME[=VALUE]")
      .one_each();
  line.option("--hide", options.action.hide, "Show this directory or file empty")
      .type_name("PATH")
      .one_each();
  line.option("--mask", options.action.mask, "Show this secret file without its content")
      .type_name("PATH")
      .one_each();
  line.option("--unmask", options.action.unmask, "Show a file that is masked by default")
      .type_name("PATH")
      .one_each();
  line.flag("!--no-trace", options.action.trace, "Do not record system calls: the verdict is inconclusive");
  line.option("--trace-buffer", words.trace_buffer, "Memory for records, of each CPU (1M); default: 4M");
  line.option("--pass", options.action.pass, "Let the action reach this, through the gate")
      .type_name("[udp:]HOST:PORTS[,bytes=N][,rate=N/s][,time=T][,record]")
      .one_each();
  line.option("--deny", options.action.deny,
              "Refuse this, and how; everything else is refused with ECONNREFUSED")
      .type_name("[udp:]HOST:PORTS[=ERRNO|=drop]")
      .one_each();
  line.option("--mock", options.action.mock, "Serve what this file says (docs/network-rules.md)")
      .type_name("FILE")
      .one_each();
  line.option("--replay", options.action.replay, "Serve what was recorded in this run").type_name("RUN");
  line.flag("--nxdomain", options.action.nxdomain, "Names that no rule or mock speaks of do not exist");
  line.flag("--network-mirror", options.action.network_mirror,
            "Show this host's interfaces, addresses and routes inside");
  line.option("--capture", words.capture,
              "Bytes of packets kept for `rehearse export --pcap` (64M); default: 4M");
  line.option("--policy", options.action.policy,
              "Judge by this file or directory, not by the host's policy (docs/policy.md)")
      .type_name("PATH|builtin")
      .one_each();
  line.option("-t,--tty", words.tty, "Give the action a terminal").one_of({"auto", "always", "never"});
  line.option("--profile", words.profile, "shifted, or root for hosts whose root cannot be idmapped")
      .one_of({"shifted", "root"});
  line.option("--deadline", words.deadline,
              "How soon it has to be promoted (30m): says so if approval usually takes longer")
      .type_name("TIME");
  line.flag("--passthrough-exit", options.passthrough_exit, "Exit with the command's own status");
  line.option("--fail-on", words.fail_on, "Which verdicts give a non-zero exit status: red, yellow or never");
  line.stop_at_first_word();
  // Everything after the first "--" is the command's, whatever it looks like.
  Arguments command;
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  const bool separated = separator != arguments.end();
  if (separated) command.assign(separator + 1, arguments.end());
  arguments.erase(separator, arguments.end());
  RH_TRY(const bool go_on, line.parse(std::move(arguments)));
  if (!go_on) return false;
  std::vector<std::string> rest = line.rest();
  if (!rest.empty() && (separated || rest.front().starts_with('-'))) {
    return fail("run: unknown option or word \"" + rest.front() + "\"", ExitCode::kUsage,
                "see `rehearse run --help`");
  }
  options.action.argv = separated ? std::move(command) : std::move(rest);
  if (options.action.action.empty() && (options.action.argv.empty() || options.action.argv.front().empty())) {
    return fail("run: no command given", ExitCode::kUsage,
                "write `rehearse run -- COMMAND [ARGUMENTS...]`, or --action NAME");
  }
  RH_TRY(options.fail_on, verdict::parse_fail_on(words.fail_on));
  RH_CHECK(read_amounts(words, options.action));
  if (!words.deadline.empty()) {
    RH_TRY(options.deadline_ns, of_option("--deadline", parse_duration(words.deadline)));
  }
  options.action.state = globals.state;
  options.action.root_profile = words.profile == "root";
  options.action.out = globals.json ? output_beside_document() : STDOUT_FILENO;
  options.action.terminal = words.tty == "always" || (words.tty == "auto" && ::isatty(STDIN_FILENO) == 1 &&
                                                      ::isatty(options.action.out) == 1);
  return true;
}

}  // namespace rehearse::cli
