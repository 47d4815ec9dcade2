#include "gate/connection.h"

#include <utility>

namespace rehearse::gate {

void Connection::abort(std::string_view why) {
  if (ended_) return;
  if (record_.error.empty()) record_.error = why;
  finish(true);
}

void Connection::refuse(std::string_view why, std::string http_host, std::string http_path) {
  if (ended_) return;
  ConnectionRecord refused = record_;
  refused.verdict = GateVerdict::kDenied;
  refused.error = why;
  refused.http_host = std::move(http_host);
  refused.http_path = std::move(http_path);
  if (record_.bytes_out + record_.bytes_in == 0) {
    record_ = std::move(refused);
    return finish(true);
  }
  refused.id = ++context_.connections;
  refused.refused_in = record_.id;
  refused.bytes_out = refused.bytes_in = 0;
  refused.begun_ns = refused.ended_ns = context_.loop.now();
  context_.log.write(refused);
  abort(why);
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
