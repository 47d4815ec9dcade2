#include "export/jsonl.h"

#include "trace/event_text.h"

namespace rehearse::exporting {

Result<void> JsonlExporter::event(const trace::TraceEvent& event, const trace::EventStream& stream) {
  out_.put(trace::event_json(event, stream.begun_ns(), run_.realtime_offset_ns()) + '\n');
  return {};
}

}  // namespace rehearse::exporting
