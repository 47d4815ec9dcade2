#include "rehearsal/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "effects/manifest.h"
#include "effects/read_list.h"
#include "rehearsal/sent_secrets.h"
#include "report/change_text.h"
#include "report/network_text.h"
#include "trace/read_set.h"

namespace rehearse {
namespace {

using verdict::PolicyFacts;
using verdict::StreamFact;
using verdict::Subject;
using verdict::Value;

Value number(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}
/// One that is not there is known not to be: nothing matches it.
template <class Integer>
Value maybe(const std::optional<Integer>& value) {
  return value ? Value(std::int64_t{*value}) : Value(std::vector<std::string>());
}

void add_row(PolicyFacts& facts, Subject subject, std::string text, std::vector<Value> values) {
  if (values.size() != verdict::keys_of(subject).keys.size()) std::abort();  // the program is wrong
  facts.of(subject).rows.push_back({std::move(text), std::move(values)});
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

// ---- changes of files

struct FileBits {
  static std::uint64_t of(std::string_view key, std::string_view word = {}) {
    return verdict::bit_of(Subject::kFile, key, word);
  }
  std::uint64_t kind[7] = {of("change", "type"),     of("change", "created"),  of("change", "deleted"),
                           of("change", "renamed"),  of("change", "modified"), of("change", "metadata"),
                           of("change", "identical")};
  std::uint64_t type[7] = {of("type", "file"),  of("type", "dir"),    of("type", "symlink"),
                           of("type", "fifo"),  of("type", "socket"), of("type", "device"),
                           of("type", "device")};
  std::uint64_t gain = of("mode_gain", "setuid");
  std::uint64_t lost = of("mode_lost", "setuid");
  std::uint64_t emptied = of("size_change", "emptied");
  std::uint64_t shrunk = of("size_change", "shrunk");
  std::uint64_t grown = of("size_change", "grown");
  std::uint64_t caps_gain = of("caps_gain");
  std::uint64_t owner_change = of("owner_change");
  std::uint64_t from_package = of("from_package");
  std::uint64_t owned = of("owned");
  std::uint64_t diverted = of("diverted");
  std::uint64_t inert = of("inert");
  std::uint64_t masked = of("masked");
  std::uint64_t noise = of("noise");

  std::pair<std::string_view, std::uint64_t> also[12] = {
      {"modified", of("change", "modified")}, {"metadata", of("change", "metadata")},
      {"deleted", of("change", "deleted")},   {"mode", of("also", "mode")},
      {"owner", of("also", "owner")},         {"mtime", of("also", "mtime")},
      {"xattrs", of("also", "xattrs")},       {"acl", of("also", "acl")},
      {"caps", of("also", "caps")},           {"flags", of("also", "flags")},
      {"hardlink", of("also", "hardlink")},   {"blocks", of("also", "blocks")}};
};

const FileBits& bits() {
  static const FileBits kBits;
  return kBits;
}

/// In the order of the key's words.
unsigned mode_words(std::uint32_t mode) {
  constexpr std::uint32_t kBits[] = {04000, 02000, 01000, 0020, 0002, 0004, 0111};
  unsigned words = 0;
  for (unsigned i = 0; i < 7; ++i) words |= (mode & kBits[i]) != 0 ? 1U << i : 0U;
  return words;
}

std::string capability(const std::optional<effects::Attributes>& of) {
  if (!of) return {};
  const auto found = of->xattrs.find("security.capability");
  return found == of->xattrs.end() ? std::string() : found->second;
}

/// Of a symlink: where it leads, without "." and "..", as far as names say.
std::string absolute_target(const std::string& link, const std::string& target) {
  std::string path = target.starts_with('/') ? target : link.substr(0, link.rfind('/') + 1) + target;
  std::string result;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      result.resize(result.empty() ? 0 : result.rfind('/'));
    } else {
      result += '/';
      result += part;
    }
  }
  return result.empty() ? "/" : result;
}

std::uint64_t words_of(const effects::Change& change, bool from_package) {
  const FileBits& bit = bits();
  std::uint64_t words =
      bit.kind[static_cast<std::size_t>(change.kind)] | bit.type[static_cast<std::size_t>(change.type)];
  for (const std::string& word : change.also) {
    for (const auto& [known, mask] : bit.also) words |= word == known ? mask : 0;
  }
  // What another kind of object stood there has nothing to do with the one that stands there now.
  const bool fresh = change.kind == effects::ChangeKind::kType || !change.before;
  const unsigned old_mode = fresh ? 0 : mode_words(change.before->mode);
  const unsigned mode = change.after ? mode_words(change.after->mode) : 0;
  if (change.after) words |= bit.gain * (mode & ~old_mode) | bit.lost * (old_mode & ~mode);
  if (!fresh && change.after && change.type == effects::FileType::kFile) {
    const std::uint64_t old_size = change.before->size;
    const std::uint64_t size = change.after->size;
    if (old_size > 0 && size == 0) words |= bit.emptied;
    if (size < old_size / 2 || (old_size == 1 && size == 0)) words |= bit.shrunk;
    if (size > old_size) words |= bit.grown;
  }
  if (change.after) {
    const std::string caps = capability(change.after);
    if (!caps.empty() && caps != (fresh ? std::string() : capability(change.before))) words |= bit.caps_gain;
  }
  if (!fresh && change.after &&
      (change.before->uid != change.after->uid || change.before->gid != change.after->gid))
    words |= bit.owner_change;
  if (from_package) words |= bit.from_package;
  if (!change.package.empty()) words |= bit.owned;
  if (change.masked) words |= bit.masked;
  if (report::is_noise(change)) words |= bit.noise;
  return words;
}

/// dpkg may name what lies in /usr without it.
bool is_diverted(const report::RunRecord& record, const effects::Change& change) {
  if (change.kind != effects::ChangeKind::kRenamed) return false;
  const auto means = [](const std::string& named, const std::string& path) {
    return named == path || "/usr" + named == path;
  };
  return std::ranges::any_of(record.diversions, [&](const effects::Diversion& moved) {
    return means(moved.from, change.from) && means(moved.to, change.path);
  });
}

verdict::Stream changes_of(const report::RunRecord& record, int manifest_fd) {
  auto packages = std::make_shared<std::set<std::string, std::less<>>>();
  for (const effects::PackageChange& package : record.packages)
    if (package.touches_files()) packages->insert(package.name);
  auto inert = std::make_shared<std::set<std::string, std::less<>>>(record.inert.begin(), record.inert.end());
  return [packages, inert, manifest_fd, &record](const verdict::StreamVisit& visit) -> Result<void> {
    return effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      const auto& object = change.after ? change.after : change.before;
      StreamFact fact;
      fact.path = change.path;
      fact.from = change.from;
      fact.package = change.package;
      fact.words = words_of(change, !change.package.empty() && packages->contains(change.package));
      if (is_diverted(record, change)) fact.words |= bits().diverted;
      if (inert->contains(change.path)) fact.words |= bits().inert;
      const bool link = change.type == effects::FileType::kSymlink && change.after;
      fact.stands_for_below =
          link || (change.kind == effects::ChangeKind::kRenamed && change.type == effects::FileType::kDir);
      std::string target;
      if (link) target = absolute_target(change.path, change.after->target);
      fact.target = target;
      if (object) {
        fact.size = object->size;
        fact.uid = object->uid;
        fact.gid = object->gid;
      }
      return visit(fact);
    });
  };
}

