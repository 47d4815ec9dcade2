// Everything a report says about one run but its changes, which stay in the manifest and are streamed.
//
// This is `rehearse.run/1` of the documentation as a struct: kept as run.json in the bundle, rendered as JSON
// and for terminals. Strings that the action or the requester chose are raw bytes here; the renderers escape.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "effects/accounts.h"
#include "effects/change_set.h"
#include "effects/package_changes.h"
#include "verdict/expectation.h"
#include "verdict/finding.h"

namespace rehearse::report {

struct Requester {
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> loginuid;
  std::optional<std::uint32_t> sudo_uid;  ///< claimed
  bool attested = true;                   ///< false: the person is known from the environment alone
  std::optional<std::string> tty;
  std::optional<std::string> unit;
};

/// What was declared of the action before it ran.
struct Declared {
  std::string source;  ///< the file
  verdict::Level level = verdict::Level::kYellow;
  std::vector<verdict::Wanted> wanted;
};

struct Action {
  std::optional<std::string> name;  ///< of the action file
  std::optional<std::string> kind;  ///< its class
  bool as_filed = false;            ///< it is what the file says, and nobody beside the file had a say in it
  std::vector<std::string> changed_by;  ///< why it is not: "--env", "standard input"
  std::vector<std::string> argv;
  std::string cwd = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::pair<std::string, std::string>> env;
  std::string inputs;                  ///< hex digest of what else the requester chose: rules, mocks, limits
  bool redacted = false;               ///< secrets in argv and env were overwritten with asterisks
  std::optional<std::string> claimed;  ///< what the requester says of it: never verified
  std::optional<Declared> expect;
};

struct LeftoverProcess {
  std::int32_t pid = 0;  ///< inside
  std::string comm;
  std::vector<std::string> argv;
  std::uint32_t process = 0;  ///< its number among the processes of the run; 0: not known
};

/// How the command ended. Exactly one of `exit` and `signal` is set, unless it never started.
struct Command {
  std::optional<int> exit;  ///< 127: not found, 126: not executable, as a shell says it
  std::optional<int> signal;
  bool timed_out = false;
  std::string error;  ///< why it never started, if so
  std::int64_t wall_ns = 0;
  std::int64_t user_ns = 0;
  std::int64_t sys_ns = 0;
  std::uint64_t max_rss_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t stdin_bytes = 0;  ///< that it was given to read
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  bool output_cut = false;  ///< the kept copy is shorter than what the action wrote
  std::vector<LeftoverProcess> leftover;
};

/// A program as the kernel executed it.
struct ProgramRecord {
  std::string exe;     ///< of the file
  std::string sha256;  ///< of it, hex; empty where it cannot be said any more what it was
  std::string script;  ///< that it interprets, if it does
  std::vector<std::string> argv;
  bool argv_cut = false;
  bool argv_redacted = false;  ///< secrets in it were overwritten with asterisks
  bool secure = false;         ///< setuid, setgid or file capabilities took effect
};

/// Whose rights a process had from then on.
struct UidChange {
  std::int64_t time_ns = 0;  ///< since the action began
  std::uint32_t uid = 0;     ///< effective, as the host numbers it
};

/// A process of the action, from the trace. Times count from the start of the first.
struct ProcessRecord : ProgramRecord {  // of these what it was in the end
  std::uint32_t id = 0;                 ///< 1: the action
  std::uint32_t parent = 0;             ///< 0: it was started, or taken over, by the run's init
  std::uint32_t root = 1;               ///< what the run's init started that it comes from; 1: the action
  std::string role = "action";          ///< or probe, validator; tool: of the service manager inside
  std::uint32_t pid = 0;                ///< inside
  std::string comm;
  std::vector<ProgramRecord> earlier;  ///< what it was before, in order
  bool forked = false;                 ///< it executed nothing itself: it is what its maker was then
  std::uint32_t uid = 0;               ///< effective, as the host numbers it; the last
  std::vector<UidChange> uids;         ///< if there was more than one
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;
  std::optional<int> exit;
  std::optional<int> signal;
  std::uint32_t threads = 1;
  std::uint64_t syscalls = 0;
  std::uint64_t failed = 0;
  std::int64_t user_ns = 0;
  std::int64_t system_ns = 0;
  std::uint64_t max_rss_bytes = 0;
};

/// Something that only a host's administrator may do, tried by the action.
struct AttemptRecord {
  std::string what;        ///< "mount", "module", ...
  std::string detail;      ///< the call; strings in it are the action's word
  std::string capability;  ///< "CAP_SYS_TIME": what a host's kernel asks for; "": no single one decides
  std::string result;      ///< "denied", or "contained": it took place in the run's own namespaces
  std::string error;       ///< name of the errno, if denied
  std::uint32_t process = 0;
  std::string exe;  ///< what that executed then
  std::uint64_t count = 0;
};

/// A secret that was opened to be read, of each program the first time.
struct SecretOpening {
  std::string path;
  std::uint32_t process = 0;
  std::string exe;           ///< what that executed then
  std::int64_t time_ns = 0;  ///< since the action began
};

/// What the result rests on: the host's files that were opened or executed.
struct ReadsRecord {
  std::uint64_t files = 0;         ///< that are there
  std::uint64_t absent = 0;        ///< paths that were looked up in vain
  std::uint64_t unplaced = 0;      ///< lookups that began in a directory whose path is not known: not listed
  std::string root;                ///< hex; of the list in the bundle's file `reads`
  std::vector<std::string> moved;  ///< paths that the host changed meanwhile
  std::vector<std::string> secrets;
  std::vector<SecretOpening> openings;  ///< of those; of one that was read by another name there is none
};

/// Somewhere that the action tried to send something.
struct NetworkRecord {
  /// denied, mocked, passed, replayed; absent: a local socket that the host does not have either
  std::string verdict;
  std::string proto;  ///< tcp, udp, icmp, unix, other
  std::string dst;    ///< address, path of a local socket, or what kind of socket was asked for
  std::uint16_t port = 0;
  std::string name;       ///< that the address was looked up by
  std::string name_from;  ///< "/etc/hosts": of the clone; empty: the gate's answer
  /// Behind the name, by mocked records: a rule for any of them is for it. Known when the run has just ended.
  std::vector<std::string> aliases;
  std::string sni;        ///< what the client said in TLS
  std::string http_host;  ///< and in HTTP
  std::string http_path;
  std::string error;    ///< name of the errno that the caller got; empty: none
  std::string rule;     ///< that decided; empty: the default
  std::string ended;    ///< what came in the way of a connection that the gate took
  std::string reached;  ///< what it would have reached on this host: "postgres (pid 812, postgresql.service)"
  /// A datagram socket was given the address before the attempt proper, and nothing sent: how libc finds out
  /// which of several addresses it could reach (RFC 6724). Not counted.
  bool probe = false;
  std::uint32_t process = 0;
  std::string exe;           ///< what that executed then
  std::int64_t time_ns = 0;  ///< since the action began
  std::uint64_t count = 0;
  std::uint64_t bytes_out = 0;  ///< that were passed or mocked, of this process to this destination
  std::uint64_t bytes_in = 0;
};

/// Where the action waited for others to reach it.
struct ListenerRecord {
  std::string proto;    ///< tcp, udp, other
  std::string address;  ///< "0.0.0.0" and "::": on all of the host's
  std::uint16_t port = 0;
  bool any_port = false;  ///< the kernel chose it
  bool outside = true;    ///< other hosts could have reached it; else this one alone
  bool foreign = false;   ///< no interface of this host has the address
  std::string taken_by;   ///< who has it on this host: "nginx (pid 812, nginx.service)"; empty: nobody
  std::string taken_by_unit;
  std::uint32_t process = 0;
  std::string exe;           ///< what that executed then
  std::int64_t time_ns = 0;  ///< since the action began
  std::uint64_t count = 0;
};

/// A name that the action looked up.
struct DnsRecord {
  std::string name;
  std::string type;                   ///< A, AAAA, ...
  std::string answer;                 ///< synthetic, mocked, local, nodata, nxdomain, refused
  std::set<std::string> servers;      ///< addresses that were asked
  std::set<std::uint32_t> processes;  ///< that asked; of very many questions not all
  std::optional<std::int64_t> time_ns =
      {};  ///< of the first, since the action began; older reports have none
  std::uint64_t count = 0;
};

/// Something that the service manager was asked inside.
struct UnitRecord {
  std::string unit;      ///< as it was named; empty: the manager itself
  std::string request;   ///< start, restart, enable, kill, daemon-reload, query, ...
  std::string mode;      ///< job mode, signal of kill, names of set properties
  std::string answered;  ///< mocked; refused: with the error the host's would give; carried-out: in the clone
  std::string detail;    ///< the error's text, or the command of a transient unit
  std::vector<std::string> also;  ///< what it would have meant for other units: "stop app.service"
  std::uint32_t process = 0;      ///< 0: not known
  std::uint64_t count = 0;

