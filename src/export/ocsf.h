// Events of the Open Cybersecurity Schema Framework, one JSON object a line (schema.ocsf.io, version 1.8.0).
//
// Classes: process, file system, network, kernel (privileged calls) and module activity. Calls that are none
// of these are left out. What is not of the schema stands under `unmapped`: the event's number in `rehearse
// trace`, the number of the process, the exact bytes of a path that is not UTF-8, and whether the path is
// only what the action said.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "export/exporter.h"
#include "export/ocsf_map.h"
#include "report/writer.h"

namespace rehearse::exporting {

class OcsfExporter final : public Exporter {
 public:
  OcsfExporter(const RunFacts& run, report::Writer& out) : run_(run), out_(out) {}
  Result<void> event(const trace::TraceEvent& event, const trace::EventStream& stream) override;

 private:
  /// A path and what is known of it.
  struct Object {
    std::string path;
    bool claimed = false;  ///< by the action; the kernel's own otherwise
    std::uint32_t type_id = 0;
    std::string uid;  ///< "8:1:1234"; empty if not known
  };
  enum class Detail { kFull, kShort };

  [[nodiscard]] std::optional<OcsfActivity> activity_of(const trace::TraceEvent& event) const;
  void put_head(JsonWriter& json, const trace::TraceEvent& event, const OcsfActivity& activity);
  void put_status(JsonWriter& json, const trace::TraceEvent& event);
  void put_process(JsonWriter& json, const trace::Process& process, const trace::Image* image, Detail detail);
  void put_actor(JsonWriter& json, const trace::TraceEvent& event, const trace::EventStream& stream);
  void put_process_activity(JsonWriter& json, const trace::TraceEvent& event,
                            const trace::EventStream& stream);
  void put_network(JsonWriter& json, const trace::TraceEvent& event, const OcsfActivity& activity);
  void put_unmapped(JsonWriter& json, const trace::TraceEvent& event, const std::optional<Object>& object);

  const RunFacts& run_;
  report::Writer& out_;
  /// Where sockets were bound to, by process and descriptor.
  std::map<std::pair<std::uint32_t, std::int32_t>, std::string> bound_;
};

}  // namespace rehearse::exporting
