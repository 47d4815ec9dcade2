// What a service has yet to send: small texts of its own and one large one that belongs to a mock.
#pragma once

#include <string>
#include <string_view>

#include "gate/service.h"

namespace rehearse::gate {

class Outbox {
 public:
  /// Adds a text behind everything else. The bytes of an answer's `body` may follow by reference.
  void add(std::string_view text);
  /// Adds bytes that stay where they are until they are sent. At most one such text is under way: the caller
  /// sends no other answer until the box is empty.
  void add_reference(std::string_view bytes) { large_ = bytes; }
  [[nodiscard]] bool empty() const { return small_.empty() && large_.empty(); }
  /// Sends what the wire takes. True if nothing is left.
  bool flush(Wire& wire);

 private:
  std::string small_;  ///< goes before large_
  std::string_view large_;
};

}  // namespace rehearse::gate
