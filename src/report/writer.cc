#include "report/writer.h"

#include <unistd.h>

#include <cerrno>

#include "base/report_room.h"
#include "base/sys.h"

namespace rehearse::report {

Error standard_output_error(int err) {
  const char* fix = err == EBADF ? "it is closed: give it a file, a pipe or /dev/null"
                                 : "what it did take is not whole: say it again to where there is room";
  return fail_errno(err, "cannot write to standard output", ExitCode::kFailure, fix).value();
}

void Writer::spill() {
  if (status_) status_ = sys::write_all(fd_, buffer_);
  if (!status_ && is_no_space(status_.error().err)) {
    status_.error().exit = ExitCode::kCantCreate;
    status_.error().fix = "free some space there, or write to another filesystem";
  }
  if (!status_ && fd_ == STDOUT_FILENO)
    status_ = tl::make_unexpected(standard_output_error(status_.error().err));
  buffer_.clear();
}

Result<void> Writer::flush() {
  if (fd_ >= 0) spill();
  return status_;
}

}  // namespace rehearse::report
