#include "report/terminal.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "report/attempts_text.h"
#include "report/change_list.h"
#include "report/context_text.h"
#include "report/decision_text.h"
#include "report/digest_words.h"
#include "report/expect_text.h"
#include "report/named_changes_text.h"
#include "report/network_text.h"
#include "report/process_text.h"
#include "report/read_only_text.h"
#include "report/run_text.h"
#include "report/style.h"
#include "report/text_width.h"
#include "report/undo_text.h"
#include "report/units_text.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kValueLimit = 4096;  // of one value a person reads; JSON has all of it
constexpr std::size_t kShownEvidence = 20;
constexpr std::size_t kWordsLimit = 64U * 1024;

std::string without_newline(std::string text) {
  text.pop_back();
  return text;
}

class Report {
 public:
  Report(Writer& out, const RunRecord& record, const TerminalOptions& options, const Decided& decided)
      : out_(out), record_(record), options_(options), decided_(decided), style_(options.color) {}

  void verdict_bar() {
    out_.put(fmt::format("{}  {} · {} · {} · {}\n", style_.level(record_.verdict.level, true),
                         style_.bold(effects_line(record_)), format_bytes(record_.command.written_bytes),
                         format_duration(record_.command.wall_ns), ending_text(record_.command)));
    prose(verdict_sentence(record_), 2);
    const std::string id = escape_text(record_.id, 80);
    line("run", style_.bold(id) + "  " + rfc3339(record_.created_ns));
    if (!record_.digest.empty()) line("digest", escape_text(record_.digest, 80));
    note("", digest_words(record_.digest));
    commands("next", {command_line("diff " + id), command_line("show " + id + " --json")});
    const std::string latest = latest_text(decided_);
    note("so far", latest);
    if (!awaits_decision(record_) || !decided_.promotions.empty()) return;
    if (latest.empty()) line("decide", command_line("approve " + run_at_digest(record_) + " --reason ..."));
    note("", escape_text(decided_.approval_rule, kValueLimit));
  }

  void action() {
    title("Action as the runtime saw it");
    const Action& action = record_.action;
    if (action.name) line("name", escape_text(*action.name, kValueLimit));
    line("command", words_text(action.argv, options_.columns > 0 ? kValueLimit : kWordsLimit));
    if (const std::string program = program_text(record_); !program.empty()) line("program", program);
    line("as",
         fmt::format("uid {} gid {} in {}", action.uid, action.gid, escape_text(action.cwd, kValueLimit)));
    line("host", escape_text(record_.host_name, 256) + ", kernel " + escape_text(record_.host_kernel, 256) +
                     ", profile " + escape_text(record_.profile, 64));
    if (const std::string more = environment_text(action, kValueLimit); !more.empty()) line("with", more);
    std::string who = fmt::format("uid {}", record_.requester.uid);
    if (record_.requester.loginuid) who += fmt::format(", login uid {}", *record_.requester.loginuid);
    if (record_.requester.sudo_uid)
      who += fmt::format(", sudo uid {} (claimed)", *record_.requester.sudo_uid);
    if (record_.requester.unit) who += ", unit " + escape_text(*record_.requester.unit, 256);
    if (record_.requester.tty) who += ", tty " + escape_text(*record_.requester.tty, 256);
    line("asked by", who);
    if (!record_.command.error.empty()) line("error", escape_text(record_.command.error, kValueLimit));
    out_.put(
        claim_text(record_, effects_line(record_) + ", " + ending_text(record_.command), options_.columns));
  }

  void read_only() {
    if (!record_.read_only) return;
    title("Read-only");
    out_.put(read_only_text(*record_.read_only, options_.columns));
  }

  void expectations() {
    if (!record_.expectations.empty()) {
      title("Expected of it");
      if (record_.action.expect) line("by", escape_text(record_.action.expect->source, kValueLimit));
      out_.put(expectations_text(record_, style_));
    }
    if (record_.probes.empty() && record_.validations.empty()) return;
    title("Run after it");
    out_.put(inside_text(record_, style_));
  }

  void findings() {
    for (const bool deciding : {true, false}) {
      for (const auto level : {verdict::Level::kRed, verdict::Level::kInconclusive, verdict::Level::kYellow,
                               verdict::Level::kGreen}) {
        for (const verdict::Finding& finding : record_.verdict.findings) {
          if (finding.level == level && finding.decides() == deciding) one_finding(finding);
        }
      }
    }
  }

  void unobserved() {
    title("Could not be observed");
    out_.put(fmt::format("  fidelity {:.2f}{}\n", record_.verdict.fidelity_score,
                         record_.gaps.empty() ? ": nothing is known to be missing" : ""));
    for (const verdict::Gap& gap : record_.gaps) {
      out_.put(fmt::format("  at best {}  {}\n", style_.level(gap.cap), escape_text(gap.what, kValueLimit)));
      prose(escape_text(gap.why, kValueLimit), 6);
    }
  }

