#include "report/json.h"

#include <set>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_writer.h"
#include "effects/manifest.h"
#include "report/context_text.h"
#include "report/decision_text.h"
#include "report/expect_json.h"
#include "report/network_text.h"
#include "report/units_text.h"

namespace rehearse::report {
namespace {

constexpr const char* kSchema = "rehearse.run/1";

void optional_bytes(JsonWriter& json, std::string_view name, const std::optional<std::string>& value) {
  if (value) {
    json.bytes(name, *value);
  } else {
    json.key(name).null();
  }
}

template <class Integer>
void optional_integer(JsonWriter& json, std::string_view name, const std::optional<Integer>& value) {
  json.key(name);
  if (value) {
    json.integer(std::int64_t{*value});
  } else {
    json.null();
  }
}

void words(JsonWriter& json, std::string_view name, const std::vector<std::string>& raw) {
  json.words(name, raw);
}

void environment(JsonWriter& json, const std::vector<std::pair<std::string, std::string>>& env) {
  std::set<std::string>
      seen;  // a JSON object has each name once; the first one is the one that getenv(3) finds
  bool exact = true;
  json.key("env").open_object();
  for (const auto& [name, value] : env) {
    exact = exact && is_utf8(name) && is_utf8(value);
    const std::string shown = to_utf8_lossy(name);
    if (!seen.insert(shown).second) {
      exact = false;
      continue;
    }
    json.key(shown).string(to_utf8_lossy(value));
  }
  json.close_object();
  if (exact) return;
  json.key("env_b64").open_array();
  for (const auto& [name, value] : env)
    json.open_array().string(base64(name)).string(base64(value)).close_array();
  json.close_array();
}

void requester(JsonWriter& json, const Requester& who) {
  json.key("requester").open_object();
  json.key("uid").integer(std::uint64_t{who.uid});
  optional_integer(json, "loginuid", who.loginuid);
  optional_integer(json, "sudo_uid", who.sudo_uid);
  json.key("attested").boolean(who.attested);
  optional_bytes(json, "tty", who.tty);
  optional_bytes(json, "unit", who.unit);
  for (const char* later : {"peer", "agent", "agent_version", "model", "ticket"}) json.key(later).null();
  json.close_object();
}

void action(JsonWriter& json, const Action& what) {
  json.key("action").open_object();
  optional_bytes(json, "name", what.name);
  optional_bytes(json, "class", what.kind);
  json.key("as_filed").boolean(what.as_filed);
  words(json, "changed_by", what.changed_by);
  json.key("inputs").string(to_utf8_lossy(what.inputs));
  words(json, "argv", what.argv);
  json.bytes("cwd", what.cwd);
  json.key("uid").integer(std::uint64_t{what.uid}).key("gid").integer(std::uint64_t{what.gid});
  environment(json, what.env);
  json.key("redacted").boolean(what.redacted);
  optional_bytes(json, "claimed", what.claimed);
  if (what.expect) write_declared(json, *what.expect);
  json.close_object();
}

void judged(JsonWriter& json, const verdict::Verdict& verdict) {
  json.key("verdict").open_object().key("level").string(verdict::to_string(verdict.level));
  json.key("findings").open_array();
  for (const verdict::Finding& finding : verdict.findings) {
    json.open_object().key("rule").string(to_utf8_lossy(finding.rule));
    json.key("level").string(verdict::to_string(finding.level));
    json.key("enforce").string(to_utf8_lossy(finding.enforce)).key("evidence").open_array();
    for (const verdict::Evidence& evidence : finding.evidence) {
      json.open_object().key("kind").string(to_utf8_lossy(evidence.kind));
      json.bytes(evidence.kind == "file" ? "path" : "text", evidence.text).close_object();
    }
    json.close_array();
    json.bytes("why", finding.why).bytes("fix", finding.fix);
    if (!finding.refs.empty()) words(json, "refs", finding.refs);
    if (finding.count != 0) json.key("count").integer(finding.count);
    if (finding.shadow) json.key("mode").string("shadow");
    json.key("by").string(finding.by_policy ? "policy" : "evidence").close_object();
  }
  json.close_array().key("policy_digest");
  if (verdict.policy_digest.empty())
    json.null();
  else
    json.string(to_utf8_lossy(verdict.policy_digest));
  words(json, "policy_files", verdict.policy_files);
  json.key("exceptions").open_array();
  for (const verdict::AppliedException& one : verdict.exceptions) {
    json.open_object().bytes("rule", one.rule).bytes("owner", one.owner).bytes("reason", one.reason);
    json.bytes("expires", one.expires).key("count").integer(one.count).key("applied");
    json.boolean(one.refused.empty());
    if (!one.refused.empty()) json.bytes("refused", one.refused);
    json.close_object();
  }
  json.close_array().key("clock_trusted").boolean(verdict.clock_trusted).close_object();
}

void command(JsonWriter& json, const Command& ended) {
  json.key("command").open_object();
  optional_integer(json, "exit", ended.exit);
  optional_integer(json, "signal", ended.signal);
  json.key("timed_out").boolean(ended.timed_out);
  if (ended.error.empty()) {
    json.key("error").null();
  } else {
    json.bytes("error", ended.error);
  }
  json.key("wall_s")
      .seconds(ended.wall_ns)
      .key("user_s")
      .seconds(ended.user_ns)
      .key("sys_s")
      .seconds(ended.sys_ns);
  json.key("max_rss_bytes").integer(ended.max_rss_bytes).key("written_bytes").integer(ended.written_bytes);
  json.key("stdin_bytes").integer(ended.stdin_bytes);
  json.key("stdout_bytes").integer(ended.stdout_bytes).key("stderr_bytes").integer(ended.stderr_bytes);
  json.key("output_cut").boolean(ended.output_cut);
  json.key("leftover_processes").open_array();
  for (const LeftoverProcess& process : ended.leftover) {
    json.open_object().key("pid").integer(std::int64_t{process.pid}).bytes("comm", process.comm);
    words(json, "argv", process.argv);
    json.key("process");
    if (process.process == 0)
      json.null();
    else
      json.integer(std::uint64_t{process.process});
    json.close_object();
  }
  json.close_array().close_object();
}

void program(JsonWriter& json, const ProgramRecord& program) {
  json.bytes("exe", program.exe).key("sha256");
  if (program.sha256.empty())
    json.null();
  else
    json.string(to_utf8_lossy(program.sha256));
  json.bytes("script", program.script);
  words(json, "argv", program.argv);
  json.key("argv_redacted").boolean(program.argv_redacted).key("argv_cut").boolean(program.argv_cut);
  json.key("secure").boolean(program.secure);
}

void processes(JsonWriter& json, const RunRecord& record) {
  json.key("processes").open_array();
  for (const ProcessRecord& process : record.processes) {
    json.open_object().key("id").integer(std::uint64_t{process.id});
    json.key("parent").integer(std::uint64_t{process.parent}).key("pid").integer(std::uint64_t{process.pid});
    json.key("root").integer(std::uint64_t{process.root}).bytes("role", process.role);
    json.bytes("comm", process.comm);
    program(json, process);
    json.key("earlier").open_array();
    for (const ProgramRecord& earlier : process.earlier) {
      json.open_object();
      program(json, earlier);
      json.close_object();
    }
    json.close_array().key("forked").boolean(process.forked);
    json.key("uid").integer(std::uint64_t{process.uid}).key("uids").open_array();
    for (const UidChange& change : process.uids)
      json.open_object()
          .key("time_s")
          .seconds(change.time_ns)
          .key("uid")
          .integer(std::uint64_t{change.uid})
          .close_object();
    json.close_array().key("start_s").seconds(process.start_ns).key("end_s");
    if (process.end_ns)
      json.seconds(*process.end_ns);
    else
      json.null();
    optional_integer(json, "exit", process.exit);
    optional_integer(json, "signal", process.signal);
    json.key("threads").integer(std::uint64_t{process.threads}).key("syscalls").integer(process.syscalls);
    json.key("failed").integer(process.failed).key("user_s").seconds(process.user_ns);
    json.key("sys_s").seconds(process.system_ns).key("max_rss_bytes").integer(process.max_rss_bytes);
    json.close_object();
  }
  json.close_array();
}

void text_or_null(JsonWriter& json, const char* key, const std::string& value) {
  if (value.empty())
    json.key(key).null();
  else
    json.bytes(key, value);
}

void attempted(JsonWriter& json, const RunRecord& record) {
  json.key("attempts").open_array();
  for (const AttemptRecord& attempt : record.attempts) {
    json.open_object().bytes("what", attempt.what).bytes("detail", attempt.detail);
    text_or_null(json, "capability", attempt.capability);
    json.bytes("result", attempt.result);
    text_or_null(json, "errno", attempt.error);
    json.key("process").integer(std::uint64_t{attempt.process}).bytes("exe", attempt.exe);
    json.key("count").integer(attempt.count);
    json.close_object();
  }
  json.close_array();
}

void networked(JsonWriter& json, const RunRecord& record) {
  const auto text = [&json](const char* key, const std::string& value) { text_or_null(json, key, value); };
  json.key("network").open_array();
  for (const NetworkRecord& to : record.network) {
    json.open_object().bytes("verdict", to.verdict).bytes("proto", to.proto).bytes("dst", to.dst);
    json.key("port").integer(std::uint64_t{to.port});
    text("name", to.name);
    text("name_from", to.name_from);
    text("sni", to.sni);
    text("http_host", to.http_host);
    text("http_path", to.http_path);
    text("errno", to.error);
    text("rule", to.rule);
    text("ended", to.ended);
    json.key("probe").boolean(to.probe);
    text("reached", to.reached);
    json.key("process")
        .integer(std::uint64_t{to.process})
        .bytes("exe", to.exe)
        .key("time_s")
        .seconds(to.time_ns);
    json.key("count").integer(to.count).key("bytes_out").integer(to.bytes_out);
    json.key("bytes_in").integer(to.bytes_in).close_object();
  }
  json.close_array().key("dns").open_array();
  for (const DnsRecord& asked : record.dns) {
    json.open_object().bytes("name", asked.name).bytes("type", asked.type).bytes("answer", asked.answer);
    json.key("servers").open_array();
    for (const std::string& server : asked.servers) json.string(server);
    json.close_array().key("processes").open_array();
    for (const std::uint32_t process : asked.processes) json.integer(std::uint64_t{process});
    json.close_array();
    if (asked.time_ns) json.key("time_s").seconds(*asked.time_ns);
    json.key("count").integer(asked.count).close_object();
  }
  json.close_array();
}

void listened(JsonWriter& json, const RunRecord& record) {
  json.key("listeners").open_array();
  for (const ListenerRecord& one : record.listeners) {
    json.open_object().bytes("proto", one.proto).bytes("address", one.address);
    json.key("port").integer(std::uint64_t{one.port}).key("any_port").boolean(one.any_port);
    json.key("outside").boolean(one.outside).key("foreign").boolean(one.foreign);
    json.bytes("taken_by", one.taken_by)
        .bytes("taken_by_unit", one.taken_by_unit)
        .key("process")
        .integer(std::uint64_t{one.process});
    json.bytes("exe", one.exe).key("time_s").seconds(one.time_ns).key("count").integer(one.count);
    json.close_object();
  }
  json.close_array();
}

void asked_of_manager(JsonWriter& json, const RunRecord& record) {
  json.key("units").open_array();
  for (const UnitRecord& asked : record.units) {
    json.open_object().bytes("unit", asked.unit).bytes("request", asked.request);
    if (!asked.mode.empty()) json.bytes("mode", asked.mode);
    json.bytes("answered", asked.answered);
    if (!asked.detail.empty()) json.bytes("detail", asked.detail);
    if (!asked.also.empty()) words(json, "also", asked.also);
    json.key("process").integer(std::uint64_t{asked.process}).key("count").integer(asked.count);
    json.close_object();
  }
  json.close_array();
}

void accounts_and_packages(JsonWriter& json, const RunRecord& record) {
  json.key("accounts").open_array();
  for (const effects::AccountChange& change : record.accounts) {
    json.open_object().bytes("what", change.what).bytes("name", change.name).bytes("group", change.group);
    json.key("uid").integer(std::uint64_t{change.uid}).key("gid").integer(std::uint64_t{change.gid});
    json.bytes("shell", change.shell).close_object();
  }
  json.close_array();
  if (!record.accounts_unknown.empty()) json.bytes("accounts_unknown", record.accounts_unknown);
  json.key("packages").open_array();
  for (const effects::PackageChange& change : record.packages) {
    json.open_object().bytes("what", change.what).bytes("name", change.name);
    json.bytes("before", change.before).bytes("after", change.after);
    json.bytes("state_before", change.state_before).bytes("state_after", change.state_after);
    if (!change.needs.empty()) json.bytes("needs", change.needs);
    json.close_object();
  }
  json.close_array();
  if (!record.packages_unknown.empty()) json.bytes("packages_unknown", record.packages_unknown);
  json.key("diversions").open_array();
  for (const effects::Diversion& moved : record.diversions)
    json.open_object().bytes("from", moved.from).bytes("to", moved.to).close_object();
  json.close_array();
  if (!record.inert.empty()) words(json, "inert", record.inert);
}

void read_files(JsonWriter& json, const ReadsRecord& reads) {
  json.key("reads").open_object().key("files").integer(reads.files);
  json.key("absent").integer(reads.absent).key("unplaced").integer(reads.unplaced);
  json.key("root").string(to_utf8_lossy("sha256:" + reads.root));
  words(json, "moved", reads.moved);
  words(json, "secrets", reads.secrets);
  json.key("secret_opens").open_array();
  for (const SecretOpening& opening : reads.openings) {
    json.open_object().bytes("path", opening.path).key("process").integer(std::uint64_t{opening.process});
    json.bytes("exe", opening.exe).key("time_s").seconds(opening.time_ns).close_object();
  }
  json.close_array();
  json.close_object();
}

void read_only(JsonWriter& json, const ReadOnlyRecord& record) {
  json.key("read_only").open_object().key("enforced").boolean(record.enforced);
  json.key("watched").boolean(record.watched).key("proved").boolean(record.proved());
  json.key("scratch").integer(record.scratch).key("scratch_bytes").integer(record.scratch_bytes);
  json.key("scratch_left").open_array();
  for (const ScratchRecord& left : record.scratch_left)
    json.open_object()
        .bytes("path", left.path)
        .bytes("type", left.type)
        .key("size")
        .integer(left.size)
        .close_object();
  json.close_array().key("attempts_total").integer(record.attempts_total);
  json.key("attempts").open_array();
  for (const WriteAttemptRecord& attempt : record.attempts) {
    json.open_object().bytes("what", attempt.what).bytes("call", attempt.detail);
    json.bytes("path", attempt.path).bytes("errno", attempt.error).bytes("exe", attempt.exe);
    words(json, "argv", attempt.argv);
    json.close_object();
  }
  json.close_array().close_object();
}

void traced(JsonWriter& json, const TraceRecord& trace) {
  json.key("trace").open_object().key("events").integer(trace.events);
  json.key("syscalls").integer(trace.syscalls).key("lost").integer(trace.lost);
  json.key("bytes").integer(trace.bytes).key("complete").boolean(trace.trouble.empty());
  json.key("packets").integer(trace.packets).key("packets_left_out").integer(trace.packets_left_out);
  json.key("packet_bytes_left_out").integer(trace.packet_bytes_left_out);
  json.key("freezes").integer(trace.freezes).key("frozen_s").seconds(trace.frozen_ns);
  json.key("brakes").integer(trace.brakes).key("braked_s").seconds(trace.braked_ns);
  json.key("real_time").boolean(trace.real_time).key("may_load_modules").boolean(trace.may_load_modules);
  json.key("root").string(to_utf8_lossy("sha256:" + trace.root));
  words(json, "trouble", trace.trouble);
  json.close_object();
}

void counted(JsonWriter& json, const RunRecord& record) {
  const effects::Counts& counts = record.counts;
  json.key("counts").open_object();
  json.key("created").integer(counts.created).key("modified").integer(counts.modified);
  json.key("deleted").integer(counts.deleted).key("metadata").integer(counts.metadata);
  json.key("renamed").integer(counts.renamed).key("type").integer(counts.type);
  json.key("identical").integer(counts.identical);
  json.key("units").integer(count_unit_changes(record));
  if (record.trace) {
    const NetworkCounts network = count_network(record);
    json.key("denied").integer(network.denied).key("mocked").integer(network.mocked);
    json.key("passed").integer(network.passed);
    json.key("attempts").integer(record.attempts_total);
    json.key("processes").integer(std::uint64_t{record.processes.size()});
    json.key("syscalls").integer(record.trace->syscalls);
  }
  json.close_object();
}

void fidelity(JsonWriter& json, const RunRecord& record) {
  json.key("fidelity").open_object().key("score").ratio(record.verdict.fidelity_score);
  json.key("gaps").open_array();
  for (const verdict::Gap& gap : record.gaps) {
    json.open_object().bytes("what", gap.what).bytes("why", gap.why);
    json.key("cap").string(verdict::to_string(gap.cap)).close_object();
  }
  json.close_array().close_object();
}

/// All members up to and including `counts`: `changes` follows them.
void head(JsonWriter& json, const RunRecord& record) {
  json.open_object().key("schema").string(kSchema).bytes("id", record.id).key("digest");
  if (record.digest.empty()) {
    json.null();
  } else {
    json.string(to_utf8_lossy(record.digest));
  }
  json.key("created").string(rfc3339(record.created_ns)).key("created_ns").integer(record.created_ns);
  json.key("host").open_object().bytes("name", record.host_name).bytes("kernel", record.host_kernel);
  json.bytes("boot_id", record.host_boot_id).close_object();
  json.key("tool").open_object().bytes("version", record.tool_version).close_object();
  json.bytes("profile", record.profile);
  requester(json, record.requester);
  action(json, record.action);
  judged(json, record.verdict);
  command(json, record.command);
  counted(json, record);
}

void undo_trial(JsonWriter& json, const UndoTrial& trial) {
  json.key("rollback").open_object().key("verified").boolean(trial.verified);
  json.key("seconds").seconds(trial.took_ns).key("tried");
  if (trial.tried_ns == 0)
    json.null();
  else
    json.string(rfc3339(trial.tried_ns));
  json.bytes("why", trial.why);
  words(json, "irreversible", trial.irreversible);
  json.close_object();
}

void tail(JsonWriter& json, const RunRecord& record, const Decided& decided) {
  if (record.trace) {
    processes(json, record);
    attempted(json, record);
    networked(json, record);
    listened(json, record);
    read_files(json, record.reads);
  }
  if (record.read_only) read_only(json, *record.read_only);
  asked_of_manager(json, record);
  accounts_and_packages(json, record);
  write_expectations(json, record);
  if (!record.changes_unobserved.empty()) words(json, "changes_unobserved", record.changes_unobserved);
  fidelity(json, record);
  if (record.trace) traced(json, *record.trace);
  json.key("manifest_root");
  if (record.manifest_root.empty()) {
    json.null();
  } else {
    json.string(to_utf8_lossy(record.manifest_root));
  }
  words(json, "limits", record.limits);
  json.key("layers").open_array();
  for (const LayerRecord& layer : record.layers) {
    json.open_object().key("index").integer(std::uint64_t{layer.index}).bytes("mountpoint", layer.mountpoint);
    json.bytes("fstype", layer.fstype);
    words(json, "aliases", layer.aliases);
    json.close_object();
  }
  json.close_array();
  const Phases& phases = record.phases;
  json.key("phases").open_object();
  json.key("plan_s").seconds(phases.plan_ns).key("build_s").seconds(phases.build_ns);
  json.key("run_s").seconds(phases.run_ns).key("read_s").seconds(phases.read_ns);
  json.key("judge_s").seconds(phases.judge_ns).close_object();
  if (record.rollback) undo_trial(json, *record.rollback);
  if (record.affected) write_affected(json, *record.affected);
  if (record.history) write_history(json, *record.history);
  write_decided(json, decided);
  json.close_object();
}

}  // namespace

std::string to_json(const RunRecord& record) {
  std::string text;
  text.reserve(4096);
  JsonWriter json(text);
  head(json, record);
  tail(json, record, {});
  text += '\n';
  return text;
}

Result<void> write_run_json(Writer& out, const RunRecord& record, int manifest_fd, const Decided& decided) {
  std::string text;
  JsonWriter json(text);
  head(json, record);
  if (manifest_fd >= 0) {
    json.key("changes").open_array();
    bool first = true;
    RH_CHECK(effects::read_manifest(manifest_fd, [&](const effects::Change& change) {
      text += first ? "\n" : ",\n";
      first = false;
      text += to_json(change);
      out.put(text);
      text.clear();
      return !out.failed();
    }));
    json.close_array();
  }
  tail(json, record, decided);
  text += '\n';
  out.put(text);
  return out.flush();
}

Result<void> write_run_json(int fd, const RunRecord& record, int manifest_fd) {
  Writer out(fd);
  return write_run_json(out, record, manifest_fd, {});
}

}  // namespace rehearse::report
