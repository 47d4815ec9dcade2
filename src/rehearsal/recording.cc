#include "rehearsal/recording.h"

#include "base/digest.h"
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

}  // namespace

Result<void> Recording::begin(int cgroup) {
  if (cgroup < 0) {
    return fail("system calls cannot be recorded: there is no cgroup2 hierarchy", ExitCode::kUnavailable,
                "mount one, see `rehearse doctor`, or go on with --no-trace");
  }
  RH_TRY(auto store, bundle_.create_file("trace"));
  trace::SessionOptions options;
  options.buffer_bytes = static_cast<std::uint32_t>(buffer_bytes_);
  options.observe = [this](const trace::Record& record) {
    tree_.add(record);
    attempts_.add(record, tree_);
    reads_.add(record, tree_);
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
    record.attempts.push_back({attempt.what, attempt.detail, attempt.denied ? "denied" : "contained",
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
  if (tree_.unlisted() != 0)
    trace.trouble.push_back(std::to_string(tree_.unlisted()) + " more processes are in the trace only");
  const auto& processes = tree_.processes();
  if (processes.size() < 2) return;
  for (std::size_t i = 1; i < processes.size(); ++i)
    record.processes.push_back(describe(tree_, processes[i], processes[1].start_ns, shift_));
}

}  // namespace rehearse
