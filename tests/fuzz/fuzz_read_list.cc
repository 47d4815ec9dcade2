// The reader of read sets, and of the ELF files whose interpreters join them, on arbitrary bytes.
#include "changes.h"
#include "effects/read_list.h"
#include "rehearsal/read_settlement.h"
#include "report/read_text.h"

#include <nlohmann/json.hpp>

using namespace rehearse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const UniqueFd file = fuzz::file_with({reinterpret_cast<const char*>(data), size});
  std::size_t count = 0;
  const auto result = effects::read_read_list(file.get(), [&](const effects::HostRead& read) {
    ++count;
    FUZZ_REQUIRE(fuzz::is_harmless(report::read_line(read)));
    FUZZ_REQUIRE(nlohmann::json::accept(report::read_json(read)));
    return true;
  });
  FUZZ_REQUIRE(count <= size);  // a record takes at least a byte
  if (!result) {
    FUZZ_REQUIRE(result.error().exit == ExitCode::kDataError);
    FUZZ_REQUIRE(fuzz::is_harmless(result.error().what));
  }
  const std::string interpreter = elf_interpreter(file.get());
  FUZZ_REQUIRE(interpreter.empty() || interpreter.front() == '/');
  return 0;
}
