#include <nlohmann/json.hpp>

#include "base/json_reader.h"
#include "report/expect_json.h"
#include "report/json.h"

namespace rehearse::report {
namespace {

using Json = nlohmann::json;

using Reader = JsonReader;

verdict::Level level_of(Reader& json, const char* name) {
  const std::string text = json.bytes(name);
  for (const auto level : {verdict::Level::kGreen, verdict::Level::kYellow, verdict::Level::kInconclusive,
                           verdict::Level::kRed}) {
    if (text == verdict::to_string(level)) return level;
  }
  json.wrong(name, "a verdict level");
  return verdict::Level::kInconclusive;
}

void read_action(Reader json, Action& action) {
  action.claimed = json.optional_bytes("claimed");
  read_declared(json, action);
  action.name = json.optional_bytes("name");
  action.kind = json.optional_bytes("class");
  // Of runs from before this was recorded it is not known.
  action.as_filed = json.find("as_filed") != nullptr && json.boolean("as_filed");
  if (json.find("changed_by") != nullptr) action.changed_by = json.words("changed_by");
  action.inputs = json.optional_bytes("inputs").value_or("");
  action.argv = json.words("argv");
  action.redacted = json.find("redacted") != nullptr && json.boolean("redacted");
  action.cwd = json.bytes("cwd");
  action.uid = json.integer<std::uint32_t>("uid");
  action.gid = json.integer<std::uint32_t>("gid");
  if (json.find("env_b64") != nullptr) {
    json.each("env_b64", [&](const Json& pair, const std::string& /*where*/) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
        json.wrong("env_b64", "an array of pairs");
        return;
      }
      action.env.emplace_back(json.decode("env_b64", pair[0].get<std::string>()),
                              json.decode("env_b64", pair[1].get<std::string>()));
    });
    return;
  }
  const Json* env = json.find("env");
  if (env == nullptr) return;
  if (!env->is_object()) {
    json.wrong("env", "an object");
    return;
  }
  for (const auto& [name, value] : env->items()) {
    if (!value.is_string()) {
      json.wrong("env", "an object of strings");
      return;
    }
    action.env.emplace_back(name, value.get<std::string>());
  }
}

void read_verdict(Reader json, verdict::Verdict& verdict, std::string& error) {
  verdict.level = level_of(json, "level");
  json.each("findings", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    verdict::Finding finding;
    finding.rule = reader.bytes("rule");
    finding.level = level_of(reader, "level");
    finding.enforce = reader.bytes("enforce");
    finding.why = reader.bytes("why");
    finding.fix = reader.bytes("fix");
    finding.refs = reader.words("refs");
    finding.count = reader.integer<std::uint64_t>("count");
    finding.shadow = reader.bytes("mode") == "shadow";
    finding.by_policy = reader.bytes("by") == "policy";
    reader.each("evidence", [&](const Json& piece, const std::string& inner) {
      Reader evidence(piece, inner + ".", error);
      std::string kind = evidence.bytes("kind");
      const char* member = kind == "file" ? "path" : "text";
      finding.evidence.push_back({std::move(kind), evidence.bytes(member)});
    });
    verdict.findings.push_back(std::move(finding));
  });
  verdict.policy_digest = json.bytes("policy_digest");
  verdict.policy_files = json.words("policy_files");
  json.each("exceptions", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    verdict::AppliedException one;
    one.rule = reader.bytes("rule");
    one.owner = reader.bytes("owner");
    one.reason = reader.bytes("reason");
    one.expires = reader.bytes("expires");
    one.count = reader.integer<std::uint64_t>("count");
    one.refused = reader.bytes("refused");
    verdict.exceptions.push_back(std::move(one));
  });
  // Of runs judged before there was a policy nothing rested on it.
  verdict.clock_trusted = json.find("clock_trusted") == nullptr || json.boolean("clock_trusted");
}