  void rollback() {
    if (!record_.rollback) return;
    out_.put("\n" + undo_text(*record_.rollback));
  }

  void affected() {
    if (!record_.affected) return;
    title("Who is affected, as of now");
    out_.put(affected_text(*record_.affected, options_.columns));
  }

  void history() {
    if (!record_.history) return;
    title("History");
    out_.put(history_text(*record_.history, style_, options_.columns));
  }

  void decided() {
    const std::string text = decided_text(decided_, options_.columns);
    if (text.empty()) return;
    title("Decided, and done since");
    out_.put(text);
  }

  void accounts_and_packages() {
    constexpr std::size_t kMost = 40;
    const std::string text = named_changes_text(record_, kMost);
    if (text.empty()) return;
    title("Accounts and packages");
    out_.put(text);
  }

  void provenance_list() {
    title("Provenance");
    for (const auto& [name, text] : provenance(record_)) line(name.c_str(), text);
  }

  void leftovers() {
    if (record_.command.leftover.empty()) return;
    title("Processes that outlived the command, now ended");
    for (const LeftoverProcess& process : record_.command.leftover) {
      const std::string number = process.process != 0 ? fmt::format("{:>4}", process.process)
                                                      : fmt::format("pid {} inside", process.pid);
      out_.put(fmt::format("  {}  {}  {}\n", number, escape_text(process.comm, 64),
                           words_text(process.argv, 1024)));
    }
  }

  void attempts() {
    if (record_.attempts.empty() && record_.reads.secrets.empty()) return;
    if (!record_.attempts.empty()) {
      title("Privileged attempts");
      constexpr std::size_t kMost = 30;
      out_.put(attempts_text(
          record_, kMost,
          '`' + command_line("trace " + escape_text(record_.id, 80) + " --where 'evt.privileged = true'") +
              '`'));
    }
    if (!record_.reads.secrets.empty()) {
      title("Secrets read");
      for (const std::string& path : record_.reads.secrets)
        out_.put("  " + escape_text(path, kValueLimit) + '\n');
    }
  }

  void network() {
    if (record_.network.empty() && record_.dns.empty() && record_.listeners.empty()) return;
    title("Network");
    constexpr std::size_t kMost = 30;
    out_.put(network_text(record_, style_, kMost));
  }

  void units() {
    if (record_.units.empty()) return;
    title("Service manager");
    constexpr std::size_t kMost = 30;
    out_.put(units_text(record_, style_, kMost));
  }

  void processes() {
    if (!record_.trace) return;
    const TraceRecord& trace = *record_.trace;
    title("Processes");
    constexpr std::size_t kMost = 40;
    out_.put(process_tree_text(record_, style_, options_.columns, kMost));
    constexpr std::size_t kSlowest = 5;
    if (const std::string slowest = slowest_text(record_, options_.columns, kSlowest); !slowest.empty()) {
      title("Slowest processes");
      out_.put(slowest);
    }
    title("Trace");
    line("recorded", fmt::format("{} events, {} system calls; {} lost; {}", trace.events, trace.syscalls,
                                 trace.lost, format_bytes(trace.bytes)));
    line("proof", trace.trouble.empty() ? std::string("complete: the kernel's own counts agree")
                                        : style_.yellow("NOT COMPLETE"));
    for (const std::string& why : trace.trouble) line("", escape_text(why, kValueLimit));
    note("", options_.not_checked);
    line("read", fmt::format("{} paths of the host; {} looked for in vain", record_.reads.files,
                             record_.reads.absent));
    if (trace.freezes != 0)
      line("frozen",
           fmt::format("{} times, {} in all, to keep up", trace.freezes, format_duration(trace.frozen_ns)));
    if (trace.brakes != 0)
      line("held up",
           fmt::format("{} calls, {} in all, to keep up", trace.brakes, format_duration(trace.braked_ns)));
    const std::string traced = command_line("trace " + escape_text(record_.id, 80));
    commands("next", {traced, traced + " --summary"});
  }

  void resources() {
    const Command& command = record_.command;
    title("Resources");
    line("command", fmt::format("{} wall, {} user, {} system, {} resident at most",
                                format_duration(command.wall_ns), format_duration(command.user_ns),
                                format_duration(command.sys_ns), format_bytes(command.max_rss_bytes)));
    const Phases& phases = record_.phases;
    line("rehearse",
         fmt::format("plan {}, build {}, run {}, read {}, judge {}", format_duration(phases.plan_ns),
                     format_duration(phases.build_ns), format_duration(phases.run_ns),
                     format_duration(phases.read_ns), format_duration(phases.judge_ns)));
    for (const std::string& limit : record_.limits) line("limit", escape_text(limit, kValueLimit));
  }

