// A client that the input directs: it sends pieces, reads as it likes, lets time pass, and goes away.
#pragma once

#include <memory>
#include <string>

#include "../unit/gate/fake_wire.h"
#include "fuzz.h"

namespace rehearse::fuzz {

/// What must hold of an exchange wherever it comes from.
inline void check_exchange(const gate::Exchange& exchange) {
  for (const gate::Part* part : {&exchange.request, &exchange.reply}) {
    FUZZ_REQUIRE(part->body.size() <= gate::kMostKept && part->body.size() <= part->body_bytes);
    FUZZ_REQUIRE(part->head.size() <= 65536 && part->headers.size() <= 256);
  }
  FUZZ_REQUIRE(exchange.remark.size() <= 4096);
}

/// Runs a connection. The first byte of each step says what is done, `text` what is sent.
inline void converse(Bytes& in, std::unique_ptr<gate::Service> service) {
  gate::FakeClient client(std::move(service));
  while (!in.empty()) {
    switch (in.below(8)) {
      case 0:
        client.pass_time();
        break;
      case 1:
        client.read(in.byte());
        break;
      case 2:
        client.wire.room = std::min<std::size_t>(client.wire.room, in.byte());
        break;
      case 3:
        client.read(SIZE_MAX);
        break;
      default:
        client.send(in.view());
    }
    // With room and nothing to wait for, everything is taken.
    if (client.unread() > 0) {
      const bool full = client.wire.room == 0;
      FUZZ_REQUIRE(full || client.wire.wake_ns > 0 || client.wire.resets > 0);
    }
    FUZZ_REQUIRE(client.wire.finishes <= 1 && client.wire.resets <= 1);
  }
  client.end();
  // However long it takes, a client that reads and waits sees the end.
  for (int i = 0; i < 10000 && client.wire.finishes + client.wire.resets == 0; ++i) {
    client.read(SIZE_MAX);
    client.pass_time();
  }
  FUZZ_REQUIRE(client.wire.finishes + client.wire.resets > 0);
  for (const gate::Exchange& exchange : client.wire.notes) check_exchange(exchange);
}

}  // namespace rehearse::fuzz
