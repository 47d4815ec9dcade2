#include "rehearsal/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include "base/clock.h"
#include "base/no_signals.h"
#include "base/path.h"
#include "base/report_room.h"
#include "base/sys.h"
#include "base/units.h"
#include "effects/manifest.h"
#include "gate/exchange_file.h"
#include "host/kernel_modules.h"
#include "rehearsal/busy_programs.h"
#include "rehearsal/exchange_gaps.h"
#include "rehearsal/followed_links.h"
#include "rehearsal/hidden_objects.h"
#include "rehearsal/listeners.h"
#include "rehearsal/locked_files.h"
#include "rehearsal/network_journal.h"
#include "rehearsal/outside_gaps.h"
#include "rehearsal/read_settlement.h"
#include "rehearsal/some.h"
#include "rehearsal/trusted_attributes.h"
#include "rehearsal/view_gaps.h"
#include "sandbox/own_settings.h"
#include "syscalls/call.h"
#include "syscalls/table.h"

namespace rehearse {
namespace {

/// Mount points that do not show the host's files.
std::vector<std::string> apart_from_host(const sandbox::Plan& plan) {
  std::vector<std::string> apart;
  for (const sandbox::MountPlan& mount : plan.mounts) {
    if (mount.show != sandbox::Show::kOverlay && mount.show != sandbox::Show::kAlias)
      apart.push_back(mount.mountpoint);
  }
  apart.push_back(plan.request.state_dir);
  return apart;
}

/// Mount points that the plan hides as a whole. Nobody asks the host what is there: a server may have to
/// answer.
std::set<std::string> unseen_mounts(const sandbox::Plan& plan) {
  std::set<std::string> unseen;
  for (const verdict::Gap& gap : plan.gaps) {
    if (gap.concern != verdict::Gap::Concern::kAlways)
      unseen.insert(gap.mountpoints.begin(), gap.mountpoints.end());
  }
  return unseen;
}

/// The others of those that do not show the host's files, and those of which it may turn out.
std::vector<std::string> apart_but_known(const sandbox::Plan& plan) {
  std::vector<std::string> apart = apart_from_host(plan);
  const std::set<std::string> unseen = unseen_mounts(plan);
  std::erase_if(apart, [&](const std::string& path) { return unseen.contains(path); });
  return apart;
}

/// Those of them that are shown as empty directories. That of rehearse's own state says nothing of the host.
std::set<std::string> emptied_mounts(const sandbox::Plan& plan) {
  std::set<std::string> emptied;
  const std::set<std::string> unseen = unseen_mounts(plan);
  for (const sandbox::MountPlan& mount : plan.mounts) {
    if (mount.show == sandbox::Show::kHidden && !unseen.contains(mount.mountpoint) &&
        !is_within(mount.mountpoint, plan.request.state_dir))
      emptied.insert(mount.mountpoint);
  }
  return emptied;
}

/// Those of which it may turn out that they cannot be shown as they are, too.
std::set<std::string, std::less<>> watched_mounts(const sandbox::Plan& plan) {
  std::set<std::string, std::less<>> watched;
  for (const std::string& path : unseen_mounts(plan)) watched.insert(path);
  for (const sandbox::MountPlan& mount : plan.mounts) {
    const bool layer = mount.show == sandbox::Show::kOverlay || mount.show == sandbox::Show::kAlias;
    if (layer && mount.mountpoint != "/") watched.insert(mount.mountpoint);
  }
  return watched;
}

/// By mount point, whether what is changed there is in a layer.
std::map<std::string, bool> layers_of(const sandbox::Plan& plan) {
  std::map<std::string, bool> layers;
  for (const sandbox::MountPlan& mount : plan.mounts) {
    if (mount.show != sandbox::Show::kAbsent)
      layers[mount.mountpoint] = mount.show == sandbox::Show::kOverlay || mount.show == sandbox::Show::kAlias;
  }
  return layers;
}

ShownOtherwise shown_otherwise(const sandbox::Evidence& evidence) {
  ShownOtherwise shown;
  for (const sandbox::LayerEvidence& layer : evidence.layers) {
    for (const std::string& path : layer.masked) shown.masked.insert(layer.seen_at(path));
    for (const std::string& path : layer.hidden) shown.hidden.insert(layer.seen_at(path));
    for (const std::string& path : layer.shadowed) shown.shadowed.insert(layer.seen_at(path));
    if (!layer.copied_since_ns) continue;
    shown.copied.emplace(layer.seen_at(layer.file), *layer.copied_since_ns);
    for (const std::string& alias : layer.aliases) shown.copied.emplace(alias, *layer.copied_since_ns);
  }
  return shown;
}

report::ProcessRecord describe(const trace::Process& process, std::uint64_t begun_ns, std::uint32_t shift) {
  const auto since = [begun_ns](std::uint64_t ns) { return trace::between(begun_ns, ns); };
  const auto unshifted = [shift](std::uint32_t id) { return id >= shift ? id - shift : id; };
  report::ProcessRecord record;
  record.id = process.id;
  record.parent = process.parent;
  record.pid = process.inner_pid;
  record.comm = process.comm;
  record.forked = process.images.empty();
  record.uid = unshifted(process.creds.euid);
  if (process.uids.size() > 1) {
    for (const trace::Process::Uid& change : process.uids)
      record.uids.push_back({since(change.time_ns), unshifted(change.euid)});
  }
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

bool is_refused_room(const trace::TraceEvent& event) {
  return event.type == trace::EventType::kCall && !event.unfinished && event.record->head().abi == 0 &&
         event.record->head().nr == syscalls::Nr::fallocate && event.result() == -ENOSPC;
}

/// The name of the host's process `pid`, "" if there is none.
std::string name_on_host(std::uint32_t pid) {
  const auto name = sys::read_file(("/proc/" + std::to_string(pid) + "/comm").c_str(), 64);
  return name ? name->substr(0, name->find('\n')) : std::string();
}

/// What the run's namespaces have of their own is what the host has: a gap of its own says where it is not.
/// Limits of a new user namespace, each, are as many as there may be.
bool is_as_on_host(const trace::OwnLook& look) {
  if (sandbox::is_set_as_on_host(look.at)) return true;
  if (look.view != trace::View::kSettings) return false;
  const auto value = sys::read_file(look.at.c_str(), 64);
  return value && *value == "2147483647\n";
}

}  // namespace

Recording::Recording(const ledger::Bundle& bundle, const sandbox::Plan& plan, NetworkPlan& network,
                     const Options& options, trace::Preparation& preparation)
    : bundle_(bundle),
      buffer_bytes_(options.trace_buffer_bytes),
      packet_bytes_(options.capture_bytes.value_or(kCaptureBytes)),
      preparation_(preparation),
      gate_(bundle, network),
      shift_(plan.request.profile == sandbox::Profile::kShifted ? sandbox::kIdShift : 0),
      attempts_(name_on_host, paths_),
      events_([this](const trace::TraceEvent& event) {
        attempts_.add(event, events_);
        paths_.add(event, events_);
        reads_.add(event, events_);
        network_.add(event, events_);
        looks_.add(event, events_);
        views_.add(event, events_);
        descriptors_.add(event, events_);
        trusted_.add(event, events_);
        touches_.add(event, events_);
        outside_.add(event, events_);
        ipc_.add(event);
        programs_.add(event);
        locks_.add(event);
        ids_.add(event);
        failures_.add(event, events_);
        tool_changes_.add(event, events_);
        doubts_.add(event, events_);
        asked_for_too_much_ = asked_for_too_much_ || is_refused_room(event);
        if (watch_ != nullptr) watch_writes(event);
        return true;
      }),
      network_([this](std::uint32_t tid,
                      const std::string& path) { return paths_.leads_to(events_.resolve(tid, path)); },
               [this](const IpAddress& address) { return gate_.is_own(address); }),
      reads_(apart_from_host(plan), paths_),
      looks_(apart_but_known(plan), emptied_mounts(plan), paths_, name_on_host),
      descriptors_(plan.request.descriptors),
      trusted_(apart_from_host(plan), paths_),
      touches_(watched_mounts(plan), paths_),
      outside_(layers_of(plan)),
      programs_(paths_),
      locks_(paths_),
      ids_(shift_ == 0 ? 0 : sandbox::kIdRange) {}

/// What is started beside the action, to look at what it did, may fail at writing.
void Recording::watch_writes(const trace::TraceEvent& event) {
  const std::string_view kind = trace::write_kind(event, events_);
  if (kind.empty() || tool_changes_.root_of(event.process->id, events_.tree()) > 1) return;
  watch_->note(trace::describe_write(event, events_, kind));
}

Result<void> Recording::begin(int cgroup) {
  if (cgroup < 0) {
    return fail("system calls cannot be recorded: there is no cgroup2 hierarchy", ExitCode::kUnavailable,
                "mount one, see `rehearse doctor`, or go on with --no-trace");
  }
  RH_TRY(auto store, bundle_.create_file("trace"));
  trace::SessionOptions options;
  options.buffer_bytes = static_cast<std::uint32_t>(buffer_bytes_);
  options.packet_bytes = packet_bytes_;
  options.observe = [this](const trace::Record& record) {
    events_.add(record);
    network_.add(record, events_.tree());
    listening_.add(record, events_.tree());
  };
  RH_TRY(auto prepared, preparation_.take());
  RH_TRY(session_, trace::Session::begin(cgroup, std::move(store), std::move(options), std::move(prepared)));
  return gate_.begin(*session_);
}

Result<std::unique_ptr<Recording::Entry>> Recording::enter(UniqueFd network) {
  return gate_.enter(std::move(network), *session_);
}

void Recording::finish(const sandbox::Evidence& evidence, const std::string& hosts,
                       report::RunRecord& record) {
  if (!session_) return;
  finish_trace(record);
  // The kernel takes its time, too, to have its memory back.
  bool released = false;
  const auto release = [&] {
    released = session_->release();
    session_.reset();
  };
  std::jthread releasing;
  try {
    const NoSignals quiet;
    releasing = std::jthread(release);
  } catch (const std::system_error&) {
    release();
  }
  list_all(evidence, hosts, record);
  if (releasing.joinable()) releasing.join();
  if (!released) record.trace->trouble.emplace_back("the recording programs could not be detached");
}

void Recording::list_all(const sandbox::Evidence& evidence, const std::string& hosts,
                         report::RunRecord& record) {
  list_attempts(record);
  list_network(hosts, record);
  list_outside_writes(record);
  std::ranges::move(busy_programs(programs_.paths()), std::back_inserter(record.gaps));
  std::ranges::move(locked_files(locks_), std::back_inserter(record.gaps));
  list_ids(record);
  list_hidden(record);
  list_descriptors(record);
  list_reads(evidence, record);
  list_processes(record);
}

void Recording::finish_trace(report::RunRecord& record) {
  const bool guarded = session_->keeps_modules_out();
  const trace::Completeness result = session_->finish();
  report::TraceRecord& trace = record.trace.emplace();
  trace.events = result.records;
  trace.syscalls = result.syscalls;
  trace.lost = result.lost + result.cut;
  trace.bytes = result.stored_bytes;
  trace.packets = result.packets;
  trace.packets_left_out = result.packets_left_out;
  trace.packet_bytes_left_out = result.bytes_left_out;
  trace.freezes = result.freezes;
  trace.frozen_ns = result.frozen_ns;
  trace.brakes = result.brakes;
  trace.braked_ns = result.braked_ns;
  trace.real_time = result.real_time;
  trace.may_load_modules = !guarded && host::loads_modules();
  trace.root = result.root;
  trace.trouble = result.trouble;
}

void Recording::list_attempts(report::RunRecord& record) {
  for (const trace::Attempt& attempt : attempts_.list()) {
    record.attempts.push_back({attempt.what, attempt.detail, std::string(attempt.capability),
                               std::string(trace::to_string(attempt.outcome)),
                               std::string(syscalls::errno_name(attempt.error)), attempt.process, attempt.exe,
                               attempt.count});
  }
  record.attempts_total = attempts_.total();
  if (attempts_.unlisted() != 0)
    record.trace->trouble.push_back(std::to_string(attempts_.unlisted()) +
                                    " more privileged attempts are in the trace only");
}

void Recording::list_network(const std::string& hosts, report::RunRecord& record) {
  std::vector<std::string>& trouble = record.trace->trouble;
  auto log = gate_.finish();
  if (!log) {
    trouble.push_back("the network gate: " + log.error().what);
    log = gate::GateLog();
  }
  if (log->totals) {
    const auto lost = [&trouble](std::uint64_t count, const char* what) {
      if (count != 0) trouble.push_back(std::to_string(count) + what);
    };
    lost(log->totals->lines_not_kept, " lines of the network gate's log were not kept");
    lost(log->totals->refused, " connections were refused for want of room in the network gate");
    if (log->totals->unused_recordings != 0)
      record.mock_trouble.push_back(std::to_string(log->totals->unused_recordings) +
                                    " recorded exchanges were not asked for");
  }
  list_tls_trouble(*log, record);
  network_.finish();
  NetworkJournal journal(std::move(*log), gate_.plan(), gate::HostsFile::parse(hosts), network_.sources());
  record.network = journal.describe(network_.list(), events_.begun_ns());
  record.dns = journal.questions(events_.begun_ns());
  record.listeners = describe_listeners(
      listening_, listening_.list().empty() ? nullptr : journal.host_listeners(), events_.begun_ns());
  bind_gaps(listening_.bound_to(), gate_.own_addresses(), !gate_.mirror().kind.empty(), record);
  names_asked_ = journal.first_asked(events_.begun_ns());
  if (network_.unlisted() != 0)
    trouble.push_back(std::to_string(network_.unlisted()) + " more network attempts are in the trace only");
  if (listening_.unlisted() != 0)
    trouble.push_back(std::to_string(listening_.unlisted()) +
                      " more listening or bound sockets are in the trace only");
  list_mock_trouble(record);
  list_mirror(record);
  if (record.trace->packet_bytes_left_out != 0)
    record.gaps.push_back(
        {fmt::format("capture: {} packets, {} in all, are not kept", record.trace->packets_left_out,
                     format_bytes(record.trace->packet_bytes_left_out)),
         fmt::format("it is limited to {} (--capture)", format_bytes(packet_bytes_)),
         verdict::Level::kGreen});
}

void Recording::list_mirror(report::RunRecord& record) const {
  const gate::NetworkMirror& mirror = gate_.mirror();
  for (const std::string& line : mirror.missing)
    record.gaps.push_back({"network mirror: " + line, "it differs from the host's", verdict::Level::kYellow});
  if (!mirror.kind.empty())
    record.gaps.push_back(
        {"network mirror: interfaces are stand-ins of kind " + mirror.kind,
         "they carry nothing, count nothing, have no driver and show NOARP; every address leads to the "
         "gate, whatever the routes say",
         verdict::Level::kGreen});
}

void Recording::list_mock_trouble(report::RunRecord& record) {
  const auto exchanges = gate_.exchanges();
  if (!exchanges) {
    record.trace->trouble.push_back("what was exchanged with mocks: " + exchanges.error().what);
    return;
  }
  std::ranges::move(exchange_gaps(*exchanges), std::back_inserter(record.gaps));
  constexpr std::size_t kMost = 100;
  for (const gate::KeptExchange& kept : exchanges->exchanges) {
    const gate::Outcome outcome = kept.exchange.outcome;
    if (outcome != gate::Outcome::kUnmatched && outcome != gate::Outcome::kMalformed &&
        outcome != gate::Outcome::kDiverged)
      continue;
    if (record.mock_trouble.size() >= kMost) break;
    record.mock_trouble.push_back(fmt::format("{} {}:{} {} ({})", gate::to_string(outcome),
                                              kept.name.empty() ? kept.address : kept.name, kept.port,
                                              kept.exchange.request.head, kept.exchange.remark));
  }
}

/// Clients that did not come to speak with a mocked service, and recordings that nobody can read.
void Recording::list_tls_trouble(const gate::GateLog& log, report::RunRecord& record) {
  constexpr std::size_t kMost = 100;
  std::set<std::string> sealed;
  for (const gate::ConnectionRecord& connection : log.connections) {
    const std::string& name = connection.name;
    const std::string to =
        fmt::format("{}:{}", name.empty() ? format_ip(connection.address) : name, connection.port);
    const bool passed = connection.verdict == gate::GateVerdict::kPassed;
    const bool denied = connection.verdict == gate::GateVerdict::kDenied;
    if (passed && !connection.sni.empty() && connection.rule.ends_with(",record") && sealed.size() < kMost)
      sealed.insert(to);
    const bool unserved = !passed && !denied && connection.error.starts_with("TLS: ");
    if (unserved && record.mock_trouble.size() < kMost)
      record.mock_trouble.push_back(fmt::format("unserved {} ({})", to, connection.error));
  }
  for (const std::string& to : sealed)
    record.gaps.push_back(
        {"recording of " + to,
         "it is TLS that the gate does not end: what is kept is encrypted, and no replay can "
         "answer from it",
         verdict::Level::kGreen});
}

void Recording::list_outside_writes(report::RunRecord& record) const {
  const auto host = HostRoot::open();
  std::ranges::move(outside_gaps(outside_, ipc_, host ? &*host : nullptr), std::back_inserter(record.gaps));
}

void Recording::list_hidden(report::RunRecord& record) const {
  const auto host = HostRoot::open();
  if (!host) return;  // list_reads says so
  std::vector<verdict::Gap> gaps = hidden_objects(looks_, *host);
  std::ranges::move(gaps, std::back_inserter(record.gaps));
  std::ranges::move(trusted_attributes(trusted_, *host), std::back_inserter(record.gaps));
  std::set<trace::OwnLook> looks = views_.looks(events_.tree());
  std::erase_if(looks, [&](const trace::OwnLook& look) {
    return is_as_on_host(look) || !hides_something(look, *host);
  });
  std::ranges::move(view_gaps(looks, gate_.plan().mirror), std::back_inserter(record.gaps));
}

void Recording::list_ids(report::RunRecord& record) const {
  if (ids_.failed().empty()) return;
  record.gaps.push_back(
      {fmt::format("user and group ids from {} on: {}", sandbox::kIdRange, some(ids_.failed())),
       "the run's user namespace has none: there, giving them or changing a file that has one does not "
       "fail; --profile=root has them",
       verdict::Level::kYellow});
}

void Recording::list_descriptors(report::RunRecord& record) const {
  std::set<std::string> used;
  for (const int number : descriptors_.used()) used.insert(std::to_string(number));
  if (used.empty()) return;
  record.gaps.push_back({"descriptors of the caller that the command asked for: " + some(used),
                         "they are not passed: on the host it would have had them", verdict::Level::kYellow});
}

void Recording::list_reads(const sandbox::Evidence& evidence, report::RunRecord& record) {
  std::vector<std::string>& trouble = record.trace->trouble;
  auto collected = reads_.take();
  const ShownOtherwise otherwise = shown_otherwise(evidence);
  // What something was added to shows all that the host's has.
  std::set<std::string> added;
  for (const sandbox::Addition& addition : gate_.plan().trust()) added.insert(addition.path);
  std::set<std::string> masked;
  for (const effects::HostRead& read : collected) {
    constexpr unsigned kContent = effects::kReadOpened | effects::kReadExecuted | effects::kReadListed;
    if ((read.uses & kContent) != 0 && otherwise.masked.contains(read.path) && !added.contains(read.path))
      masked.insert(read.path);
  }
  std::set<std::string> secrets = reads_.secrets();
  if (!masked.empty())
    record.gaps.push_back({"read though masked: " + some(masked),
                           "with its content the action may do something else", verdict::Level::kYellow});
  record.reads.unplaced = reads_.unplaced();
  const auto host = HostRoot::open();
  if (host) secrets.merge(secrets_by_other_names(collected, *host, otherwise.masked));
  record.reads.secrets.assign(secrets.begin(), secrets.end());
  for (const auto& [opened, opening] : reads_.openings())
    record.reads.openings.push_back(
        {opened.first, opening.process, opened.second, trace::between(events_.begun_ns(), opening.time_ns)});
  if (!host) {
    trouble.push_back("what was read cannot be compared with the host: " + host.error().what);
    return;
  }
  add_followed_links(collected, reads_.take_followed(), *host);
  if (reads_.cut()) trouble.emplace_back("more files were read than the list of them can hold");
  std::vector<std::string> marks;
  const auto reads = settle_reads(std::move(collected), *host,
                                  {evidence.started_ns, evidence.earliest_stamp_ns}, otherwise, marks);
  if (!marks.empty())
    record.gaps.push_back({"looked for in vain, and this host has it: " + some(marks),
                           "character devices 0:0, as the stores of containers have them, mean to overlayfs "
                           "that something was removed: on the host the command would have met them",
                           verdict::Level::kYellow});
  for (const effects::HostRead& read : reads) {
    if (read.uses == effects::kReadAbsent)
      ++record.reads.absent;
    else
      ++record.reads.files;
    if (read.moved) record.reads.moved.push_back(read.path);
    if (read.sha256 && !read.moved) host_digests_[{read.identity.ino, read.identity.ctime_ns}] = *read.sha256;
  }
  auto file = bundle_.create_file("reads");
  auto listed = file ? effects::write_read_list(std::move(*file), reads) : tl::make_unexpected(file.error());
  if (listed && !has_room(bundle_.fd(), kRoomAfterReads)) listed = fail(kStateIsFull);
  if (listed) {
    record.reads.root = hex(*listed);
    return;
  }
  trouble.push_back("the list of what was read is not kept: " + listed.error().what);
  (void)bundle_.remove_part("reads");  // half a list is of no use, and takes the report's room
}

void Recording::list_processes(report::RunRecord& record) {
  if (events_.tree().unlisted() != 0)
    record.trace->trouble.push_back(std::to_string(events_.tree().unlisted()) +
                                    " more processes are in the trace only");
  const auto& processes = events_.tree().processes();
  const auto roots = trace::ToolChanges::roots(events_.tree());
  for (std::size_t i = 1; i < processes.size(); ++i) {
    auto described = describe(processes[i], processes[1].start_ns, shift_);
    described.root = roots[i];
    if (const trace::Image* image = trace::ProcessTree::image_of(processes[i]))
      static_cast<report::ProgramRecord&>(described) =
          program_of(*image, processes[i].end_ns.value_or(static_cast<std::uint64_t>(monotonic_ns())));
    described.secure = described.secure && !described.forked;
    for (std::size_t p = 0; p + 1 < processes[i].images.size(); ++p)
      described.earlier.push_back(program_of(*processes[i].images[p], processes[i].images[p + 1]->time_ns));
    record.processes.push_back(std::move(described));
  }
}

std::uint32_t Recording::process_at(std::uint32_t pid, std::uint64_t time_ns) const {
  if (pid == 0) return 0;
  for (const trace::Process& process : events_.tree().processes()) {
    const bool lived = process.start_ns <= time_ns && (!process.end_ns || *process.end_ns >= time_ns);
    if (process.inner_pid == pid && lived) return process.id;
  }
  return 0;
}

std::uint32_t Recording::process_of_tool(std::uint32_t pid, std::uint64_t since_ns) const {
  for (const trace::Process& process : events_.tree().processes()) {
    if (process.id > 1 && process.maker == 0 && process.inner_pid == pid && process.start_ns >= since_ns)
      return process.id;
  }
  return 0;
}

report::ProgramRecord Recording::program_of(const trace::Image& image, std::uint64_t until_ns) {
  report::ProgramRecord program;
  program.exe = image.path;
  program.sha256 = digest_of(image, until_ns);
  program.script = image.script;
  program.argv = image.words();
  program.argv_cut = image.argv_cut;
  program.argv_redacted = image.redacted;
  program.secure = image.secure;
  return program;
}

/// As it was read while it was executed, else of what is still what was executed: nothing that changes an
/// object leaves its change time as it was, but for what is done in the same tick of the clock. Nobody writes
/// to a program that is being executed.
std::string Recording::digest_of(const trace::Image& image, std::uint64_t until_ns) {
  if (image.sha256) return hex(*image.sha256);
  const bool own = (image.file.flags & RH_UPPER) != 0;
  if (own && !own_digests_) digest_own_files();
  const auto& digests = own ? *own_digests_ : host_digests_;
  const auto ctime_ns = static_cast<std::int64_t>(image.file.ctime_ns);
  const auto found = digests.find({image.file.ino, ctime_ns});
  if (found == digests.end()) return "";
  const std::int64_t until = static_cast<std::int64_t>(until_ns) + realtime_ns() - monotonic_ns();
  if (own && until - ctime_ns < clock_tick_ns()) return "";
  return hex(found->second);
}

/// Of what the action made itself the manifest has them.
void Recording::digest_own_files() {
  own_digests_.emplace();
  const auto manifest = bundle_.open_file("manifest");
  if (!manifest) return;
  (void)effects::read_manifest(manifest->get(), [this](const effects::Change& change) {
    if (change.after && change.after->sha256 && !change.after->sparse)
      own_digests_->emplace(std::pair(change.after->ino, change.after->ctime_ns), *change.after->sha256);
    return true;
  });
}

}  // namespace rehearse
