#include "report/writer.h"

#include <unistd.h>

#include <cerrno>

#include "base/sys.h"

namespace rehearse::report {

Error standard_output_error(int err) {
  const char* fix = err == EBADF ? "it is closed: give it a file, a pipe or /dev/null"
                                 : "what it did take is not whole: say it again to where there is room";
  return fail_errno(err, "cannot write to standard output", ExitCode::kFailure, fix).value();
}

void Writer::spill() {
  if (status_) status_ = sys::write_all(fd_, buffer_);
  // What is made by -o and its like is not the state directory's.
  if (!status_ && (status_.error().err == ENOSPC || status_.error().err == EDQUOT))
    status_.error().fix = "write it to where there is room";
  if (!status_ && fd_ == STDOUT_FILENO)
    status_ = tl::make_unexpected(standard_output_error(status_.error().err));
  buffer_.clear();
}

Result<void> Writer::flush() {
  if (fd_ >= 0) spill();
  return status_;
}

}  // namespace rehearse::report