void read_command(Reader json, Command& command, std::string& error) {
  command.exit = json.optional_integer<int>("exit");
  command.signal = json.optional_integer<int>("signal");
  command.timed_out = json.boolean("timed_out");
  command.error = json.bytes("error");
  command.wall_ns = json.seconds("wall_s");
  command.user_ns = json.seconds("user_s");
  command.sys_ns = json.seconds("sys_s");
  command.max_rss_bytes = json.integer<std::uint64_t>("max_rss_bytes");
  command.written_bytes = json.integer<std::uint64_t>("written_bytes");
  command.stdin_bytes = json.optional_integer<std::uint64_t>("stdin_bytes").value_or(0);
  command.stdout_bytes = json.integer<std::uint64_t>("stdout_bytes");
  command.stderr_bytes = json.integer<std::uint64_t>("stderr_bytes");
  command.output_cut = json.boolean("output_cut");
  json.each("leftover_processes", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    LeftoverProcess process;
    process.pid = reader.integer<std::int32_t>("pid");
    process.comm = reader.bytes("comm");
    process.argv = reader.words("argv");
    process.process = reader.optional_integer<std::uint32_t>("process").value_or(0);
    command.leftover.push_back(std::move(process));
  });
}

void read_counts(Reader json, effects::Counts& counts) {
  counts.created = json.integer<std::uint64_t>("created");
  counts.modified = json.integer<std::uint64_t>("modified");
  counts.deleted = json.integer<std::uint64_t>("deleted");
  counts.metadata = json.integer<std::uint64_t>("metadata");
  counts.renamed = json.integer<std::uint64_t>("renamed");
  counts.type = json.integer<std::uint64_t>("type");
  counts.identical = json.integer<std::uint64_t>("identical");
}

void read_program(Reader& json, ProgramRecord& program) {
  program.exe = json.bytes("exe");
  program.sha256 = json.bytes("sha256");
  program.script = json.bytes("script");
  program.argv = json.words("argv");
  program.argv_cut = json.boolean("argv_cut");
  program.argv_redacted = json.boolean("argv_redacted");
  program.secure = json.boolean("secure");
}

ProcessRecord read_process(Reader& json, const std::string& path, std::string& error) {
  ProcessRecord process;
  process.id = json.integer<std::uint32_t>("id");
  process.parent = json.integer<std::uint32_t>("parent");
  process.pid = json.integer<std::uint32_t>("pid");
  process.root = json.optional_integer<std::uint32_t>("root").value_or(1);
  process.role = json.optional_bytes("role").value_or("action");
  process.comm = json.bytes("comm");
  read_program(json, process);
  json.each("earlier", [&](const Json& item, const std::string& where) {
    ProgramRecord& program = process.earlier.emplace_back();
    if (item.is_string()) {  // its path is all that older records have
      program.exe = item.get<std::string>();
      return;
    }
    Reader reader(item, path + where + ".", error);
    read_program(reader, program);
  });
  process.forked = json.boolean("forked");
  process.uid = json.integer<std::uint32_t>("uid");
  json.each("uids", [&](const Json& item, const std::string& where) {
    Reader reader(item, path + where + ".", error);
    process.uids.push_back({reader.seconds("time_s"), reader.integer<std::uint32_t>("uid")});
  });
  process.start_ns = json.seconds("start_s");
  if (const Json* end = json.find("end_s"); end != nullptr && !end->is_null())
    process.end_ns = json.seconds("end_s");
  process.exit = json.optional_integer<int>("exit");
  process.signal = json.optional_integer<int>("signal");
  process.threads = json.integer<std::uint32_t>("threads");
  process.syscalls = json.integer<std::uint64_t>("syscalls");
  process.failed = json.integer<std::uint64_t>("failed");
  process.user_ns = json.seconds("user_s");
  process.system_ns = json.seconds("sys_s");
  process.max_rss_bytes = json.integer<std::uint64_t>("max_rss_bytes");
  return process;
}

