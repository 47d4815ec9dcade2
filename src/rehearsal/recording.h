// The trace of one rehearsal: begun when its control group stands, ended when that is empty, and what it
// tells the report.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/digest.h"
#include "ledger/state.h"
#include "rehearsal/network.h"
#include "rehearsal/write_watch.h"
#include "report/run_record.h"
#include "sandbox/sandbox.h"
#include "trace/absent_descriptors.h"
#include "trace/argument_doubts.h"
#include "trace/attempts.h"
#include "trace/event_stream.h"
#include "trace/failed_calls.h"
#include "trace/file_locks.h"
#include "trace/hidden_looks.h"
#include "trace/host_paths.h"
#include "trace/ipc_objects.h"
#include "trace/listening_sockets.h"
#include "trace/mount_touches.h"
#include "trace/network_attempts.h"
#include "trace/outside_writes.h"
#include "trace/own_views.h"
#include "trace/program_writes.h"
#include "trace/read_set.h"
#include "trace/session.h"
#include "trace/tool_changes.h"
#include "trace/trusted_looks.h"
#include "trace/unmapped_ids.h"

namespace rehearse {

class Recording final : public sandbox::Recorder {
 public:
  /// Into the files `trace` and `reads` of the bundle; all borrowed.
  Recording(const ledger::Bundle& bundle, const sandbox::Plan& plan, NetworkPlan& network,
            const Options& options, trace::Preparation& preparation);
  /// Before begin(): tells it what the action tries to write. Borrowed.
  void watch(WriteWatch& watch) { watch_ = &watch; }

  Result<void> begin(int cgroup) override;
  Result<std::unique_ptr<Entry>> enter(UniqueFd network) override;
  /// Nothing of the action lives any more: what serves it may end while other things are done.
  void end() { gate_.end(); }
  [[nodiscard]] int attention() const override { return gate_.attention(); }
  void attend() override { gate_.attend(); }
  /// Nothing of the run lives any more. Fills in the trace, what was read and the processes. The bundle's
  /// manifest is written.
  /// `hosts`: the clone's hosts(5).
  void finish(const sandbox::Evidence& evidence, const std::string& hosts, report::RunRecord& record);
  /// After finish(): the id of the process that had number `pid` in the run at that moment; 0: none.
  [[nodiscard]] std::uint32_t process_at(std::uint32_t pid, std::uint64_t time_ns) const;
  /// The same of one that PID 1 started beside the action, no sooner than that.
  [[nodiscard]] std::uint32_t process_of_tool(std::uint32_t pid, std::uint64_t since_ns) const;
  /// After finish(): the calls that failed the processes that ended badly.
  [[nodiscard]] std::vector<trace::CallFailure> failed_calls() const {
    return failures_.list(events_.tree());
  }
  /// After finish(): a device (/dev/full) told the action that it has no room.
  [[nodiscard]] bool full_device() const { return failures_.full_device(); }
  /// After finish(): it asked for more room at once than a filesystem had, or than the run may take.
  [[nodiscard]] bool asked_for_too_much() const { return asked_for_too_much_; }
  /// After finish(): the calls whose strings may not be what the kernel acted on.
  [[nodiscard]] const trace::ArgumentDoubts& doubts() const { return doubts_; }
  /// After finish(): what the action did at mount points.
  [[nodiscard]] const trace::MountTouches& touches() const { return touches_; }
  /// After finish(): when each name was asked for first, since the action began.
  [[nodiscard]] const std::map<std::string, std::int64_t>& names_asked() const { return names_asked_; }
  /// After finish(): what was changed by what PID 1 started beside the action, by process.
  [[nodiscard]] const trace::ToolChanges& tool_changes() const { return tool_changes_; }

 private:
  void watch_writes(const trace::TraceEvent& event);
  void finish_trace(report::RunRecord& record);
  void list_all(const sandbox::Evidence& evidence, const std::string& hosts, report::RunRecord& record);
  void list_attempts(report::RunRecord& record);
  void list_network(const std::string& hosts, report::RunRecord& record);
  void list_mock_trouble(report::RunRecord& record);
  static void list_tls_trouble(const gate::GateLog& log, report::RunRecord& record);
  void list_mirror(report::RunRecord& record) const;
  void list_outside_writes(report::RunRecord& record) const;
  void list_hidden(report::RunRecord& record) const;
  void list_ids(report::RunRecord& record) const;
  void list_descriptors(report::RunRecord& record) const;
  void list_reads(const sandbox::Evidence& evidence, report::RunRecord& record);
  void list_processes(report::RunRecord& record);
  [[nodiscard]] report::ProgramRecord program_of(const trace::Image& image, std::uint64_t until_ns);
  [[nodiscard]] std::string digest_of(const trace::Image& image, std::uint64_t until_ns);
  void digest_own_files();

  const ledger::Bundle& bundle_;
  std::uint64_t buffer_bytes_;
  std::uint64_t packet_bytes_;
  trace::Preparation& preparation_;
  Network gate_;
  std::uint32_t shift_;  ///< what the run's user namespace adds to ids
  // Used by the session's thread until it has finished.
  trace::Attempts attempts_;
  trace::EventStream events_;
  trace::HostPaths paths_;
  trace::NetworkAttempts network_;
  trace::ListeningSockets listening_;
  trace::ReadSet reads_;
  trace::HiddenLooks looks_;
  trace::OwnViews views_;
  trace::AbsentDescriptors descriptors_;
  trace::TrustedLooks trusted_;
  trace::MountTouches touches_;
  trace::OutsideWrites outside_;
  trace::IpcObjects ipc_;
  trace::ProgramWrites programs_;
  trace::FileLocks locks_;
  trace::UnmappedIds ids_;
  trace::FailedCalls failures_;
  trace::ToolChanges tool_changes_;
  trace::ArgumentDoubts doubts_;
  bool asked_for_too_much_ = false;
  WriteWatch* watch_ = nullptr;
  std::unique_ptr<trace::Session> session_;
  std::map<std::string, std::int64_t> names_asked_;
  /// By inode and change time: of the host's files, and of what the action has made.
  using Digests = std::map<std::pair<std::uint64_t, std::int64_t>, Sha256>;
  Digests host_digests_;
  std::optional<Digests> own_digests_;
};

}  // namespace rehearse