// ---- what was read

StreamFact opened_secret(const std::string& path, const SentSecrets& sent) {
  StreamFact fact;
  fact.path = path;
  fact.words = verdict::bit_of(Subject::kRead, "use", "opened") | verdict::bit_of(Subject::kRead, "secret");
  if (sent.may_be_sent(path)) fact.words |= verdict::bit_of(Subject::kRead, "before_net");
  return fact;
}

/// The list has what the host's files were; a secret that was opened for writing too is in the record only.
verdict::Stream reads_of(const report::RunRecord& record, int reads_fd) {
  return [&record, reads_fd](const verdict::StreamVisit& visit) -> Result<void> {
    const auto bit = [](std::string_view key, std::string_view word = {}) {
      return verdict::bit_of(Subject::kRead, key, word);
    };
    const std::pair<std::uint8_t, std::uint64_t> uses[] = {
        {effects::kReadOpened, bit("use", "opened")},   {effects::kReadExecuted, bit("use", "executed")},
        {effects::kReadListed, bit("use", "listed")},   {effects::kReadAttributes, bit("use", "attributes")},
        {effects::kReadPresent, bit("use", "present")}, {effects::kReadAbsent, bit("use", "absent")}};
    const std::uint64_t secret = bit("secret");
    const std::uint64_t before_net = bit("before_net");
    const SentSecrets sent(record);
    std::set<std::string> listed;
    bool more = true;
    RH_CHECK(effects::read_read_list(reads_fd, [&](const effects::HostRead& read) {
      StreamFact fact;
      fact.path = read.path;
      for (const auto& [use, word] : uses) fact.words |= (read.uses & use) != 0 ? word : 0;
      if ((read.uses & effects::kReadOpened) != 0 && trace::is_secret(read.path)) {
        fact.words |= secret;
        listed.insert(read.path);
      }
      if ((read.uses & effects::kReadOpened) != 0 && sent.may_be_sent(read.path)) fact.words |= before_net;
      more = visit(fact);
      return more;
    }));
    for (const std::string& path : record.reads.secrets) {
      if (more && !listed.contains(path)) more = visit(opened_secret(path, sent));
    }
    return {};
  };
}

