#include "rehearsal/input_again.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/units.h"

namespace rehearse {

Result<InputAgain> InputAgain::create(int in) {
  InputAgain input;
  input.in_ = in;
  struct stat st = {};
  if (::fstat(in, &st) != 0) return input;  // closed: the action reads end of file
  if (S_ISREG(st.st_mode)) {
    if (const off_t at = ::lseek(in, 0, SEEK_CUR); at >= 0) input.begun_at_ = at;
  } else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
    RH_TRY(input.copy_, sys::memfd("rehearse-input", 0));
  }
  return input;
}

Result<void> InputAgain::rewind(bool cut) const {
  if (cut)
    return fail("standard input: what was read of it before the attempt to write, more than " +
                    format_bytes(sandbox::Streams().kept_limit) + ", cannot be read again",
                ExitCode::kUsage, "give it as a file, or leave --read-only out");
  if (begun_at_ && ::lseek(in_, *begun_at_, SEEK_SET) < 0) return sys::last_error("lseek", "standard input");
  if (copy_.valid() && ::lseek(copy_.get(), 0, SEEK_SET) < 0) return sys::last_error("lseek", "its copy");
  return {};
}

}  // namespace rehearse
