// D-Bus messages: whatever the bytes, a message is read whole or refused, and what was read can be written
// and read again.
#include "fuzz.h"
#include "units/dbus_auth.h"
#include "units/dbus_message.h"

using namespace rehearse;
using namespace rehearse::units;

namespace {

/// The body again, little-endian.
std::string rewritten(const Message& message) {
  DbusReader reader = message.reader();
  DbusWriter out;
  while (!reader.next_type().empty()) reader.copy(out);
  FUZZ_REQUIRE(reader.done());
  return out.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size >= kMessagePrefix) {
    const auto length = message_size(bytes, size);
    FUZZ_REQUIRE(!length || *length <= size);
  }
  if (const auto message = unmarshal(bytes)) {
    Message copy = *message;
    copy.body = rewritten(*message);
    copy.order = ByteOrder::kLittle;
    const auto again = unmarshal(marshal(copy));
    FUZZ_REQUIRE(again);
    FUZZ_REQUIRE(again->body == copy.body && rewritten(*again) == copy.body);
    FUZZ_REQUIRE(again->path == message->path && again->member == message->member);
    FUZZ_REQUIRE(again->signature == message->signature && again->serial == message->serial);
  }
  std::string input(bytes);
  (void)accept_handshake(input);
  return 0;
}
