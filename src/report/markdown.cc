#include "report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "effects/manifest.h"
#include "report/attempts_text.h"
#include "report/change_list.h"
#include "report/change_text.h"
#include "report/context_text.h"
#include "report/decision_text.h"
#include "report/digest_words.h"
#include "report/expect_text.h"
#include "report/html.h"
#include "report/named_changes_text.h"
#include "report/network_text.h"
#include "report/process_text.h"
#include "report/read_only_text.h"
#include "report/run_text.h"
#include "report/style.h"
#include "report/undo_text.h"
#include "report/units_text.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kMostEvidence = 10;  ///< of one finding
constexpr std::size_t kMostLines = 40;     ///< of attempts, destinations, processes
constexpr std::size_t kMostChanges = 2000;
constexpr std::size_t kValueLimit = 512;
constexpr std::size_t kLineLimit = 2048;
/// Of one block, and of the list of what is gone: so that the later sections find room, too.
constexpr std::size_t kBlockLimit = 6U << 10U;
constexpr std::size_t kListLimit = 16U << 10U;
constexpr std::size_t kKeptForTheEnd = 3U << 10U;

const Style kPlain(false);

std::string text(std::string_view raw, std::size_t limit = kValueLimit) {
  return escape_text(raw, limit);
}

class Page {
 public:
  Page(const RunRecord& record, const Decided& decided, std::string command)
      : record_(record), decided_(decided), command_(std::move(command)) {}

  void bar() {
    page_ = fmt::format("## {} — what a rehearsal found\n", kPlain.level(record_.verdict.level));
    std::string lines = verdict_sentence(record_) + '\n';
    lines +=
        fmt::format("{} · {} · {} · {}\n", effects_line(record_), format_bytes(record_.command.written_bytes),
                    format_duration(record_.command.wall_ns), ending_text(record_.command));
    lines += row("run", text(record_.id, 80) + "  " + rfc3339(record_.created_ns));
    if (!record_.digest.empty()) lines += row("digest", text(record_.digest, 80));
    if (const std::string words = digest_words(record_.digest); !words.empty()) lines += row("", words);
    if (const std::string latest = latest_text(decided_); !latest.empty()) {
      lines += row("so far", latest);
    } else if (awaits_decision(record_)) {
      lines += row("decide", command_ + "approve " + run_at_digest(record_) + " --reason ...");
      if (!decided_.approval_rule.empty()) lines += row("", text(decided_.approval_rule));
    }
    block(lines, kBlockLimit);
  }

  void action() {
    const Action& action = record_.action;
    std::string lines;
    if (action.name) lines += row("name", text(*action.name));
    lines += row("command", words_text(action.argv, kLineLimit));
    if (const std::string program = program_text(record_); !program.empty()) lines += row("program", program);
    lines += row("as", fmt::format("uid {} gid {} in {}", action.uid, action.gid, text(action.cwd)));
    lines += row("host", fmt::format("{}, kernel {}, profile {}", text(record_.host_name, 256),
                                     text(record_.host_kernel, 256), text(record_.profile, 64)));
    if (const std::string more = environment_text(action, kLineLimit); !more.empty())
      lines += row("with", more);
    if (!record_.command.error.empty()) lines += row("error", text(record_.command.error));
    lines += claim_text(record_, effects_line(record_) + ", " + ending_text(record_.command), 0);
    section("The action as the runtime saw it", lines);
    if (record_.read_only) section("Read-only", read_only_text(*record_.read_only, 0));
  }

  void findings() {
    std::string lines;
    for (const bool deciding : {true, false}) {
      for (const auto level : {verdict::Level::kRed, verdict::Level::kInconclusive, verdict::Level::kYellow,
                               verdict::Level::kGreen}) {
        for (const verdict::Finding& finding : record_.verdict.findings) {
          if (finding.level == level && finding.decides() == deciding) lines += finding_lines(finding);
        }
      }
    }
    section("Findings", lines, kListLimit);
    if (!record_.expectations.empty()) section("Expected of it", expectations_text(record_, kPlain));
    if (!record_.probes.empty() || !record_.validations.empty())
      section("Run after it", inside_text(record_, kPlain));
  }

  Result<void> destructive(const ManifestSummary& summary, int manifest_fd) {
    if (summary.destructive == 0) return {};
    RH_TRY(const std::string lines, list(summary.links, manifest_fd, [](const effects::Change& change) {
             return is_destructive(change);
           }));
    section(fmt::format("Destructive: {} deleted, replaced or overwritten", summary.destructive), lines,
            kListLimit, summary.destructive);
    return {};
  }

  void unobserved() {
    std::string lines = fmt::format("fidelity {:.2f}\n", record_.verdict.fidelity_score);
    for (const verdict::Gap& gap : record_.gaps)
      lines += fmt::format("at best {}  {}\n    {}\n", kPlain.level(gap.cap), text(gap.what), text(gap.why));
    section("Could not be observed", lines);
    if (record_.rollback) section("Rollback", undo_text(*record_.rollback));
    if (record_.affected)
      section("Who is affected, as of " + rfc3339(record_.affected->at_ns),
              affected_text(*record_.affected, 0));
  }

  Result<void> changes(const ManifestSummary& summary, int manifest_fd) {
    if (summary.owners.empty()) return {};
    std::string lines;
    for (const auto& [package, owner] : summary.owners)
      lines += (package.empty() ? std::string("no package") : text(package, 256)) + "  " +
               owner_counts(owner.counts) + '\n';
    RH_TRY(const std::string listed, list(summary.links, manifest_fd, [](const effects::Change& change) {
             return !is_noise(change) && !is_destructive(change);
           }));
    section("Changes by owner: + created, ~ modified, − deleted, > renamed, m metadata, t other type",
            lines + listed, kListLimit, summary.owners.size() + summary.listed);
    return {};
  }

