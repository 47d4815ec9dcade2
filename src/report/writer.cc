#include "report/writer.h"

#include "base/report_room.h"
#include "base/sys.h"

namespace rehearse::report {

void Writer::spill() {
  if (status_) status_ = sys::write_all(fd_, buffer_);
  if (!status_ && is_no_space(status_.error().err)) {
    status_.error().exit = ExitCode::kCantCreate;
    status_.error().fix = "free some space there, or write to another filesystem";
  }
  buffer_.clear();
}

Result<void> Writer::flush() {
  if (fd_ >= 0) spill();
  return status_;
}

}  // namespace rehearse::report