  /// Whether the host would be another one after it.
  [[nodiscard]] bool changes() const { return request != "query" && answered != "refused"; }
};

/// A program that was run inside when the action had ended. What it printed is hostile.
struct InsideRecord {
  std::vector<std::string> argv;
  bool ran = false;  ///< else `error` says why not
  std::optional<int> exit;
  std::optional<int> signal;
  bool timed_out = false;
  std::string error;
  std::int64_t wall_ns = 0;
  std::string out;  ///< the end of it
  std::string err;
  std::uint32_t process = 0;         ///< 0: not known
  std::vector<std::string> changed;  ///< paths that it wrote to; it is not known what of them is the action's
};
struct ProbeRecord {
  InsideRecord run;
  int expected_exit = 0;
  bool met = false;
};
/// A validator, because files that it knows had changed: run in a clone of its own.
struct ValidationRecord {
  InsideRecord run;
  std::string result;  ///< valid, invalid; unknown: it could not tell
  std::vector<std::string> files;
  std::string before;       ///< the same without the action's changes, if it was invalid with them; or empty
  std::string before_said;  ///< then: the end of what it printed
};

/// What was recorded, and whether it is all.
struct TraceRecord {
  std::uint64_t events = 0;
  std::uint64_t syscalls = 0;
  std::uint64_t lost = 0;
  std::uint64_t bytes = 0;                  ///< of the file
  std::uint64_t packets = 0;                ///< to and from the gate, recorded
  std::uint64_t packets_left_out = 0;       ///< for want of room, which is no loss
  std::uint64_t packet_bytes_left_out = 0;  ///< of those, and of recorded ones what was not kept
  std::uint64_t freezes = 0;
  std::int64_t frozen_ns = 0;
  std::uint64_t brakes = 0;  ///< calls that were held up until there was room for their records
  std::int64_t braked_ns = 0;
  bool real_time = true;
  bool may_load_modules = false;     ///< the kernel was not kept from loading modules for the action
  std::string root;                  ///< hex digest that stands for the file
  std::vector<std::string> trouble;  ///< why it is not complete; empty: it is
};

/// A call that would have written something, of an action that was not to write.
struct WriteAttemptRecord {
  std::string what;    ///< "file", "unit request", or a kind of attempt
  std::string detail;  ///< the call, or the request; strings in it are the action's word
  std::string path;    ///< of a file
  std::string error;   ///< name of the errno, if it got one
  std::string exe;     ///< of who made it
  std::vector<std::string> argv;
};

/// Something new in a scratch directory.
struct ScratchRecord {
  std::string path;
  std::string type;  ///< file, dir, ...
  std::uint64_t size = 0;
};

/// What came of running it where nothing can be written.
struct ReadOnlyRecord {
  bool enforced = false;      ///< this run could not write; false: it had tried to, and this is the full one
  bool watched = false;       ///< attempts were looked for: without a trace only the file systems refuse
  std::uint64_t scratch = 0;  ///< objects that were new in scratch directories at its end, thrown away
  std::uint64_t scratch_bytes = 0;           ///< that were allocated there
  std::vector<ScratchRecord> scratch_left;   ///< the first of these objects
  std::vector<WriteAttemptRecord> attempts;  ///< the first of them
  std::uint64_t attempts_total = 0;