  void rest() {
    section("Accounts and packages", named_changes_text(record_, kMostLines));
    if (!record_.attempts.empty())
      section("Privileged attempts", attempts_text(record_, kMostLines, "`rehearse trace`"));
    std::string secrets;
    for (const std::string& path : record_.reads.secrets) secrets += text(path) + '\n';
    section("Secrets read", secrets);
    if (!record_.units.empty()) section("Service manager", units_text(record_, kPlain, kMostLines));
    if (!record_.network.empty() || !record_.dns.empty() || !record_.listeners.empty())
      section("Network", network_text(record_, kPlain, kMostLines));
    if (record_.trace) section("Processes", process_tree_text(record_, kPlain, 0, kMostLines));
    if (record_.history) section("History", history_text(*record_.history, kPlain, 0));
    section("Decided, and done since", decided_text(decided_, 0));
    std::string lines;
    for (const auto& [name, value] : provenance(record_)) lines += row(name.c_str(), value);
    at_the_end_ = true;
    section("Provenance", lines, kKeptForTheEnd - 512);
  }

  [[nodiscard]] std::string whole() const {
    if (left_out_ == 0) return page_;
    return page_ + fmt::format("\n{} sections are left out for want of room.\n", left_out_);
  }

 private:
  static std::string row(const char* name, const std::string& value) {
    return fmt::format("{:<9} {}\n", name, value);
  }

  static std::string finding_lines(const verdict::Finding& finding) {
    const char* remark = finding.shadow                  ? "  on trial: does not decide"
                         : finding.enforce == "advisory" ? "  advice: does not decide"
                                                         : "";
    std::string lines =
        fmt::format("{}  {}{}  {}\n    {}\n", kPlain.level(finding.level), text(finding.rule, 256), remark,
                    text(fmt::format("{}", fmt::join(finding.refs, " ")), 256), text(finding.why));
    const std::size_t shown = std::min(finding.evidence.size(), kMostEvidence);
    for (std::size_t i = 0; i < shown; ++i)
      lines +=
          fmt::format("    {}: {}\n", text(finding.evidence[i].kind, 64), text(finding.evidence[i].text));
    const std::uint64_t all = std::max<std::uint64_t>(finding.count, finding.evidence.size());
    if (all > shown) lines += fmt::format("    and {} more\n", all - shown);
    if (!finding.fix.empty()) lines += "    fix: " + text(finding.fix) + '\n';
    return lines;
  }

  /// The first of the changes that `wanted` says yes to, a line each.
  template <class Wanted>
  static Result<std::string> list(const LinkNames& links, int manifest_fd, Wanted wanted) {
    std::string lines;
    std::size_t count = 0;
    if (manifest_fd < 0) return lines;
    RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      if (!wanted(change)) return true;
      std::string path = text(change.path);
      if (change.kind == effects::ChangeKind::kRenamed) path = renamed_text(text(change.from), path);
      lines += std::string(mark(change.kind)) + ' ' + path;
      if (const std::string more = details(change, links); !more.empty()) lines += "  " + more;
      if (!change.package.empty()) lines += "  [" + text(change.package, 256) + ']';
      lines += '\n';
      return ++count < kMostChanges && lines.size() < kListLimit;
    }));
    return lines;
  }

  /// `lines`: escaped, each ended; `all`: how many there are of them, if not all were made.
  void section(const std::string& title, const std::string& lines, std::size_t limit = kBlockLimit,
               std::uint64_t all = 0) {
    if (lines.empty()) return;
    const std::size_t room = room_left();
    if (room < title.size() + 512) {
      ++left_out_;
      return;
    }
    page_ += "\n#### " + title + '\n';
    block(lines, std::min(limit, room - title.size() - 256), all);
  }

  [[nodiscard]] std::size_t room_left() const {
    const std::size_t taken = page_.size() + (at_the_end_ ? 256 : kKeptForTheEnd);
    return taken < kMarkdownLimit ? kMarkdownLimit - taken : 0;
  }

  /// Whole lines, as many as there is room for as HTML.
  void block(const std::string& lines, std::size_t limit, std::uint64_t all = 0) {
    std::string body;
    std::uint64_t shown = 0;
    std::uint64_t number = 0;
    for (std::size_t at = 0; at < lines.size(); ++number) {
      const std::size_t end = std::min(lines.find('\n', at), lines.size());
      const std::string line = html_text(lines.substr(at, end - at)) + '\n';
      at = end + 1;
      if (shown != number || body.size() + line.size() > limit) continue;
      body += line;
      ++shown;
    }
    page_ += "<pre>\n" + body;
    if (const std::uint64_t whole = std::max(all, number); whole > shown)
      page_ += fmt::format("… and {} more lines: {}\n", whole - shown,
                           html_text(command_ + "show " + escape_text(record_.id, 80)));
    page_ += "</pre>\n";
  }

  const RunRecord& record_;
  const Decided& decided_;
  std::string command_;
  std::string page_;
  bool at_the_end_ = false;
  std::uint64_t left_out_ = 0;
};

}  // namespace

Result<void> write_markdown_report(Writer& out, const RunRecord& record, int manifest_fd,
                                   const std::string& state_option, const Decided& decided) {
  RH_TRY(const ManifestSummary summary, summarize(manifest_fd));
  Page page(record, decided, "rehearse " + state_option);
  page.bar();
  page.action();
  page.findings();
  RH_CHECK(page.destructive(summary, manifest_fd));
  page.unobserved();
  RH_CHECK(page.changes(summary, manifest_fd));
  page.rest();
  out.put(page.whole());
  return out.flush();
}

}  // namespace rehearse::report
