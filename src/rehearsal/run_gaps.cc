#include "rehearsal/run_gaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/units.h"
#include "rehearsal/attempt_gaps.h"
#include "rehearsal/limit_gaps.h"
#include "rehearsal/listeners.h"
#include "report/network_text.h"
#include "report/read_only_text.h"
#include "verdict/judge.h"

namespace rehearse {
namespace {

void manager_gaps(const ServiceManager& manager, report::RunRecord& record) {
  std::uint64_t mocked = 0;
  for (const report::UnitRecord& asked : record.units) {
    if (asked.changes() && asked.answered == "mocked") mocked += asked.count;
  }
  if (mocked != 0) {
    record.gaps.push_back({fmt::format("service manager: {} request{} answered and not carried out", mocked,
                                       mocked == 1 ? "" : "s"),
                           "whether the services would have come up was not seen", verdict::Level::kYellow});
  }
  if (manager.unrecorded() != 0) {
    record.gaps.push_back({fmt::format("{} requests to the service manager not kept", manager.unrecorded()),
                           "more than a report keeps", verdict::Level::kInconclusive});
  }
}

/// What the action met in place of the world outside.
void network_gaps(report::RunRecord& record) {
  const report::NetworkCounts network = report::count_network(record);
  const auto gap = [&record](std::uint64_t count, const char* what, const char* why) {
    if (count != 0)
      record.gaps.push_back(
          {fmt::format("network: {} attempts {}", count, what), why, verdict::Level::kYellow});
  };
  gap(network.denied, "denied", "what they would have led to was not seen");
  gap(network.mocked, "mocked", "a mock or a recording answered in place of the real service");
}

/// On the host the command would have met ENOSPC.
void room_gaps(const effects::ChangeSet& changes, report::RunRecord& record) {
  for (const effects::Overfull& found : changes.overfull) {
    const bool bytes = found.more_bytes > found.free_bytes;
    record.gaps.push_back(
        {"room on " + found.mountpoint,
         bytes
             ? fmt::format("the command leaves {} more there, and the host has {} free: there, writing fails",
                           format_bytes(found.more_bytes), format_bytes(found.free_bytes))
             : fmt::format(
                   "the command leaves {} more files there, and the host has room for {}: there, making "
                   "them fails",
                   found.more_files, found.free_files),
         verdict::Level::kYellow});
  }
}

/// The numbers that processes have everywhere else. A pid may have been given again: the last that had it, of
/// those that did not end by themselves, is the one that was there at the end.
void number_leftovers(report::RunRecord& record) {
  for (report::LeftoverProcess& left : record.command.leftover) {
    if (left.pid <= 0) continue;
    for (const report::ProcessRecord& process : record.processes) {
      if (process.pid == static_cast<std::uint32_t>(left.pid) && (!process.end_ns || process.signal))
        left.process = process.id;
    }
  }
}

}  // namespace

void find_and_name_gaps(const sandbox::Evidence& evidence, const effects::ChangeSet& changes,
                        const ServiceManager& manager, const NetworkPlan& network,
                        std::vector<verdict::Finding> found, report::RunRecord& record) {
  number_leftovers(record);
  verdict::Facts facts;
  facts.found = std::move(found);
  facts.exit = evidence.exit;
  facts.signal = evidence.signal;
  facts.timed_out = evidence.timed_out;
  facts.start_error = evidence.start_error;
  facts.limits_hit = evidence.limits_hit;
  for (const report::LeftoverProcess& process : record.command.leftover) {
    std::string line = (process.process != 0 ? '[' + std::to_string(process.process) + "] "
                                             : "pid " + std::to_string(process.pid) + " inside: ") +
                       process.comm;
    for (const std::string& word : process.argv) line += ' ' + word;
    facts.leftover.push_back(std::move(line));
  }
  facts.output_cut = evidence.output_cut;
  if (record.read_only) facts.write_attempts = report::write_attempt_lines(*record.read_only);
  facts.base_moved = changes.base_moved;
  facts.reads_moved = record.reads.moved;
  facts.mock_trouble = record.mock_trouble;
  facts.masked = changes.masked;
  facts.unobserved = evidence.unobserved;
  facts.unobserved.insert(facts.unobserved.end(), changes.unobserved.begin(), changes.unobserved.end());
  record.changes_unobserved = changes.missing;
  for (const std::string& line : manager.trouble()) facts.unobserved.push_back("service manager: " + line);
  manager_gaps(manager, record);
  room_gaps(changes, record);
  if (!record.trace) {
    record.gaps.push_back(
        {"system calls were not recorded", "asked for with --no-trace", verdict::Level::kInconclusive});
    record.gaps.push_back(
        {"network: loopback only",
         "without a trace there is no gate: every outside destination is unreachable inside",
         verdict::Level::kYellow});
  } else {
    for (const std::string& line : record.trace->trouble) facts.unobserved.push_back("trace: " + line);
    network_gaps(record);
    listener_gaps(record);
    name_attempt_gaps(record);
    std::ranges::move(limit_gaps(record, limit_rules()), std::back_inserter(record.gaps));
    if (record.reads.unplaced != 0) {
      record.gaps.push_back({fmt::format("{} lookups of names", record.reads.unplaced),
                             "they began in a directory whose path is too long or not known: what they rest "
                             "on is not in the read set",
                             verdict::Level::kYellow});
    }
    if (network.authority) {
      record.gaps.push_back({"trusted certificates: the run's own authority is among them",
                             "mocked services speak TLS; programs with certificates of their own are told by "
                             "NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE and SSL_CERT_FILE",
                             verdict::Level::kYellow});
    }
    if (record.trace->may_load_modules) {
      record.gaps.push_back(
          {"kernel modules",
           "this kernel lets nobody refuse them: a mount, a device or a socket of a kind that "
           "is not there may have it load one, which stays on the host",
           verdict::Level::kGreen});
    }
    const auto modules = std::ranges::count_if(
        record.attempts, [](const report::AttemptRecord& each) { return each.what == "module autoload"; });
    if (modules != 0) {
      record.gaps.push_back({fmt::format("kernel modules: {} not loaded", modules),
                             "what they would have made possible was not seen; `modprobe` them on the host "
                             "first, if it uses them anyway",
                             verdict::Level::kYellow});
    }
    if (!record.trace->real_time) {
      record.gaps.push_back({"the trace's governor runs without real-time priority",
                             "this host refuses it; had a record been lost, the run would be inconclusive",
                             verdict::Level::kGreen});
    }
  }
  if (evidence.interrupted_by) {
    facts.unobserved.push_back(std::string("the run was interrupted by SIG") +
                               sigabbrev_np(*evidence.interrupted_by) + ": the action did not end by itself");
  }
  for (const std::string& stream : evidence.unread) {
    record.gaps.push_back({stream + " had no reader any more",
                           "who had read it (a pipeline's next command) had ended, and so the command's next "
                           "write failed (SIGPIPE, EPIPE): what it does with a reader was not seen",
                           verdict::Level::kYellow});
  }
  for (const std::string& path : changes.setid_lost) {
    record.gaps.push_back({"setuid or setgid bit of " + path,
                           "a write inside clears it; a write of the host's root keeps it",
                           verdict::Level::kYellow});
  }
  Hindrances hindered = hindrances(record, evidence.limits_hit);
  facts.hindered = std::move(hindered.refused);
  facts.unseen = std::move(hindered.gaps);
  record.verdict.findings = verdict::core_findings(facts);
}

}  // namespace rehearse
