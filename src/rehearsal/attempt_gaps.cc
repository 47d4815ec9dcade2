#include "rehearsal/attempt_gaps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <set>
#include <string_view>

#include "base/inherited.h"
#include "base/sys.h"
#include "report/contained_text.h"

namespace rehearse {
namespace {

using report::AttemptRecord;
using report::ProcessRecord;

bool has(const AttemptRecord& attempt, std::string_view text) {
  return attempt.detail.find(text) != std::string::npos;
}

/// What an attempt to look was for, by the call that it was made by.
struct Sight {
  const char* what;
  const char* why;
};

Sight sight_of(const AttemptRecord& attempt) {
  if (attempt.detail.starts_with("syslog(") || has(attempt, "/dev/kmsg"))
    return {"the kernel's log of this host", "the command asked for it, and it is not shown inside"};
  if (has(attempt, "/proc/sys/"))
    return {
        "settings of this host's kernel",
        "the command looked for some that are not shown inside: what it says of them is not what it would "
        "say on the host"};
  if (has(attempt, "/sys/firmware") || has(attempt, "/dmi"))
    return {"what the firmware says of this machine", "the command asked for it, and it is not shown inside"};
  return {"processes and sockets of this host",
          "the command looked for them, and inside there are the run's own only: what it says of them is not "
          "what it would say on the host"};
}

void look_gaps(report::RunRecord& record) {
  std::set<std::string_view> named;
  for (const AttemptRecord& attempt : record.attempts) {
    if (attempt.what != "look") continue;
    const Sight sight = sight_of(attempt);
    if (named.insert(sight.what).second)
      record.gaps.push_back({sight.what, sight.why, verdict::Level::kGreen});
  }
}

/// Programs go on without what these would have given them.
bool is_habit(const AttemptRecord& attempt) {
  constexpr auto kKinds = std::to_array<std::string_view>({"limits", "watch", "probe"});
  return std::ranges::find(kKinds, attempt.what) != kKinds.end();
}

bool is_refused(const AttemptRecord& attempt) {
  return attempt.result == "denied" && !is_habit(attempt);
}

void refused_gaps(report::RunRecord& record) {
  std::set<std::string> kinds;
  std::uint64_t count = 0;
  for (const AttemptRecord& attempt : record.attempts) {
    if (!is_refused(attempt) || attempt.what == "look") continue;
    kinds.insert(attempt.what);
    count += attempt.count;
  }
  if (count == 0) return;
  record.gaps.push_back(
      {fmt::format("{} attempt{} refused: {}", count, count == 1 ? "" : "s", fmt::join(kinds, ", ")),
       "a host lets its administrator: what would have come of it was not seen", verdict::Level::kGreen});
}

void contained_gaps(report::RunRecord& record) {
  const std::vector<std::string> lines = report::contained_lines(record);
  if (lines.empty()) return;
  std::set<std::string> kinds;
  for (const std::string& line : lines) kinds.insert(line.substr(0, line.find(':')));
  record.gaps.push_back(
      {fmt::format("{} change{} in the run's own kernel objects: {}", lines.size(),
                   lines.size() == 1 ? "" : "s", fmt::join(kinds, ", ")),
       "they went with the run: they are not in the list of changes, and a promotion does not make them",
       verdict::Level::kGreen});
}

// ---- core dumps

bool dumps_core(int signal) {
  constexpr int kDumping[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                              SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
  return std::ranges::find(kDumping, signal) != std::end(kDumping);
}

const ProcessRecord* find(const report::RunRecord& record, std::uint32_t id) {
  const auto found = std::ranges::find(record.processes, id, &ProcessRecord::id);
  return found == record.processes.end() ? nullptr : &*found;
}

/// Whether the process would have had a limit other than 0: as it or, before it, its makers had asked for, or
/// rehearse's caller had. Inside the limit is 0 and remains so.
bool wants_core(const report::RunRecord& record, std::uint32_t process) {
  const auto asked = [&](const AttemptRecord& attempt) {
    return attempt.result == "faked" && has(attempt, "RLIMIT_CORE");
  };
  const auto of_other = [&](const AttemptRecord& attempt) {
    return asked(attempt) && attempt.detail.starts_with("prlimit64(") &&
           !attempt.detail.starts_with("prlimit64(0,");
  };
  const auto is_zero = [](const AttemptRecord& attempt) { return has(attempt, "rlim_cur=0,"); };
  for (const AttemptRecord& attempt : record.attempts)
    if (of_other(attempt) && !is_zero(attempt)) return true;
  for (const ProcessRecord* one = find(record, process); one != nullptr; one = find(record, one->parent)) {
    for (auto attempt = record.attempts.rbegin(); attempt != record.attempts.rend(); ++attempt)
      if (attempt->process == one->id && asked(*attempt) && !of_other(*attempt)) return !is_zero(*attempt);
    if (one->parent >= one->id) break;  // of a hostile record
  }
  return inherited().core_size.rlim_cur != 0;
}

void core_gaps(report::RunRecord& record) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> named;
  std::size_t more = 0;
  // A program that takes the dumps is given them whatever the limit.
  const std::string pattern = sys::read_file("/proc/sys/kernel/core_pattern", 4096).value_or("");
  const bool piped = pattern.starts_with('|');
  for (const ProcessRecord& process : record.processes) {
    if (process.role != "action" || !process.signal || !dumps_core(*process.signal)) continue;
    if (!piped && !wants_core(record, process.id)) continue;
    const char* signal = ::sigabbrev_np(*process.signal);
    if (named.size() < kMostNamed)
      named.push_back(
          fmt::format("[{}] {} (SIG{})", process.id, process.comm, signal == nullptr ? "?" : signal));
    else
      ++more;
  }
  if (named.empty()) return;
  record.gaps.push_back(
      {fmt::format("core dump of {}{}", fmt::join(named, ", "),
                   more == 0 ? "" : fmt::format(" and {} more", more)),
       fmt::format("on the host the kernel makes one ({}), and says so to who waits; inside it makes none",
                   piped ? "core_pattern gives it to a program" : "the limit that was asked for lets it"),
       verdict::Level::kYellow});
}

/// It did not end well, or how it ended is not known.
bool failed(const report::RunRecord& record, std::uint32_t process) {
  const ProcessRecord* found = find(record, process);
  return found == nullptr || found->signal || found->exit.value_or(1) != 0;
}

}  // namespace

void name_attempt_gaps(report::RunRecord& record) {
  look_gaps(record);
  refused_gaps(record);
  contained_gaps(record);
  core_gaps(record);
}

Hindrances hindrances(const report::RunRecord& record, const std::vector<std::string>& limits_hit) {
  constexpr std::size_t kMost = 12;  // of both together
  Hindrances found;
  std::vector<std::string>& lines = found.refused;
  for (const std::string& limit : limits_hit) lines.push_back("limit: " + limit);
  for (const AttemptRecord& attempt : record.attempts) {
    if (is_refused(attempt) && failed(record, attempt.process))
      lines.push_back(fmt::format("{}: {}{}{}", attempt.what, attempt.detail,
                                  attempt.error.empty() ? "" : ": ", attempt.error));
  }
  if (lines.size() > kMost) lines.resize(kMost);
  for (const verdict::Gap& gap : record.gaps)
    if (gap.cap != verdict::Level::kGreen && lines.size() + found.gaps.size() < kMost)
      found.gaps.push_back(gap.what);
  return found;
}

}  // namespace rehearse
