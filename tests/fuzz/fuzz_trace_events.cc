// Arbitrary records, as a hostile trace may hold them: every line is printable, every object is JSON, every
// field answers.
#include <nlohmann/json.hpp>
#include <vector>

#include "fuzz.h"
#include "trace/attempts.h"
#include "trace/event_fields.h"
#include "trace/event_paths.h"
#include "trace/event_stream.h"
#include "trace/event_summary.h"
#include "trace/event_text.h"
#include "trace/hidden_looks.h"
#include "trace/host_paths.h"
#include "trace/mount_touches.h"
#include "trace/network_attempts.h"
#include "trace/read_set.h"

using namespace rehearse;

namespace {

bool printable(std::string_view line) {
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return fuzz::is_harmless(line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Records are read where they lie, aligned, as a block's are.
  std::vector<std::uint64_t> aligned((size + 7) / 8);
  if (size != 0) std::memcpy(aligned.data(), data, size);
  std::string_view rest(reinterpret_cast<const char*>(aligned.data()), size);
  trace::EventSummary summary;
  trace::HostPaths paths;
  trace::Attempts attempts([](std::uint32_t) { return std::string("name"); }, paths);
  trace::EventStream* events = nullptr;
  trace::NetworkAttempts network(
      [&](std::uint32_t tid, const std::string& path) { return paths.leads_to(events->resolve(tid, path)); },
      [](const IpAddress& address) { return address.bytes[15] == 1; });
  trace::ReadSet reads({"/proc"}, paths);
  trace::HiddenLooks looks({"/proc"}, {"/proc"}, paths, [](std::uint32_t) { return std::string("name"); });
  trace::MountTouches touches({"/var", "/var/tmp"}, paths);
  trace::EventStream stream([&](const trace::TraceEvent& event) {
    FUZZ_REQUIRE(printable(trace::event_line(event, events->begun_ns())));
    FUZZ_REQUIRE(nlohmann::json::accept(trace::event_json(event, events->begun_ns(), 5)));
    const trace::EventFields fields(event, *events, 5, 2147483648U);
    for (const trace::FieldInfo& info : trace::all_fields()) {
      trace::FieldArgument argument;
      argument.index = 1;
      (void)fields.value(info.field, argument);
    }
    (void)fields.type_id();
    (void)trace::touches(event, *events, "/etc/passwd");
    summary.add(event);
    attempts.add(event, *events);
    paths.add(event, *events);
    reads.add(event, *events);
    looks.add(event, *events);
    touches.add(event, *events);
    return true;
  });
  events = &stream;
  while (const auto record = trace::Record::at(rest)) {
    FUZZ_REQUIRE(stream.add(*record));
    network.add(*record, stream.tree());
    rest.remove_prefix(record->head().size);
  }
  (void)summary.lines();
  FUZZ_REQUIRE(std::ranges::is_sorted(reads.take(), {}, &effects::HostRead::path));
  for (const trace::Process& process : stream.tree().processes()) (void)trace::ProcessTree::image_of(process);
  return 0;
}
