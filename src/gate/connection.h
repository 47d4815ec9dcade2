// A TCP connection that the gate took: logged once, when it has ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gate/engine_context.h"
#include "gate/stream_socket.h"

namespace rehearse::gate {

class Connection : protected StreamSocket::Owner, protected Timer {
 public:
  Connection(EngineContext& context, ConnectionRecord record)
      : context_(context), client_(context.loop, *this), record_(std::move(record)) {}
  ~Connection() override = default;

  /// Once, with the client's socket.
  virtual void begin(UniqueFd client) = 0;
  /// Ends it now, with a RST.
  void abort(std::string_view why);

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const ConnectionRecord& record() const { return record_; }
  /// For the owner of all connections.
  std::size_t place = 0;

 protected:
  /// Both sides have said all there was to say.
  void end();
  /// As abort(): the gate does not let through what the client wants. If something was let through before,
  /// that and the refusal are two records of the log.
  void refuse(std::string_view why) { refuse(why, record_.http_host, record_.http_path); }
  /// The same for a request: the refusal's record names it, and the other what went through.
  void refuse(std::string_view why, std::string http_host, std::string http_path);
  /// Sockets and timers have gone; before the log is written.
  virtual void on_end(bool with_reset) = 0;

  void keep(Exchange exchange) { keep_exchange(context_, record_, std::move(exchange)); }
  /// Something moved: the idle time begins anew.
  void touch() { last_ns_ = context_.loop.now(); }
  [[nodiscard]] std::int64_t last_ns() const { return last_ns_; }

  EngineContext& context_;
  StreamSocket client_;
  ConnectionRecord record_;

 private:
  void finish(bool with_reset);

  std::int64_t last_ns_ = 0;
  bool ended_ = false;
};

}  // namespace rehearse::gate
