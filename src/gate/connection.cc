#include "gate/connection.h"

namespace rehearse::gate {

void Connection::abort(std::string_view why) {
  if (ended_) return;
  if (record_.error.empty()) record_.error = why;
  finish(true);
}

void Connection::end() {
  if (!ended_) finish(false);
}

void Connection::finish(bool with_reset) {
  ended_ = true;
  context_.loop.timers().cancel(*this);
  on_end(with_reset);
  if (with_reset) {
    client_.reset();
  } else {
    client_.close();
  }
  record_.ended_ns = context_.loop.now();
  context_.log.write(record_);
  context_.ended.push_back(this);
}

}  // namespace rehearse::gate
