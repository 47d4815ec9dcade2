#include "report/writer.h"

#include "base/sys.h"

namespace rehearse::report {

void Writer::spill() {
  if (status_) status_ = sys::write_all(fd_, buffer_);
  buffer_.clear();
}

Result<void> Writer::flush() {
  if (fd_ >= 0) spill();
  return status_;
}

}  // namespace rehearse::report
