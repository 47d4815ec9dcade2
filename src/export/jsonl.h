// One JSON object a line, as `rehearse trace --json` prints them.
#pragma once

#include "export/exporter.h"
#include "report/writer.h"

namespace rehearse::exporting {

class JsonlExporter final : public Exporter {
 public:
  JsonlExporter(const RunFacts& run, report::Writer& out) : run_(run), out_(out) {}
  Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) override;

 private:
  const RunFacts& run_;
  report::Writer& out_;
};

}  // namespace rehearse::exporting
