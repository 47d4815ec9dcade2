#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/digest.h"
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
#include "report/json.h"
#include "report/named_changes_text.h"
#include "report/network_text.h"
#include "report/process_text.h"
#include "report/read_only_text.h"
#include "report/run_text.h"
#include "report/undo_text.h"
#include "report/units_text.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kMostChanges = 5000;
constexpr std::size_t kMostEvidence = 200;  ///< of one finding
constexpr std::size_t kMostLines = 500;     ///< of attempts, destinations, processes
constexpr std::size_t kValueLimit = 4096;
constexpr std::size_t kMostRaw = std::size_t{2} << 20U;

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f6f8fa;
--green:#1a7f37;--yellow:#8a6100;--red:#b42318;--inconclusive:#6639ba}
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--dim:#9198a1;--line:#30363d;--soft:#161b22;
--green:#3fb950;--yellow:#d29922;--red:#ff7b72;--inconclusive:#bc8cff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1rem 1.25rem 3rem;background:var(--back);color:var(--text);
font:15px/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.6rem;letter-spacing:.04em}
h2{margin:2rem 0 .5rem;font-size:1.1rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
h3{margin:0;font-size:1rem}
a{color:inherit}
code,pre,td,dd{font:13px/1.5 ui-monospace,monospace}
pre{margin:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.bar{border:1px solid var(--line);border-left:.6rem solid var(--level);background:var(--soft);padding:.9rem 1.1rem}
.bar h1,.level{color:var(--level)}
.level{font-weight:700}
.green{--level:var(--green)}.yellow{--level:var(--yellow)}.red{--level:var(--red)}
.inconclusive{--level:var(--inconclusive)}
.bar p{margin:.35rem 0}
nav{display:flex;flex-wrap:wrap;margin:.75rem 0;color:var(--dim)}
nav a{margin-right:.9rem;white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}
dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
.finding{border-left:.25rem solid var(--level);margin:.9rem 0;padding:.1rem 0 .1rem .9rem}
.finding p{margin:.25rem 0}
.finding:target{background:var(--soft)}
.aside,.dim{color:var(--dim)}
.claim{border:1px dashed var(--dim);padding:.6rem .9rem;margin:.75rem 0}
table{border-collapse:collapse;width:100%}
td{border-bottom:1px solid var(--line);padding:.15rem .5rem;vertical-align:top;overflow-wrap:anywhere}
td:first-child{width:1.6rem;text-align:center;font-weight:700}
summary{cursor:pointer;margin:.4rem 0}
@media print{body{max-width:none;padding:0;font-size:11pt}nav{display:none}.bar,.finding,tr{break-inside:avoid}
h2{break-after:avoid}}
)";

std::string text(std::string_view raw, std::size_t limit = kValueLimit) {
  return html_text(escape_text(raw, limit));
}

/// A part of an address: letters, digits, dot and dash.
std::string anchor(std::string_view rule) {
  std::string name;
  for (const char c : rule.substr(0, 128)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    name += plain ? c : '_';
  }
  return name;
}

class Page {
 public:
  Page(Writer& out, const RunRecord& record, const Decided& decided, std::string command)
      : out_(out), record_(record), decided_(decided), command_(std::move(command)) {}

  void head() {
    const Sha256 digest = sha256(kStyle);
    const std::string hash = base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
    out_.put("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    out_.put(
        fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                    "'sha256-{}'; base-uri 'none'; form-action 'none'\">\n",
                    hash));
    out_.put("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    out_.put("<meta name=\"referrer\" content=\"no-referrer\">\n");
    out_.put(fmt::format("<title>{} {}</title>\n<style>", verdict::to_string(record_.verdict.level),
                         text(record_.id, 80)));
    out_.put(kStyle);
    out_.put("</style></head><body>\n");
  }

  void bar() {
    out_.put(fmt::format("<header class=\"bar {0}\"><h1>{1}</h1><p>{2}</p>", level_of(record_.verdict.level),
                         upper(record_.verdict.level), html_text(verdict_sentence(record_))));
    out_.put(fmt::format("<p><strong>{}</strong> · {} · {} · {}</p>", html_text(effects_line(record_)),
                         format_bytes(record_.command.written_bytes),
                         format_duration(record_.command.wall_ns), html_text(ending_text(record_.command))));
    out_.put("<dl>");
    row("run", text(record_.id, 80) + "  " + rfc3339(record_.created_ns));
    if (!record_.digest.empty()) row("digest", text(record_.digest, 80));
    if (const std::string words = digest_words(record_.digest); !words.empty()) row("", words);
    if (const std::string latest = latest_text(decided_); !latest.empty())
      row("so far", html_text(latest));
    else if (awaits_decision(record_))
      row("decide", html_text(escape_text(command_) + "approve " + run_at_digest(record_) + " --reason ..."));
    if (!decided_.approval_rule.empty() && awaits_decision(record_) && decided_.promotions.empty())
      row("", text(decided_.approval_rule));
    out_.put("</dl></header>\n<nav>");
    for (const auto& [name, title] :
         {std::pair("action", "Action"), std::pair("findings", "Findings"),
          std::pair("unobserved", "Not observed"), std::pair("changes", "Changes"),
          std::pair("processes", "Processes"), std::pair("provenance", "Provenance")})
      out_.put(fmt::format("<a href=\"#{}\">{}</a>", name, title));
    out_.put("</nav>\n");
  }

  void action() {
    const Action& action = record_.action;
    section("action", "The action as the runtime saw it");
    out_.put("<dl>");
    if (action.name) row("name", text(*action.name));
    row("command", html_text(words_text(action.argv, kValueLimit)));
    if (const std::string program = program_text(record_); !program.empty())
      row("program", html_text(program));
    row("as", fmt::format("uid {} gid {} in {}", action.uid, action.gid, text(action.cwd)));
    row("host", fmt::format("{}, kernel {}, profile {}", text(record_.host_name, 256),
                            text(record_.host_kernel, 256), text(record_.profile, 64)));
    if (const std::string more = environment_text(action, kValueLimit); !more.empty())
      row("with", html_text(more));
    std::string who = fmt::format("uid {}", record_.requester.uid);
    if (record_.requester.loginuid) who += fmt::format(", login uid {}", *record_.requester.loginuid);
    if (record_.requester.sudo_uid)
      who += fmt::format(", sudo uid {} (claimed)", *record_.requester.sudo_uid);
    if (record_.requester.unit) who += ", unit " + text(*record_.requester.unit, 256);
    row("asked by", who);
    if (!record_.command.error.empty()) row("error", text(record_.command.error));
    out_.put("</dl>\n");
    if (action.claimed)
      out_.put("<div class=\"claim\"><strong>Claimed by the requester, not verified</strong><pre>" +
               text(*action.claimed, 16U << 10U) + "</pre><p>What happened: " +
               html_text(effects_line(record_) + ", " + ending_text(record_.command)) + "</p></div>\n");
    if (record_.read_only) block("Read-only", read_only_text(*record_.read_only, 0));
  }

  void findings() {
    section("findings", "Findings");
    std::size_t number = 0;
    for (const bool deciding : {true, false}) {
      for (const auto level : {verdict::Level::kRed, verdict::Level::kInconclusive, verdict::Level::kYellow,
                               verdict::Level::kGreen}) {
        for (const verdict::Finding& finding : record_.verdict.findings) {
          if (finding.level == level && finding.decides() == deciding) one_finding(finding, ++number);
        }
      }
    }
    if (number == 0) out_.put("<p class=\"dim\">none</p>\n");
    if (!record_.expectations.empty()) block("Expected of it", expectations_text(record_, kPlain));
    if (!record_.probes.empty() || !record_.validations.empty())
      block("Run after it", inside_text(record_, kPlain));
  }

  void unobserved() {
    section("unobserved", "Could not be observed");
    out_.put(fmt::format("<p>fidelity {:.2f}</p>\n<table>", record_.verdict.fidelity_score));
    for (const verdict::Gap& gap : record_.gaps)
      out_.put(
          fmt::format("<tr class=\"{}\"><td></td><td>at best <span class=\"level\">{}</span></td><td>{}<br>"
                      "<span class=\"dim\">{}</span></td></tr>\n",
                      level_of(gap.cap), upper(gap.cap), text(gap.what), text(gap.why)));
    out_.put("</table>\n");
    if (record_.rollback) block("Rollback", undo_text(*record_.rollback));
    if (record_.affected)
      block("Who is affected, as of " + rfc3339(record_.affected->at_ns),
            affected_text(*record_.affected, 0));
  }

  Result<void> destructive(const ManifestSummary& summary, int manifest_fd) {
    if (summary.destructive == 0) return {};
    section("destructive", "Destructive");
    out_.put(
        fmt::format("<p>{} deleted, replaced or overwritten: all of them</p>\n<table>", summary.destructive));
    RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      if (is_destructive(change)) change_row(change, summary.links);
      return !out_.failed();
    }));
    out_.put("</table>\n");
    return {};
  }

  Result<void> changes(const ManifestSummary& summary, int manifest_fd) {
    section("changes", "Changes");
    if (summary.owners.empty()) {
      out_.put("<p class=\"dim\">none</p>\n");
      return {};
    }
    out_.put(
        "<p class=\"dim\">+ created · ~ modified · − deleted · &gt; renamed · m metadata · t other type</p>");
    std::string owners;
    for (const auto& [package, owner] : summary.owners)
      owners += (owners.empty() ? "" : " · ") +
                (package.empty() ? std::string("no package") : text(package, 256)) + ' ' +
                html_text(owner_counts(owner.counts));
    out_.put("<p>" + owners + "</p>\n<table>");
    std::uint64_t shown = 0;
    RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      if (is_noise(change) || is_destructive(change) || ++shown > kMostChanges) return !out_.failed();
      change_row(change, summary.links);
      return !out_.failed();
    }));
    out_.put("</table>\n");
    if (summary.listed > kMostChanges)
      out_.put(fmt::format("<p>… and {} more: <code>rehearse diff {} --stat</code></p>\n",
                           summary.listed - kMostChanges, text(record_.id, 80)));
    if (summary.noise > 0)
      out_.put(fmt::format("<p class=\"dim\">{} more written or touched, yet as before but for times</p>\n",
                           summary.noise));
    return {};
  }

  void processes() {
    section("processes", "Network, processes, resources, history");
    if (const std::string named = named_changes_text(record_, kMostLines); !named.empty())
      block("Accounts and packages", named);
    if (!record_.attempts.empty())
      block("Privileged attempts", attempts_text(record_, kMostLines, "`rehearse trace`"));
    if (!record_.reads.secrets.empty()) {
      std::string list;
      for (const std::string& path : record_.reads.secrets) list += escape_text(path, kValueLimit) + '\n';
      block("Secrets read", list);
    }
    if (!record_.units.empty()) block("Service manager", units_text(record_, kPlain, kMostLines));
    if (!record_.network.empty() || !record_.dns.empty() || !record_.listeners.empty())
      block("Network", network_text(record_, kPlain, kMostLines));
    if (record_.trace) {
      block("Processes", process_tree_text(record_, kPlain, 0, kMostLines));
      const TraceRecord& trace = *record_.trace;
      std::string proof =
          fmt::format("{} events, {} system calls, {} lost\n", trace.events, trace.syscalls, trace.lost);
      proof += trace.trouble.empty() ? "complete: the kernel's own counts agree\n" : "NOT COMPLETE\n";
      for (const std::string& why : trace.trouble) proof += escape_text(why, kValueLimit) + '\n';
      block("Trace", proof);
    }
    const Command& command = record_.command;
    block("Resources", fmt::format("{} wall, {} user, {} system, {} resident at most\n",
                                   format_duration(command.wall_ns), format_duration(command.user_ns),
                                   format_duration(command.sys_ns), format_bytes(command.max_rss_bytes)));
    if (record_.history) block("History", history_text(*record_.history, kPlain, 0));
    if (const std::string decided = decided_text(decided_, 0); !decided.empty())
      block("Decided, and done since", decided);
  }

  void provenance() {
    section("provenance", "Provenance");
    out_.put("<dl>");
    for (const auto& [name, value] : report::provenance(record_)) row(name.c_str(), html_text(value));
    out_.put("</dl>\n");
    raw();
    out_.put("</body></html>\n");
  }

  /// Data, which no browser runs: for programs that are given the file.
  void raw() {
    const std::string json = to_json(record_);
    if (json.size() > kMostRaw) {
      out_.put(fmt::format(
          "<p class=\"dim\">The document, {}, is left out: <code>rehearse show {} --json</code></p>\n",
          format_bytes(json.size()), text(record_.id, 80)));
      return;
    }
    out_.put("<script type=\"application/json\" id=\"document\">");
    for (const char c : json) out_.put(c == '<' ? std::string_view("\\u003c") : std::string_view(&c, 1));
    out_.put("</script>\n");
  }

 private:
  static const Style kPlain;

  static const char* level_of(verdict::Level level) { return verdict::to_string(level); }
  static std::string upper(verdict::Level level) { return kPlain.level(level); }
  void section(const char* id, const char* title) {
    out_.put(fmt::format("<h2 id=\"{}\">{}</h2>\n", id, title));
  }
  /// `value`: HTML.
  void row(const char* name, const std::string& value) {
    out_.put(fmt::format("<dt>{}</dt><dd>{}</dd>", name, value));
  }
  /// `lines`: escaped text.
  void block(const std::string& title, const std::string& lines) {
    out_.put("<details open><summary>" + html_text(title) + "</summary><pre>" + html_text(lines) +
             "</pre></details>\n");
  }
  void change_row(const effects::Change& change, const LinkNames& links) {
    std::string path = text(change.path);
    if (change.kind == effects::ChangeKind::kRenamed) path = renamed_text(text(change.from), path);
    out_.put(fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"dim\">{}</td><td class=\"dim\">{}</td></tr>\n",
        html_text(mark(change.kind)), path, html_text(details(change, links)), text(change.package, 256)));
  }

  void one_finding(const verdict::Finding& finding, std::size_t number) {
    const char* remark = finding.shadow                  ? " · on trial: does not decide"
                         : finding.enforce == "advisory" ? " · advice: does not decide"
                                                         : "";
    out_.put(fmt::format(
        "<div class=\"finding {}\" id=\"f-{}-{}\"><h3><span class=\"level\">{}</span> {}"
        "<span class=\"dim\"> {}{}</span></h3>",
        level_of(finding.level), anchor(finding.rule), number, upper(finding.level), text(finding.rule, 256),
        text(fmt::format("{}", fmt::join(finding.refs, " ")), 256), remark));
    out_.put("<p>" + text(finding.why) + "</p><pre>");
    std::size_t shown = 0;
    for (const verdict::Evidence& evidence : finding.evidence) {
      if (shown++ == kMostEvidence) break;
      out_.put(text(evidence.kind, 64) + ": " + text(evidence.text) + '\n');
    }
    const std::uint64_t all = std::max<std::uint64_t>(finding.count, finding.evidence.size());
    if (all > std::min(shown, kMostEvidence))
      out_.put(fmt::format("and {} more\n", all - std::min(shown, kMostEvidence)));
    out_.put("</pre>");
    if (!finding.fix.empty()) out_.put("<p class=\"aside\">fix: " + text(finding.fix) + "</p>");
    out_.put("</div>\n");
  }

  Writer& out_;
  const RunRecord& record_;
  const Decided& decided_;
  std::string command_;  ///< the beginning of a command line
};

const Style Page::kPlain(false);

}  // namespace

std::string html_text(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (const char c : utf8) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Result<void> write_html_report(Writer& out, const RunRecord& record, int manifest_fd,
                               const std::string& state_option, const Decided& decided) {
  RH_TRY(const ManifestSummary summary, summarize(manifest_fd));
  Page page(out, record, decided, "rehearse " + state_option);
  page.head();
  page.bar();
  page.action();
  page.findings();
  RH_CHECK(page.destructive(summary, manifest_fd));
  page.unobserved();
  RH_CHECK(page.changes(summary, manifest_fd));
  page.processes();
  page.provenance();
  return out.flush();
}

}  // namespace rehearse::report
