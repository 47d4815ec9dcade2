// The trace of one rehearsal: begun when its control group stands, ended when that is empty, and what it
// tells the report.
#pragma once

#include <memory>

#include "ledger/state.h"
#include "report/run_record.h"
#include "sandbox/sandbox.h"
#include "trace/attempts.h"
#include "trace/event_stream.h"
#include "trace/read_set.h"
#include "trace/session.h"

namespace rehearse {

class Recording final : public sandbox::Recorder {
 public:
  /// Into the file `trace` of the bundle.
  /// `shift`: what the run's user namespace adds to ids.
  Recording(const ledger::Bundle& bundle, std::uint64_t buffer_bytes, std::uint32_t shift);

  Result<void> begin(int cgroup) override;
  /// Nothing of the run lives any more. Fills in the trace and the processes.
  void finish(report::RunRecord& record);

 private:
  const ledger::Bundle& bundle_;
  std::uint64_t buffer_bytes_;
  std::uint32_t shift_;
  // Used by the session's thread until it has finished.
  trace::Attempts attempts_;
  trace::EventStream events_;
  trace::ReadSet reads_;
  std::unique_ptr<trace::Session> session_;
};

}  // namespace rehearse
