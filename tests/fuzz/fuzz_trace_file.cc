// The trace reader on an arbitrary file: it refuses, or hands out well-formed records and says how the file
// ends.
#include <unistd.h>

#include "fuzz.h"
#include "trace/store_reader.h"

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto reader = trace::StoreReader::open(fuzz::file_with({reinterpret_cast<const char*>(data), size}));
  if (!reader) {
    FUZZ_REQUIRE(reader.error().exit == ExitCode::kDataError);
    return 0;
  }
  const auto ending = reader->read([](const trace::Record& record) {
    FUZZ_REQUIRE(record.head().size >= sizeof(struct rh_head) && record.head().size <= RH_RECORD_MAX);
    record.each_attachment(
        [](const trace::Attachment& attachment) { FUZZ_REQUIRE(attachment.bytes.size() <= RH_RECORD_MAX); });
    return true;
  });
  FUZZ_REQUIRE(ending.has_value());
  return 0;
}