void read_read_only(Reader json, ReadOnlyRecord& record, std::string& error) {
  record.enforced = json.boolean("enforced");
  record.watched = json.boolean("watched");
  record.scratch = json.integer<std::uint64_t>("scratch");
  if (json.find("scratch_left") != nullptr) {  // older records have none
    record.scratch_bytes = json.integer<std::uint64_t>("scratch_bytes");
    json.each("scratch_left", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      record.scratch_left.push_back(
          {reader.bytes("path"), reader.bytes("type"), reader.integer<std::uint64_t>("size")});
    });
  }
  record.attempts_total = json.integer<std::uint64_t>("attempts_total");
  json.each("attempts", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    WriteAttemptRecord attempt;
    attempt.what = reader.bytes("what");
    attempt.detail = reader.bytes("call");
    attempt.path = reader.bytes("path");
    attempt.error = reader.bytes("errno");
    attempt.exe = reader.bytes("exe");
    attempt.argv = reader.words("argv");
    record.attempts.push_back(std::move(attempt));
  });
}

/// Older records have none.
void read_listeners(Reader& json, std::string& error, RunRecord& record) {
  if (json.find("listeners") == nullptr) return;
  json.each("listeners", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    ListenerRecord one;
    one.proto = reader.bytes("proto");
    one.address = reader.bytes("address");
    one.port = reader.integer<std::uint16_t>("port");
    one.any_port = reader.boolean("any_port");
    one.outside = reader.boolean("outside");
    one.foreign = reader.boolean("foreign");
    one.taken_by = reader.bytes("taken_by");
    one.taken_by_unit = reader.bytes("taken_by_unit");
    one.process = reader.integer<std::uint32_t>("process");
    one.exe = reader.bytes("exe");
    one.time_ns = reader.seconds("time_s");
    one.count = reader.integer<std::uint64_t>("count");
    record.listeners.push_back(std::move(one));
  });
}