  /// It wrote nothing because it could not, and did not try.
  [[nodiscard]] bool proved() const { return enforced && watched && attempts_total == 0; }
};

/// What came of trying the rollback before it is needed. Not part of run.json: the ledger has it.
struct UndoTrial {
  bool verified = false;
  std::string why;                        ///< not verified: what stood against it
  std::int64_t took_ns = 0;               ///< of taking everything back, on the stand-in
  std::int64_t tried_ns = 0;              ///< CLOCK_REALTIME
  std::vector<std::string> irreversible;  ///< what no rollback takes back, a line each
};

/// Who would notice the changes now: not part of run.json, the host is asked when the report is made.
struct AffectedProcess {
  std::int32_t pid = 0;
  std::string comm;
};
struct AffectedOne {
  std::string unit;  ///< or empty: processes of one name that belong to none
  std::vector<AffectedProcess> processes;
  std::vector<std::string> reasons;  ///< "maps /usr/lib/libssl.so.3", "asked to restart"; the first of them
  std::uint64_t reasons_total = 0;
  std::vector<std::string> listens;  ///< "tcp 80", "unix /run/x"
};
struct LoggedIn {
  std::string user;
  std::string line;
  std::string from;
  std::int64_t since_ns = 0;
};
struct Affected {
  std::int64_t at_ns = 0;
  std::vector<AffectedOne> who;
  std::vector<LoggedIn> logins;
  bool cut = false;  ///< not all that changes was looked for
};

/// Another run of the same action. Not part of run.json either: the ledger has it.
struct EarlierRun {
  std::string id;
  std::int64_t created_ns = 0;
  std::string verdict;
  std::optional<int> exit;
  std::optional<int> signal;
  bool same_effects = false;
  std::string unclean;   ///< why it is not clean; empty: it is
  std::string promoted;  ///< what came of its promotion: done, rolled back, incomplete; empty: none
  bool rolled_back = false;
};
struct History {
  std::uint64_t runs = 0;
  std::uint64_t same_effects = 0;
  std::uint64_t clean_streak = 0;  ///< of the newest, this run among them
  std::uint64_t promoted = 0;      ///< this run among them
  std::uint64_t diverged = 0;      ///< promotions that came to anything but done
  std::vector<EarlierRun> latest;
};

/// A layer as the bundle keeps it: `uppers/<index>/{upper,work}`.
struct LayerRecord {
  std::uint32_t index = 0;
  std::string mountpoint;
  std::string fstype;
  std::vector<std::string> aliases;  ///< other mount points that show the same objects
};

struct Phases {
  std::int64_t plan_ns = 0;
  std::int64_t build_ns = 0;
  std::int64_t run_ns = 0;
  std::int64_t read_ns = 0;
  std::int64_t judge_ns = 0;
};

struct RunRecord {
  std::string id;
  std::string digest;  ///< "sha256:<hex>"; empty until frozen
  std::int64_t created_ns = 0;
  std::string host_name;
  std::string host_kernel;
  std::string host_boot_id;
  std::string tool_version;
  std::string profile = "shifted";  ///< or "root"
  Requester requester;
  Action action;
  verdict::Verdict verdict;
  Command command;
  effects::Counts counts;
  std::string manifest_root;  ///< hex
  std::vector<verdict::Gap> gaps;
  std::vector<std::string> limits;  ///< how each limit was enforced: "write 1.0 GiB: project quota"
  std::vector<LayerRecord> layers;
  std::optional<TraceRecord> trace;      ///< none: nothing was recorded
  std::vector<ProcessRecord> processes;  ///< by id
  std::vector<AttemptRecord> attempts;
  std::uint64_t attempts_total = 0;
  std::vector<NetworkRecord> network;
  std::vector<DnsRecord> dns;
  std::vector<ListenerRecord> listeners;
  std::vector<std::string>
      mock_trouble;  ///< what mocks and recordings had no answer for; judged, not printed
  std::vector<UnitRecord> units;
  std::vector<verdict::Expectation> expectations;
  std::vector<ProbeRecord> probes;
  std::vector<ValidationRecord> validations;
  /// What the list of changes lacks, a line each: a run that has any cannot be promoted.
  std::vector<std::string> changes_unobserved;
  std::optional<ReadOnlyRecord> read_only;  ///< nothing: it might write
  ReadsRecord reads;
  std::vector<effects::AccountChange> accounts;
  std::string accounts_unknown;  ///< why there may be more than these; empty: these are all
  std::vector<effects::PackageChange> packages;
  std::string packages_unknown;
  std::vector<effects::Diversion> diversions;
  std::vector<std::string> inert;  ///< files of settings that were made or changed, and start nothing
  Phases phases;
  std::optional<UndoTrial> rollback;  ///< nothing: it was not tried
  std::optional<Affected> affected;   ///< nothing: not asked
  std::optional<History> history;     ///< nothing: no other run is known
};

}  // namespace rehearse::report