/// Where the list is not kept, at least the secrets are.
verdict::Stream secrets_of(const report::RunRecord& record) {
  return [&record](const verdict::StreamVisit& visit) -> Result<void> {
    const SentSecrets sent(record);
    for (const std::string& path : record.reads.secrets) {
      if (!visit(opened_secret(path, sent))) break;
    }
    return {};
  };
}

// ---- the rest, one subject each

/// As much of a command line as evidence has room for; the rest is in the record.
std::string line_start(const std::string& line) {
  constexpr std::size_t kMost = 400;
  if (line.size() <= kMost) return line;
  std::size_t end = kMost;
  // Not within a character, of which there are at most three more bytes.
  while (end > kMost - 4 && (static_cast<unsigned char>(line[end]) & 0xc0U) == 0x80) --end;
  return fmt::format("{}…(+{} bytes)", line.substr(0, end), line.size() - end);
}

void processes(const report::RunRecord& record, PolicyFacts& facts) {
  for (const report::ProcessRecord& process : record.processes) {
    const auto add = [&](const report::ProgramRecord& program, Value exit, Value signal) {
      const std::string line = joined(program.argv);
      add_row(facts, Subject::kProcess, program.exe + ": " + line_start(line),
              {program.exe, program.script, program.sha256, process.comm, program.argv, line,
               std::int64_t{process.uid}, std::move(exit), std::move(signal), program.secure});
    };
    for (const report::ProgramRecord& earlier : process.earlier) add(earlier, Value(), Value());
    add(process, maybe(process.exit), maybe(process.signal));
  }
}

/// What the process executed when it did that; older records do not say, only what it was in the end.
std::string executable(const report::RunRecord& record, std::uint32_t id, const std::string& then) {
  if (!then.empty()) return then;
  const auto found = std::ranges::find(record.processes, id, &report::ProcessRecord::id);
  return found == record.processes.end() ? std::string() : found->exe;
}

