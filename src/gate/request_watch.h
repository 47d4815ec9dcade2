// The requests of HTTP/1 that a client sends on one connection, one after the other: whom each is for.
#pragma once

#include <string_view>
#include <vector>

#include "gate/first_bytes.h"
#include "gate/http_message.h"

namespace rehearse::gate {

/// Holds at most the head of a request and what HttpParser keeps of a body. Not thread safe.
class RequestWatch {
 public:
  /// The requests whose heads are whole with these bytes.
  std::vector<RequestAim> from_client(std::string_view bytes);
  /// True if the server makes something else of the connection: a tunnel, a WebSocket.
  [[nodiscard]] bool switches(std::string_view from_server) const;

  /// A request has begun, and whom it is for is not known yet.
  [[nodiscard]] bool undecided() const {
    return parser_.state() == HttpParser::State::kHead && parser_.begun();
  }
  /// What came is no HTTP; what follows cannot be read.
  [[nodiscard]] bool broken() const { return parser_.state() == HttpParser::State::kBroken; }

 private:
  HttpParser parser_{HttpParser::Kind::kRequest};
  bool told_ = false;     ///< of the request that is being read
  bool upgrade_ = false;  ///< one has asked for another protocol
  bool connect_ = false;  ///< or for a tunnel
};

}  // namespace rehearse::gate
