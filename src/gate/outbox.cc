#include "gate/outbox.h"

namespace rehearse::gate {

void Outbox::add(std::string_view text) {
  small_ += text;
}

bool Outbox::flush(Wire& wire) {
  while (!small_.empty()) {
    const std::size_t sent = wire.send(small_);
    if (sent == 0) return false;
    small_.erase(0, sent);
  }
  while (!large_.empty()) {
    const std::size_t sent = wire.send(large_);
    if (sent == 0) return false;
    large_.remove_prefix(sent);
  }
  return true;
}

}  // namespace rehearse::gate