/// One for each name and port that a program tried (its addresses are many, and of the gate's own making), or
/// address that has none: what its connections were for is no matter of policy.
void network(const report::RunRecord& record, PolicyFacts& facts) {
  using Aim = std::tuple<std::string, std::string, std::string, std::uint16_t, std::string, bool>;
  struct Tried {
    std::vector<std::string> ends;
    std::vector<std::string> addresses;
    std::uint64_t bytes_out = 0;
  };
  std::vector<std::pair<Aim, Tried>> all;
  std::map<std::pair<Aim, std::string>, std::size_t> known;  ///< of one without a name, by address
  for (const report::NetworkRecord& to : record.network) {
    if (to.probe) continue;
    const bool ported = to.proto == "tcp" || to.proto == "udp";
    const std::string port = ported ? fmt::format(":{}", to.port) : std::string();
    const std::string name = report::proven_name(to);
    Aim aim(to.verdict, to.proto, name, to.port, executable(record, to.process, to.exe), stays_local(to));
    const auto [at, fresh] = known.emplace(std::pair(aim, name.empty() ? to.dst : ""), all.size());
    if (fresh) {
      all.emplace_back(std::move(aim), Tried{});
      if (!name.empty()) all.back().second.ends.push_back(name + port);
    }
    Tried& tried = all[at->second].second;
    if (std::ranges::find(tried.addresses, to.dst) == tried.addresses.end()) {
      tried.ends.push_back(to.dst + port);
      tried.addresses.push_back(to.dst);
    }
    tried.bytes_out += to.bytes_out;
  }
  for (auto& [aim, tried] : all) {
    const auto& [verdict, proto, name, port, exe, local] = aim;
    std::string text = fmt::format("{} {} {}", verdict, proto, tried.ends.front());
    add_row(facts, Subject::kNet, std::move(text),
            {verdict, std::string(local ? "local" : "outside"), proto, std::move(tried.ends), name,
             std::move(tried.addresses), std::int64_t{port}, number(tried.bytes_out), exe});
  }
  std::set<std::tuple<std::string, std::string, std::uint16_t, std::string>> listened;
  for (const report::ListenerRecord& one : record.listeners) {
    const std::uint16_t port = one.any_port ? 0 : one.port;
    std::string exe = executable(record, one.process, one.exe);
    if (!listened.emplace(one.proto, one.address, port, exe).second) continue;
    const std::string end = fmt::format("{}:{}", one.address, port);
    const bool six = one.address.find(':') != std::string::npos;
    const std::string shown = six ? '[' + one.address + ']' : one.address;
    add_row(facts, Subject::kNet,
            fmt::format("listening {} {}{}", one.proto, shown,
                        port == 0 ? ", a port of the kernel's choice" : fmt::format(":{}", port)),
            {std::string("listening"), std::string(one.outside ? "inbound" : "local"), one.proto,
             std::vector<std::string>{end}, std::string(), std::vector<std::string>{one.address},
             std::int64_t{port}, std::int64_t{0}, std::move(exe)});
  }
  std::set<std::pair<std::string, bool>> asked_for;
  for (const report::DnsRecord& asked : record.dns) {
    if (stays_local(asked)) continue;
    const bool denied = asked.answer == "refused" || asked.answer == "nxdomain";
    if (!asked_for.emplace(asked.name, denied).second) continue;
    add_row(facts, Subject::kNet, "looked up " + asked.name,
            {std::string(denied ? "denied" : "mocked"), std::string("outside"), std::string("dns"),
             std::vector<std::string>{asked.name + ":53"}, asked.name, std::string(), std::int64_t{53},
             std::int64_t{0}, std::string()});
  }
}

/// What was asked for, and what it would have meant for other units: a target whose start stops a guard says
/// "stop guard.service" of its own accord.
void units(const report::RunRecord& record, PolicyFacts& facts) {
  constexpr std::size_t kMostOthers = 20'000;
  std::set<std::pair<std::string_view, std::string_view>> others;
  for (const report::UnitRecord& asked : record.units) {
    const bool isolates = asked.mode == "isolate" && asked.request == "start";
    add_row(facts, Subject::kUnit, asked.request + ' ' + asked.unit,
            {asked.unit, isolates ? std::string("isolate") : asked.request, asked.answered});
    for (const std::string& also : asked.also) {
      if (others.size() >= kMostOthers) {
        facts.of(Subject::kUnit).unknown = "it would have meant something for more units than are looked at";
        break;
      }
      const std::size_t blank = also.find(' ');
      if (blank == std::string::npos || !others.emplace(also, asked.answered).second) continue;
      add_row(facts, Subject::kUnit, fmt::format("{} (by {} {})", also, asked.request, asked.unit),
              {also.substr(blank + 1), also.substr(0, blank), asked.answered});
    }
  }
}

