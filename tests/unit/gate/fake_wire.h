// A connection without a socket: what the gate does around a service, one byte buffer each way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gate/service.h"

namespace rehearse::gate {

class FakeWire final : public Wire {
 public:
  std::size_t send(std::string_view bytes) override {
    const std::string_view taken = bytes.substr(0, room);
    room -= taken.size();
    sent += taken;
    return taken.size();
  }
  void finish() override { ++finishes; }
  void reset() override { ++resets; }
  void wake_after(std::int64_t ns) override { wake_ns = ns; }
  void note(Exchange exchange) override { notes.push_back(std::move(exchange)); }

  std::size_t room = SIZE_MAX;  ///< for bytes to the client
  std::string sent;
  std::int64_t wake_ns = 0;  ///< 0: not asked for
  int finishes = 0;
  int resets = 0;
  std::vector<Exchange> notes;
};

/// A client of one service.
class FakeClient {
 public:
  explicit FakeClient(std::unique_ptr<Service> service) : service_(std::move(service)) {
    service_->on_open(wire);
  }

  void send(std::string_view bytes) {
    unread_ += bytes;
    offer();
  }
  /// In pieces of so many bytes, as a slow network delivers them.
  void send_slowly(std::string_view bytes, std::size_t piece) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) send(bytes.substr(0, piece));
  }
  /// The client has read: there is room for so many bytes more.
  void read(std::size_t bytes) {
    wire.room = bytes;
    if (wire.resets == 0) service_->on_writable(wire);
    offer();
  }
  void pass_time() {
    if (std::exchange(wire.wake_ns, 0) > 0 && wire.resets == 0) service_->on_timer(wire);
    offer();
  }
  void end() {
    ended_ = true;
    offer();
  }
  /// The connection is over at once: a reset, or the run's end.
  void vanish() { service_->on_gone(wire); }
  [[nodiscard]] std::size_t unread() const { return unread_.size(); }
  /// What was sent since the last call.
  std::string received() { return std::exchange(wire.sent, {}); }

  FakeWire wire;

 private:
  void offer() {
    while (!unread_.empty() && wire.resets == 0) {
      const std::size_t taken = service_->on_bytes(unread_, wire);
      unread_.erase(0, taken);
      if (taken == 0) return;
    }
    if (unread_.empty() && wire.resets == 0 && std::exchange(ended_, false)) service_->on_end(wire);
  }

  std::unique_ptr<Service> service_;
  std::string unread_;
  bool ended_ = false;
};

}  // namespace rehearse::gate
