#include "sandbox/nested.h"

#include <string>

#include "base/sys.h"
#include "sandbox/init/protocol.h"

namespace rehearse::sandbox {

Result<void> refuse_nested() {
  const auto name = sys::read_file("/proc/1/comm", 64);
  if (!name || *name != std::string(kInitName) + '\n') return {};
  return fail("this is a rehearsal already: there is none inside of another", ExitCode::kUnavailable,
              "rehearse the whole command, or run what it calls without rehearse");
}

}  // namespace rehearse::sandbox
