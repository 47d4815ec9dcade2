// A service on one connection, as a state machine: bytes in, calls of a Wire out. It owns no descriptor and
// no clock and never waits; whoever holds the socket calls it from one thread and does what the Wire is told.
//
// Both sides are bounded by flow control. `on_bytes` says how many bytes it took: the caller keeps the rest,
// stops reading when its buffer is full, and offers it again after the next on_writable or on_timer.
// `Wire::send` says how many bytes it took: the service keeps the rest (a reference into the mock, where it
// can be large) and goes on at on_writable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gate/exchange.h"

namespace rehearse::gate {

class Recording;

/// What a service may do to its connection.
class Wire {
 public:
  virtual ~Wire() = default;
  /// Takes bytes for the client and says how many, 0 if there is no room; then on_writable follows.
  virtual std::size_t send(std::string_view bytes) = 0;
  /// Nothing more is sent; the client sees the end behind the bytes taken so far (shutdown(2), SHUT_WR). What
  /// it still sends goes to the service.
  virtual void finish() = 0;
  /// The connection ends at once with RST (SO_LINGER of 0, socket(7)). Nothing is called any more.
  virtual void reset() = 0;
  /// One on_timer after so long. A call before that replaces it.
  virtual void wake_after(std::int64_t ns) = 0;
  virtual void note(Exchange exchange) = 0;
};

class Service {
 public:
  virtual ~Service() = default;
  /// The connection is there; called once, first.
  virtual void on_open(Wire& /*wire*/) {}
  /// Bytes of the client; says how many it took: at least one unless it waits for on_writable or on_timer.
  /// How long a connection may be idle is the caller's to limit.
  virtual std::size_t on_bytes(std::string_view bytes, Wire& wire) = 0;
  /// The client sends no more (FIN), or the connection broke, and all its bytes were taken.
  virtual void on_end(Wire& wire) = 0;
  virtual void on_writable(Wire& wire) = 0;
  virtual void on_timer(Wire& /*wire*/) {}
  /// The connection has ended, however it did: what is not noted yet can still be, and nothing else be done.
  virtual void on_gone(Wire& /*wire*/) {}
  /// When the connection has ended: how it was used for something else than it is there for, which counts as
  /// denied; empty if it was not.
  [[nodiscard]] virtual std::string misuse() const { return {}; }
};

/// The service that a mock of TCP plays; null for one of UDP. The mock outlives it.
std::unique_ptr<Service> make_service(const MockService& mock);
std::unique_ptr<Service> make_service(MockService&& mock) = delete;
/// A service that answers from a recording, which outlives it and is shared by the run's connections to one
/// destination.
std::unique_ptr<Service> make_replay_service(Recording& recording);

}  // namespace rehearse::gate
