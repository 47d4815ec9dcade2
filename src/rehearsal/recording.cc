#include "rehearsal/recording.h"

#include "base/digest.h"
#include "base/sys.h"
#include "syscalls/call.h"

namespace rehearse {
namespace {

report::ProcessRecord describe(const trace::ProcessTree& tree, const trace::Process& process,
                               std::uint64_t begun_ns, std::uint32_t shift) {
  const auto since = [begun_ns](std::uint64_t ns) { return trace::between(begun_ns, ns); };
  report::ProcessRecord record;
  record.id = process.id;
  record.parent = process.parent;
  record.pid = process.inner_pid;
  record.comm = process.comm;
  if (const trace::Image* image = tree.image_of(process)) {
    record.exe = image->path;
    record.script = image->script;
    record.argv = image->words();
    record.argv_cut = image->argv_cut;
    record.argv_redacted = image->redacted;
    record.secure = image->secure && !process.images.empty();
  }
  for (std::size_t i = 0; i + 1 < process.images.size(); ++i)
    record.earlier.push_back(process.images[i].path);
  record.forked = process.images.empty();
  record.uid = process.creds.euid >= shift ? process.creds.euid - shift : process.creds.euid;
  record.start_ns = since(process.start_ns);
  if (process.end_ns) record.end_ns = since(*process.end_ns);
  record.exit = process.exit;
  record.signal = process.signal;
  record.threads = process.threads;
  record.syscalls = process.syscalls;
  record.failed = process.failed;
  record.user_ns = static_cast<std::int64_t>(process.user_ns);
  record.system_ns = static_cast<std::int64_t>(process.system_ns);
  record.max_rss_bytes = process.max_rss_bytes;
  return record;
}

/// The name of the host's process `pid`, "" if there is none.
std::string name_on_host(std::uint32_t pid) {
  const auto name = sys::read_file(("/proc/" + std::to_string(pid) + "/comm").c_str(), 64);
  return name ? name->substr(0, name->find('\n')) : std::string();
}

}  // namespace

Recording::Recording(const ledger::Bundle& bundle, std::uint64_t buffer_bytes, std::uint32_t shift)
    : bundle_(bundle),
      buffer_bytes_(buffer_bytes),
      shift_(shift),
      attempts_(name_on_host),
      events_([this](const trace::TraceEvent& event) {
        attempts_.add(event, events_);
        return true;
      }) {}

Result<void> Recording::begin(int cgroup) {
  if (cgroup < 0) {
    return fail("system calls cannot be recorded: there is no cgroup2 hierarchy", ExitCode::kUnavailable,
                "mount one, see `rehearse doctor`, or go on with --no-trace");
  }
  RH_TRY(auto store, bundle_.create_file("trace"));
  trace::SessionOptions options;
  options.buffer_bytes = static_cast<std::uint32_t>(buffer_bytes_);
  options.observe = [this](const trace::Record& record) {
    events_.add(record);
    reads_.add(record, events_.tree());
  };
  RH_TRY(session_, trace::Session::begin(cgroup, std::move(store), std::move(options)));
  return {};
}

void Recording::finish(report::RunRecord& record) {
  if (!session_) return;
  const trace::Completeness result = session_->finish();
  session_.reset();
  report::TraceRecord& trace = record.trace.emplace();
  trace.events = result.records;
  trace.syscalls = result.syscalls;
  trace.lost = result.lost + result.cut;
  trace.bytes = result.stored_bytes;
  trace.freezes = result.freezes;
  trace.frozen_ns = result.frozen_ns;
  trace.real_time = result.real_time;
  trace.root = result.root;
  trace.trouble = result.trouble;
  for (const trace::Attempt& attempt : attempts_.list()) {
    record.attempts.push_back({attempt.what, attempt.detail, std::string(trace::to_string(attempt.outcome)),
                               std::string(syscalls::errno_name(attempt.error)), attempt.process,
                               attempt.count});
  }
  record.attempts_total = attempts_.total();
  if (attempts_.unlisted() != 0)
    trace.trouble.push_back(std::to_string(attempts_.unlisted()) +
                            " more privileged attempts are in the trace only");
  record.reads.files = reads_.files().size();
  record.reads.root = hex(reads_.root());
  record.reads.secrets = reads_.secrets();
  if (reads_.cut()) trace.trouble.emplace_back("more files were read than the list of them can hold");
  if (events_.tree().unlisted() != 0)
    trace.trouble.push_back(std::to_string(events_.tree().unlisted()) +
                            " more processes are in the trace only");
  const auto& tree = events_.tree();
  const auto& processes = tree.processes();
  if (processes.size() < 2) return;
  for (std::size_t i = 1; i < processes.size(); ++i)
    record.processes.push_back(describe(tree, processes[i], processes[1].start_ns, shift_));
}

}  // namespace rehearse