/// "net.ipv4.ip_forward" of a call that names /proc/sys/net/ipv4/ip_forward.
std::string sysctl_name(const std::string& detail) {
  constexpr std::string_view kTree = "/proc/sys/";
  const std::size_t at = detail.find(kTree);
  if (at == std::string::npos) return {};
  std::string name = detail.substr(at + kTree.size());
  name.resize(std::min(name.find_first_of("\">),"), name.size()));
  std::ranges::replace(name, '/', '.');
  return name;
}

void attempts(const report::RunRecord& record, PolicyFacts& facts) {
  for (const report::AttemptRecord& attempt : record.attempts) {
    add_row(facts, Subject::kPrivilege,
            fmt::format("{}: {} ({})", attempt.what, attempt.detail, attempt.result),
            {attempt.what, attempt.detail, attempt.capability, attempt.result, attempt.error,
             executable(record, attempt.process, attempt.exe)});
    if (attempt.what == "sysctl")
      add_row(facts, Subject::kSysctl, sysctl_name(attempt.detail),
              {sysctl_name(attempt.detail), attempt.result});
  }
}

void accounts(const report::RunRecord& record, PolicyFacts& facts) {
  for (const effects::AccountChange& change : record.accounts) {
    std::string text = change.what;
    if (!change.name.empty()) text += ' ' + change.name;
    if (!change.group.empty()) text += (change.name.empty() ? " " : " in group ") + change.group;
    if (change.what.starts_with("user-")) text += fmt::format(" uid {} shell {}", change.uid, change.shell);
    add_row(facts, Subject::kAccount, std::move(text),
            {change.what, change.name, change.group, std::int64_t{change.uid}, std::int64_t{change.gid},
             change.shell});
  }
  facts.of(Subject::kAccount).unknown = record.accounts_unknown;
}

void packages(const report::RunRecord& record, PolicyFacts& facts) {
  for (const effects::PackageChange& change : record.packages) {
    add_row(facts, Subject::kPackage, effects::describe(change),
            {change.what, change.name, change.after.empty() ? change.before : change.after});
  }
  facts.of(Subject::kPackage).unknown = record.packages_unknown;
}

void command(const report::RunRecord& record, PolicyFacts& facts) {
  const report::Command& ended = record.command;
  const Value processes = record.trace ? number(record.processes.size()) : Value();
  const Value syscalls = record.trace ? number(record.trace->syscalls) : Value();
  const std::uint64_t changes = record.counts.total() - record.counts.identical;
  add_row(facts, Subject::kCost, fmt::format("{} ms wall, {} changes", ended.wall_ns / 1'000'000, changes),
          {ended.wall_ns, ended.user_ns + ended.sys_ns, number(ended.max_rss_bytes),
           number(ended.written_bytes), number(ended.stdout_bytes + ended.stderr_bytes), number(changes),
           number(record.counts.deleted), processes, syscalls});
  const std::string line = joined(record.action.argv);
  add_row(facts, Subject::kCommand, line_start(line),
          {maybe(ended.exit), maybe(ended.signal), ended.timed_out, ended.error.empty(),
           !ended.leftover.empty(), record.action.argv, line, record.action.name.value_or(""),
           record.action.kind.value_or(""), std::int64_t{record.action.uid}});
}

void completeness(const report::RunRecord& record, PolicyFacts& facts) {
  const bool recorded = record.trace.has_value();
  const bool complete = recorded && record.trace->trouble.empty();
  add_row(facts, Subject::kTrace,
          !recorded  ? "not recorded"
          : complete ? "complete"
                     : "not complete",
          {recorded, complete, recorded ? number(record.trace->lost) : Value(),
           recorded ? number(record.trace->events) : Value()});
  if (complete) return;
  const std::string why = recorded ? "the trace is not complete: " + record.trace->trouble.front()
                                   : std::string("system calls were not recorded");
  for (const Subject subject :
       {Subject::kProcess, Subject::kNet, Subject::kPrivilege, Subject::kSysctl, Subject::kRead})
    facts.of(subject).unknown = why;
}

