// A log as `strace -f -ttt -T -o` writes it, for the tools that read those.
//
// Calls stand where they returned, with the time they began (their return, where the begin was not recorded:
// such lines have no <duration>). Numbers are those of the run's own pid namespace. What strace has no line
// for is left out: started processes, executed programs (their execve is there), io_uring operations, SIGKILL
// and what went to a process outside.
#pragma once

#include <string>

#include "export/exporter.h"
#include "report/writer.h"

namespace rehearse::exporting {

class StraceExporter final : public Exporter {
 public:
  StraceExporter(const RunFacts& run, report::Writer& out) : run_(run), out_(out) {}
  Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) override;

 private:
  void put(std::uint32_t tid, std::uint64_t time_ns, const std::string& text);

  const RunFacts& run_;
  report::Writer& out_;
};

}  // namespace rehearse::exporting
