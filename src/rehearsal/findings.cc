#include "rehearsal/findings.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/ip_address.h"
#include "effects/manifest.h"
#include "gate/rule_text.h"
#include "rehearsal/sent_secrets.h"
#include "rehearsal/validation.h"
#include "report/network_text.h"
#include "syscalls/table.h"
#include "verdict/failure.h"

namespace rehearse {
namespace {

using syscalls::Nr;

/// The end of one of the kept streams.
std::string output_end(const ledger::Bundle& bundle, const char* name) {
  const auto file = bundle.open_file(name);
  struct stat st = {};
  if (!file || ::fstat(file->get(), &st) != 0) return {};
  const auto size = static_cast<std::size_t>(st.st_size);
  std::string text(std::min(size, verdict::kMostScanned), '\0');
  const ssize_t n = ::pread(file->get(), text.data(), text.size(), static_cast<off_t>(size - text.size()));
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

std::string base_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string endpoint_text(const report::NetworkRecord& to) {
  const bool local = to.proto == "unix" || to.proto == "other";
  std::string text = to.proto + ' ' + to.dst;
  if (!local && to.port != 0) text += ':' + std::to_string(to.port);
  if (!to.name.empty()) text += " (" + to.name + ')';
  return text;
}

/// Of the action, not of what was run inside after it.
bool is_action(const report::RunRecord& record, std::uint32_t process) {
  if (process == 0 || process > record.processes.size()) return true;
  return record.processes[process - 1].role == "action";
}

void take_processes(const report::RunRecord& record, verdict::FailureFacts& facts) {
  for (const report::ProcessRecord& process : record.processes) {
    if (process.role != "action") continue;
    verdict::RanProcess ran;
    ran.id = process.id;
    ran.parent = process.parent;
    ran.program = base_name(process.script.empty() || process.forked ? process.exe : process.script);
    if (ran.program.empty()) ran.program = process.comm;
    if (!process.argv.empty()) ran.called = base_name(process.argv.front());
    ran.exit = process.exit;
    ran.signal = process.signal;
    ran.start_ns = process.start_ns;
    ran.end_ns = process.end_ns;
    facts.processes.push_back(std::move(ran));
  }
}

void take_calls(const Recording& recording, const report::RunRecord& record, verdict::FailureFacts& facts) {
  facts.full_device = recording.full_device();
  for (trace::CallFailure& failure : recording.failed_calls()) {
    if (!is_action(record, failure.process)) continue;
    const syscalls::Syscall* call = syscalls::find_syscall(failure.nr);
    verdict::FailedCall failed;
    failed.process = failure.process;
    failed.call = call == nullptr ? "?" : call->name;
    failed.path = std::move(failure.path);
    failed.spelled = std::move(failure.spelled);
    failed.error = failure.error;
    failed.asks = failure.asks;
    failed.executes = failure.nr == Nr::execve || failure.nr == Nr::execveat;
    facts.calls.push_back(std::move(failed));
  }
}

void take_network(const report::RunRecord& record, verdict::FailureFacts& facts) {
  std::set<std::pair<std::uint32_t, std::string>> known;
  for (const report::NetworkRecord& to : record.network) {
    // Let through, but there was nobody.
    const bool vain = to.verdict == "passed" && !to.ended.empty() && to.bytes_out + to.bytes_in == 0;
    const bool unreached = to.verdict == "denied" || to.verdict == "absent" || vain;
    if (!unreached || to.probe || to.proto == "other" || !is_action(record, to.process)) continue;
    verdict::RefusedEndpoint refused;
    refused.process = to.process;
    refused.text = endpoint_text(to) + ": " + to.verdict + (to.error.empty() ? "" : ", " + to.error) +
                   (to.ended.empty() ? "" : ": " + to.ended);
    if (to.proto == "unix") refused.path = to.dst;
    if (!known.emplace(refused.process, refused.text).second) continue;
    facts.endpoints.push_back(std::move(refused));
  }
}

void take_units(const report::RunRecord& record, verdict::FailureFacts& facts) {
  for (const report::UnitRecord& asked : record.units) {
    if (asked.answered != "refused" || asked.request == "query" || !is_action(record, asked.process))
      continue;
    facts.units.push_back({asked.process, asked.request + ' ' +
                                              (asked.unit.empty() ? "the manager" : asked.unit) +
                                              (asked.detail.empty() ? "" : ": " + asked.detail)});
  }
}

std::vector<verdict::Finding> failures(const FindingSources& from, report::RunRecord& record) {
  const sandbox::Evidence& evidence = *from.evidence;
  verdict::FailureFacts facts;
  facts.exit = evidence.exit;
  facts.signal = evidence.signal;
  facts.timed_out = evidence.timed_out;
  facts.ended_here = evidence.ended_here;
  facts.wall_ns = evidence.wall_ns;
  facts.start_error = evidence.start_error;
  facts.start_errno = evidence.exit == 127 ? ENOENT : EACCES;
  facts.limits_hit = evidence.limits_hit;
  facts.traced = from.recording != nullptr;
  take_processes(record, facts);
  if (from.recording != nullptr) take_calls(*from.recording, record, facts);
  take_network(record, facts);
  take_units(record, facts);
  const std::string out = evidence.stdout_bytes == 0 ? "" : output_end(*from.bundle, "output/stdout");
  const std::string err = evidence.stderr_bytes == 0 ? "" : output_end(*from.bundle, "output/stderr");
  facts.err = from.terminal ? out : err;
  facts.out = from.terminal ? err : out;
  facts.checks = config_checks(record);
  // What is read of patterns is read once there is something to read by them.
  const bool failed = facts.exit != 0;
  const bool silent = facts.err.empty() && (!failed || facts.out.empty());
  static const auto kNone = verdict::FailurePatterns::parse("schema = \"rehearse.failures/1\"", "");
  return verdict::find_failures(facts, silent && kNone ? *kNone : verdict::FailurePatterns::shipped());
}

/// Whether an endpoint that was declared means where something was sent to.
bool allows(const gate::Endpoint& allowed, const report::NetworkRecord& to) {
  const bool udp = allowed.protocol == gate::Protocol::kUdp;
  if (to.proto != (udp ? "udp" : "tcp") || !allowed.ports.contains(to.port)) return false;
  if (std::holds_alternative<gate::AnyHost>(allowed.target)) return true;
  if (const auto* name = std::get_if<gate::NameTarget>(&allowed.target)) {
    const std::string proven = report::proven_name(to);
    return !proven.empty() && (gate::matches_name(*name, proven) ||
                               std::ranges::any_of(to.aliases, [&](const std::string& alias) {
                                 return gate::matches_name(*name, alias);
                               }));
  }
  const auto address = parse_ip(to.dst);
  if (!address) return false;
  if (const auto* block = std::get_if<IpBlock>(&allowed.target)) return block->contains(*address);
  const auto loopback = IpBlock::parse("127.0.0.0/8");
  return (loopback && loopback->contains(*address)) || to.dst == "::1";
}

/// Who asked for a name is not known: what was asked for before the action's last process ended is the
/// action's.
bool asked_by_action(const FindingSources& from, const report::RunRecord& record, const std::string& name) {
  if (record.probes.empty() || from.recording == nullptr) return true;
  const auto& asked = from.recording->names_asked();
  const auto at = asked.find(name);
  return at == asked.end() ||
         std::ranges::any_of(record.processes, [&](const report::ProcessRecord& process) {
           return process.role == "action" && (!process.end_ns || *process.end_ns >= at->second);
         });
}

/// Whether a name may be looked up: it, or what has answered under it, is among what was declared.
bool allows(const std::vector<gate::Endpoint>& allowed, const report::DnsRecord& asked,
            const report::RunRecord& record) {
  const auto names = [&](const gate::Endpoint& one) {
    const auto* name = std::get_if<gate::NameTarget>(&one.target);
    return std::holds_alternative<gate::AnyHost>(one.target) ||
           (name != nullptr && gate::matches_name(*name, asked.name));
  };
  if (std::ranges::any_of(allowed, names)) return true;
  return std::ranges::any_of(record.network, [&](const report::NetworkRecord& to) {
    return to.name == asked.name &&
           std::ranges::any_of(allowed, [&](const gate::Endpoint& one) { return allows(one, to); });
  });
}

std::vector<std::string> undeclared_network(const FindingSources& from, const report::RunRecord& record) {
  const verdict::Expectations& expected = *from.expected;
  std::vector<gate::Endpoint> allowed;
  if (!expected.net) return {};
  for (const std::string& item : *expected.net) {
    if (auto endpoint = gate::parse_endpoint(item)) allowed.push_back(std::move(*endpoint));
  }
  std::vector<std::string> beside;
  for (const report::NetworkRecord& to : record.network) {
    const bool internet = to.proto == "tcp" || to.proto == "udp" || to.proto == "icmp";
    if (!internet || to.probe || to.verdict == "absent" || !is_action(record, to.process)) continue;
    if (std::ranges::any_of(allowed, [&](const auto& one) { return allows(one, to); })) continue;
    std::string text = endpoint_text(to) + ": " + to.verdict;
    if (std::ranges::find(beside, text) == beside.end()) beside.push_back(std::move(text));
  }
  for (const report::DnsRecord& asked : record.dns) {
    if (stays_local(asked) || !asked_by_action(from, record, asked.name) || allows(allowed, asked, record))
      continue;
    std::string text = fmt::format("dns {}: {}", asked.name, asked.answer);
    if (std::ranges::find(beside, text) == beside.end()) beside.push_back(std::move(text));
  }
  return beside;
}

std::string ending_of(const sandbox::Evidence& evidence) {
  if (!evidence.start_error.empty()) return "never started";
  if (evidence.timed_out) return "timed out";
  if (evidence.signal) {
    const char* name = ::sigabbrev_np(*evidence.signal);
    return std::string("killed by SIG") + (name == nullptr ? "?" : name);
  }
  return evidence.exit ? fmt::format("{}", *evidence.exit) : "not known";
}

void take_names(const report::RunRecord& record, verdict::Happened& happened) {
  for (const effects::AccountChange& change : record.accounts) {
    std::string text = change.what + ':' + (change.name.empty() ? change.group : change.name);
    if (change.what.starts_with("member-")) text += ':' + change.group;
    happened.accounts.all.push_back(std::move(text));
  }
  happened.accounts.unknown = record.accounts_unknown;
  for (const effects::PackageChange& change : record.packages)
    happened.packages.all.push_back(change.what + ':' + change.name);
  happened.packages.unknown = record.packages_unknown;
}

std::vector<verdict::Finding> expectations(const FindingSources& from, report::RunRecord& record) {
  const verdict::Expectations& expected = *from.expected;
  verdict::Happened happened;
  happened.ending = ending_of(*from.evidence);
  if (from.evidence->start_error.empty() && !from.evidence->timed_out) happened.exit = from.evidence->exit;
  happened.wall_ns = record.command.wall_ns;
  happened.cpu_ns = record.command.user_ns + record.command.sys_ns;
  happened.memory_bytes = record.command.max_rss_bytes;
  happened.written_bytes = record.command.written_bytes;
  verdict::ChangedPaths paths(expected);
  if (const auto manifest = from.bundle->open_file("manifest")) {
    const auto read = effects::read_manifest(manifest->get(), [&](const effects::Change& change) {
      if (change.kind != effects::ChangeKind::kIdentical) paths.add(change.path, change.from);
      return true;
    });
    happened.paths_known = static_cast<bool>(read);
  }
  happened.network_known = record.trace.has_value();
  happened.network = undeclared_network(from, record);
  for (const report::UnitRecord& asked : record.units) {
    if (asked.request != "query" && is_action(record, asked.process))
      happened.units.push_back({asked.unit, asked.request});
  }
  take_names(record, happened);
  happened.probes = from.checks->outcomes();
  record.expectations = verdict::compare(expected, happened, paths);
  std::size_t probe = 0;
  for (const verdict::Expectation& row : record.expectations) {
    if (row.what == "probe" && probe < record.probes.size()) record.probes[probe++].met = row.met;
  }
  return verdict::judge_expectations(expected, record.expectations, paths, happened);
}

/// Changes that a probe may have made are in the change set with the action's.
template <class Runs>
void find_changed_by(const Runs& runs, verdict::Finding finding, std::vector<verdict::Finding>& findings) {
  constexpr std::size_t kMostEvidence = 40;
  for (const auto& one : runs) {
    if (one.run.changed.empty() || finding.evidence.size() >= kMostEvidence) continue;
    finding.evidence.push_back({"command", fmt::format("{}", fmt::join(one.run.argv, " "))});
    for (const std::string& path : one.run.changed) finding.evidence.push_back({"file", path});
  }
  if (!finding.evidence.empty()) findings.push_back(std::move(finding));
}

/// Calls of one kind of doubt as a finding; none if there are none.
void find_doubts(const trace::ArgumentDoubts& doubts, trace::Doubt doubt, verdict::Finding finding,
                 std::vector<verdict::Finding>& findings) {
  constexpr std::size_t kMostEvidence = 40;
  for (const auto& [seen, count] : doubts.list()) {
    const auto& [kind, call] = seen;
    if (kind != doubt || finding.evidence.size() >= kMostEvidence) continue;
    std::string text = fmt::format("process {}: {}", call.process, call.text);
    if (!call.truth.empty()) text += ", in truth " + call.truth;
    if (count > 1) text += fmt::format(", {} times", count);
    finding.evidence.push_back({"call", std::move(text)});
  }
  if (doubts.total(doubt) > finding.evidence.size() && !finding.evidence.empty())
    finding.evidence.push_back({"call", fmt::format("{} such calls in all", doubts.total(doubt))});
  if (!finding.evidence.empty()) findings.push_back(std::move(finding));
}

void find_doubts(const trace::ArgumentDoubts& doubts, std::vector<verdict::Finding>& findings) {
  const auto find = [&](trace::Doubt doubt, const char* rule, const char* why, const char* fix) {
    find_doubts(doubts, doubt, {rule, verdict::Level::kYellow, "soft", {}, why, fix}, findings);
  };
  find(trace::Doubt::kChanged, "core.argument-tampering",
       "An argument in the process's memory was another one when the call returned than when it began: what "
       "is "
       "shown of it may not be what the kernel acted on. Programs do not do this by chance.",
       "Believe the files that were opened and changed; look at the calls with `trace RUN --where "
       "'evt.tampered = true'`.");
  find(trace::Doubt::kUnread, "core.argument-unread",
       "An argument could be read neither when the call began, nor when it returned, nor later: what it "
       "named is "
       "not known where the kernel does not tell.",
       "Look at the calls with `trace RUN --where 'evt.unread = true'`.");
  find(trace::Doubt::kLate, "core.argument-late",
       "An argument could be read only after the call had returned: it may have been another one by then.",
       "Look at the calls with `trace RUN --where 'evt.late = true'`.");
}

}  // namespace

std::vector<verdict::Finding> find_more(const FindingSources& from, report::RunRecord& record) {
  from.checks->describe(*from.bundle, from.recording, record);
  std::vector<verdict::Finding> findings = failures(from, record);
  if (from.recording != nullptr) find_doubts(from.recording->doubts(), findings);
  if (from.expected != nullptr) {
    auto more = expectations(from, record);
    std::ranges::move(more, std::back_inserter(findings));
  }
  find_changed_by(
      record.probes,
      {"expect.probe-changed",
       verdict::Level::kYellow,
       "soft",
       {},
       "A probe that was run inside after the command wrote to these files too: what became of them is not "
       "the command's work alone, and is among the changes.",
       "Use a probe that only looks."},
      findings);
  return findings;
}

}  // namespace rehearse