void gaps(const report::RunRecord& record, PolicyFacts& facts) {
  for (const verdict::Gap& gap : record.gaps)
    add_row(facts, Subject::kFidelity, gap.what, {gap.what, std::string(verdict::to_string(gap.cap))});
}

void expectations(const report::RunRecord& record, PolicyFacts& facts) {
  for (const verdict::Expectation& one : record.expectations)
    add_row(facts, Subject::kExpect, one.what + ' ' + one.wanted + ": " + one.got, {one.what, one.met});
}

/// What could not be read makes unknown whatever it could have shown.
void unobserved(const report::RunRecord& record, PolicyFacts& facts) {
  for (const verdict::Finding& finding : record.verdict.findings) {
    if (finding.rule != "core.unobserved") continue;
    for (const verdict::Evidence& what : finding.evidence) {
      if (what.text.starts_with("trace: ")) continue;
      const Subject subject = what.text.starts_with("service manager: ") ? Subject::kUnit : Subject::kFile;
      if (facts.of(subject).unknown.empty()) facts.of(subject).unknown = what.text;
    }
  }
}

}  // namespace

PolicyFacts policy_facts(const report::RunRecord& record, int manifest_fd, int reads_fd) {
  PolicyFacts facts;
  facts.created_ns = record.created_ns;
  facts.clock_trusted = record.verdict.clock_trusted;
  facts.action = record.action.name.value_or("");
  completeness(record, facts);
  unobserved(record, facts);
  processes(record, facts);
  network(record, facts);
  units(record, facts);
  attempts(record, facts);
  accounts(record, facts);
  packages(record, facts);
  command(record, facts);
  expectations(record, facts);
  gaps(record, facts);
  if (manifest_fd >= 0)
    facts.changes = changes_of(record, manifest_fd);
  else
    facts.of(Subject::kFile).unknown = "the list of changes is not kept";
  if (reads_fd >= 0) {
    facts.reads = reads_of(record, reads_fd);
  } else {
    facts.reads = secrets_of(record);
    if (facts.of(Subject::kRead).unknown.empty())
      facts.of(Subject::kRead).unknown = "the list of what was read is not kept";
  }
  return facts;
}

verdict::Judgement judge_record(const report::RunRecord& record, const verdict::Policy& policy,
                                int manifest_fd, int reads_fd) {
  std::vector<verdict::Finding> core;
  std::ranges::copy_if(
      record.verdict.findings, std::back_inserter(core), [](const verdict::Finding& finding) {
        // The two were made anew each time before there was a policy, too.
        return !finding.by_policy && finding.rule != "core.not-judged" && finding.rule != "core.fidelity";
      });
  return verdict::judge(std::move(core), record.gaps, policy, policy_facts(record, manifest_fd, reads_fd));
}

Result<verdict::Judgement> judge_bundle(const ledger::Bundle& bundle, const report::RunRecord& record,
                                        const verdict::Policy& policy) {
  RH_TRY(const auto manifest, bundle.open_file("manifest"));
  const auto reads = bundle.open_file("reads");
  return judge_record(record, policy, manifest.get(), reads ? reads->get() : -1);
}

bool clock_is_trusted(const ledger::StateDir& state, const report::RunRecord& record,
                      const verdict::Policy& policy) {
  if (policy.exceptions.empty()) return true;  // nothing rests on it
  const std::int64_t now = realtime_ns();
  if (now < record.created_ns) return false;
  for (const verdict::PolicyFile& file : policy.files)
    if (file.mtime_ns > record.created_ns) return false;
  const auto ids = state.run_ids();
  if (!ids) return false;
  return std::ranges::none_of(*ids, [&](const std::string& id) { return ledger::time_of_run(id) > now; });
}

}  // namespace rehearse