  void kept() {
    title("Kept");
    const Command& command = record_.command;
    if (!options_.bundle.empty()) line("bundle", escape_text(options_.bundle, kValueLimit));
    line("output", fmt::format("stdout {}, stderr {}{}", format_bytes(command.stdout_bytes),
                               format_bytes(command.stderr_bytes),
                               command.output_cut ? "; the kept copy was CUT, more was written" : ""));
  }

  [[nodiscard]] std::string command_line(const std::string& verb) const {
    return "rehearse " + options_.state_option + verb;
  }

 private:
  void title(const char* text) { out_.put("\n" + style_.bold(text) + "\n"); }
  void line(const char* name, const std::string& text) { out_.put(fmt::format("  {:<9} {}\n", name, text)); }
  /// Of words: broken between them, below each other. Nothing of none.
  void note(const char* name, const std::string& text) {
    if (text.empty()) return;
    constexpr std::size_t kIndent = 12;
    line(name, without_newline(wrap(text, kIndent, options_.columns)).substr(kIndent));
  }
  /// Commands to be copied: whole, side by side where there is room.
  void commands(const char* name, const std::vector<std::string>& lines) {
    const std::string all = fmt::format("{}", fmt::join(lines, "   "));
    if (options_.columns == 0 || text_width(all) + 12 <= options_.columns) return line(name, all);
    for (const std::string& one : lines) line(std::exchange(name, ""), one);
  }
  void prose(const std::string& text, std::size_t indent) {
    if (!text.empty()) out_.put(wrap(text, indent, options_.columns));
  }

  void one_finding(const verdict::Finding& finding) {
    std::string remark = finding.shadow                  ? "  on trial: does not decide"
                         : finding.enforce == "advisory" ? "  advice: does not decide"
                                                         : "";
    if (!finding.refs.empty())
      remark += "  " + style_.dim(escape_text(fmt::format("{}", fmt::join(finding.refs, " ")), 256));
    out_.put(fmt::format("\n{}  {}{}\n", style_.level(finding.level),
                         style_.bold(escape_text(finding.rule, 256)), remark));
    prose(escape_text(finding.why, kValueLimit), 2);
    std::size_t shown = 0;
    for (const verdict::Evidence& evidence : finding.evidence) {
      if (finding.by_policy && shown >= kShownEvidence) break;
      ++shown;
      out_.put(
          fmt::format("  {}: {}\n", escape_text(evidence.kind, 64), escape_text(evidence.text, kValueLimit)));
    }
    const std::uint64_t all = std::max<std::uint64_t>(finding.count, finding.evidence.size());
    if (all > shown) out_.put(fmt::format("  and {} more\n", all - shown));
    if (!finding.fix.empty()) prose("fix: " + escape_text(finding.fix, kValueLimit), 2);
  }

  Writer& out_;
  const RunRecord& record_;
  const TerminalOptions& options_;
  const Decided& decided_;
  Style style_;
};

}  // namespace

std::size_t terminal_columns(int fd) {
  if (::isatty(fd) != 1) return 0;
  struct winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool want_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::strcmp(term, "dumb") == 0) return false;
  return ::isatty(fd) == 1;
}

std::string counts_line(const effects::Counts& counts) {
  std::string text;
  const auto add = [&](const char* sign, std::uint64_t number) {
    if (number == 0) return;
    if (!text.empty()) text += ' ';
    text += fmt::format("{}{}", sign, number);
  };
  add("+", counts.created);
  add("~", counts.modified);
  add("−", counts.deleted);
  add(">", counts.renamed);
  add("m", counts.metadata);
  add("t", counts.type);
  if (text.empty()) return "no file changes";
  return text + (counts.total() - counts.identical == 1 ? " file" : " files");
}

Result<void> write_terminal_report(Writer& out, const RunRecord& record, int manifest_fd,
                                   const TerminalOptions& options, const Decided& decided) {
  RH_TRY(const ManifestSummary summary, summarize(manifest_fd));
  Report report(out, record, options, decided);
  report.verdict_bar();
  report.action();
  report.read_only();
  report.findings();
  report.expectations();
  RH_CHECK(write_destructive(out, summary, manifest_fd, options));
  report.unobserved();
  report.rollback();
  report.affected();
  report.leftovers();
  RH_CHECK(write_owners(out, summary, manifest_fd, options,
                        report.command_line("diff " + escape_text(record.id, 80) + " --stat")));
  report.accounts_and_packages();
  report.attempts();
  report.units();
  report.network();
  report.processes();
  report.resources();
  report.history();
  report.decided();
  report.provenance_list();
  report.kept();
  return out.flush();
}

}  // namespace rehearse::report