void read_rest(Reader& json, RunRecord& record, std::string& error) {
  Reader host = json.child("host");
  record.host_name = host.bytes("name");
  record.host_kernel = host.bytes("kernel");
  record.host_boot_id = host.bytes("boot_id");
  record.tool_version = json.child("tool").bytes("version");
  record.profile = json.bytes("profile");
  Reader who = json.child("requester");
  record.requester.uid = who.integer<std::uint32_t>("uid");
  record.requester.loginuid = who.optional_integer<std::uint32_t>("loginuid");
  record.requester.sudo_uid = who.optional_integer<std::uint32_t>("sudo_uid");
  // Of earlier runs: the kernel's login user is its own word; of the other it is not known whose.
  record.requester.attested = who.find("attested") != nullptr
                                  ? who.boolean("attested")
                                  : record.requester.loginuid || !record.requester.sudo_uid;
  record.requester.tty = who.optional_bytes("tty");
  record.requester.unit = who.optional_bytes("unit");
  Reader fidelity = json.child("fidelity");
  record.verdict.fidelity_score = fidelity.number("score");
  if (!(record.verdict.fidelity_score >= 0 && record.verdict.fidelity_score <= 1))
    fidelity.wrong("score", "a number from 0 to 1");
  fidelity.each("gaps", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    verdict::Gap gap;
    gap.what = reader.bytes("what");
    gap.why = reader.bytes("why");
    gap.cap = level_of(reader, "cap");
    record.gaps.push_back(std::move(gap));
  });
  record.manifest_root = json.bytes("manifest_root");
  record.limits = json.words("limits");
  json.each("layers", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    LayerRecord layer;
    layer.index = reader.integer<std::uint32_t>("index");
    layer.mountpoint = reader.bytes("mountpoint");
    layer.fstype = reader.bytes("fstype");
    layer.aliases = reader.words("aliases");
    record.layers.push_back(std::move(layer));
  });
  if (json.find("trace") != nullptr) {
    Reader from = json.child("trace");
    TraceRecord& trace = record.trace.emplace();
    trace.events = from.integer<std::uint64_t>("events");
    trace.syscalls = from.integer<std::uint64_t>("syscalls");
    trace.lost = from.integer<std::uint64_t>("lost");
    trace.bytes = from.integer<std::uint64_t>("bytes");
    trace.packets = from.integer<std::uint64_t>("packets");
    trace.packets_left_out = from.integer<std::uint64_t>("packets_left_out");
    trace.packet_bytes_left_out = from.integer<std::uint64_t>("packet_bytes_left_out");
    trace.freezes = from.integer<std::uint64_t>("freezes");
    trace.frozen_ns = from.seconds("frozen_s");
    // Older records have none of it.
    trace.brakes = from.optional_integer<std::uint64_t>("brakes").value_or(0);
    if (trace.brakes != 0) trace.braked_ns = from.seconds("braked_s");
    trace.real_time = from.boolean("real_time");
    trace.may_load_modules = from.boolean("may_load_modules");
    trace.root = from.bytes("root");
    if (trace.root.starts_with("sha256:")) trace.root.erase(0, 7);
    trace.trouble = from.words("trouble");
    record.attempts_total = json.child("counts").integer<std::uint64_t>("attempts");
    Reader reads = json.child("reads");
    record.reads.files = reads.integer<std::uint64_t>("files");
    record.reads.absent = reads.integer<std::uint64_t>("absent");
    record.reads.unplaced = reads.integer<std::uint64_t>("unplaced");
    record.reads.root = reads.bytes("root");
    if (record.reads.root.starts_with("sha256:")) record.reads.root.erase(0, 7);
    record.reads.moved = reads.words("moved");
    record.reads.secrets = reads.words("secrets");
    if (reads.find("secret_opens") != nullptr)
      reads.each("secret_opens", [&](const Json& item, const std::string& where) {
        Reader reader(item, where + ".", error);
        SecretOpening opening;
        opening.path = reader.bytes("path");
        opening.process = reader.integer<std::uint32_t>("process");
        opening.exe = reader.bytes("exe");
        opening.time_ns = reader.seconds("time_s");
        record.reads.openings.push_back(std::move(opening));
      });
    json.each("network", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      NetworkRecord to;
      to.verdict = reader.bytes("verdict");
      to.proto = reader.bytes("proto");
      to.dst = reader.bytes("dst");
      to.port = reader.integer<std::uint16_t>("port");
      to.name = reader.bytes("name");
      to.name_from = reader.bytes("name_from");
      to.sni = reader.bytes("sni");
      to.http_host = reader.bytes("http_host");
      to.http_path = reader.bytes("http_path");
      to.error = reader.bytes("errno");
      to.rule = reader.bytes("rule");
      to.ended = reader.bytes("ended");
      to.probe = reader.boolean("probe");
      to.reached = reader.bytes("reached");
      to.process = reader.integer<std::uint32_t>("process");
      to.exe = reader.optional_bytes("exe").value_or("");
      to.time_ns = reader.seconds("time_s");
      to.count = reader.integer<std::uint64_t>("count");
      to.bytes_out = reader.integer<std::uint64_t>("bytes_out");
      to.bytes_in = reader.integer<std::uint64_t>("bytes_in");
      record.network.push_back(std::move(to));
    });
    json.each("dns", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      DnsRecord asked;
      asked.name = reader.bytes("name");
      asked.type = reader.bytes("type");
      asked.answer = reader.bytes("answer");
      for (std::string& server : reader.words("servers")) asked.servers.insert(std::move(server));
      reader.each("processes", [&](const Json& id, const std::string& /*where*/) {
        if (id.is_number_unsigned()) asked.processes.insert(id.get<std::uint32_t>());
      });
      asked.count = reader.integer<std::uint64_t>("count");
      if (item.find("time_s") != item.end()) asked.time_ns = reader.seconds("time_s");
      record.dns.push_back(std::move(asked));
    });
    read_listeners(json, error, record);
    json.each("attempts", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      AttemptRecord attempt;
      attempt.what = reader.bytes("what");
      attempt.detail = reader.bytes("detail");
      attempt.capability = reader.optional_bytes("capability").value_or("");
      attempt.result = reader.bytes("result");
      attempt.error = reader.bytes("errno");
      attempt.process = reader.integer<std::uint32_t>("process");
      attempt.exe = reader.optional_bytes("exe").value_or("");
      attempt.count = reader.integer<std::uint64_t>("count");
      record.attempts.push_back(std::move(attempt));
    });
    json.each("processes", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      record.processes.push_back(read_process(reader, where + ".", error));
    });
  }
  if (json.find("read_only") != nullptr)
    read_read_only(json.child("read_only"), record.read_only.emplace(), error);
  json.each("units", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    UnitRecord asked;
    asked.unit = reader.bytes("unit");
    asked.request = reader.bytes("request");
    asked.mode = reader.bytes("mode");
    asked.answered = reader.bytes("answered");
    asked.detail = reader.bytes("detail");
    asked.also = reader.words("also");
    asked.process = reader.integer<std::uint32_t>("process");
    asked.count = reader.integer<std::uint64_t>("count");
    record.units.push_back(std::move(asked));
  });
  json.each("accounts", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    effects::AccountChange change;
    change.what = reader.bytes("what");
    change.name = reader.bytes("name");
    change.group = reader.bytes("group");
    change.uid = reader.integer<std::uint32_t>("uid");
    change.gid = reader.integer<std::uint32_t>("gid");
    change.shell = reader.bytes("shell");
    record.accounts.push_back(std::move(change));
  });
  record.accounts_unknown = json.bytes("accounts_unknown");
  json.each("packages", [&](const Json& item, const std::string& where) {
    Reader reader(item, where + ".", error);
    effects::PackageChange change;
    change.what = reader.bytes("what");
    change.name = reader.bytes("name");
    change.before = reader.bytes("before");
    change.after = reader.bytes("after");
    change.state_before = reader.bytes("state_before");
    change.state_after = reader.bytes("state_after");
    change.needs = reader.bytes("needs");
    record.packages.push_back(std::move(change));
  });
  record.packages_unknown = json.bytes("packages_unknown");
  if (json.find("diversions") != nullptr)
    json.each("diversions", [&](const Json& item, const std::string& where) {
      Reader reader(item, where + ".", error);
      record.diversions.push_back({reader.bytes("from"), reader.bytes("to")});
    });
  if (json.find("inert") != nullptr) record.inert = json.words("inert");
  read_expectations(json, record);
  record.changes_unobserved = json.words("changes_unobserved");
  Reader phases = json.child("phases");
  record.phases.plan_ns = phases.seconds("plan_s");
  record.phases.build_ns = phases.seconds("build_s");
  record.phases.run_ns = phases.seconds("run_s");
  record.phases.read_ns = phases.seconds("read_s");
  record.phases.judge_ns = phases.seconds("judge_s");
}

}  // namespace

Result<RunRecord> parse_run_json(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail("not well-formed JSON", ExitCode::kDataError);
  std::string error;
  Reader json(document, "", error);
  const std::string schema = json.bytes("schema");
  if (error.empty() && schema != "rehearse.run/1") {
    return fail("schema is \"" + schema.substr(0, 80) + "\", not \"rehearse.run/1\"", ExitCode::kDataError);
  }
  RunRecord record;
  record.id = json.bytes("id");
  if (record.id.empty()) json.wrong("id", "there");
  record.digest = json.bytes("digest");
  record.created_ns = json.integer<std::int64_t>("created_ns");
  read_action(json.child("action"), record.action);
  read_verdict(json.child("verdict"), record.verdict, error);
  read_command(json.child("command"), record.command, error);
  read_counts(json.child("counts"), record.counts);
  read_rest(json, record, error);
  if (!error.empty()) return fail(std::move(error), ExitCode::kDataError);
  return record;
}

}  // namespace rehearse::report
