// What a client's first bytes say about whom it wants to talk to: the server name of TLS, the host of HTTP in
// the clear. Read without being a party to the connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gate/client_hello.h"
#include "gate/http_message.h"

namespace rehearse::gate {

/// Holds at most a hello or the head of a request (client_hello.h, http_message.h). Not thread safe.
class FirstBytes {
 public:
  enum class State : std::uint8_t {
    kNeedMore,
    kTls,    ///< sni()
    kHttp,   ///< host(), path()
    kOther,  ///< neither of the two
    kBroken  ///< began as one of the two and did not go on so
  };

  /// The next bytes, in pieces of any size; ignored once the state is another than kNeedMore.
  State feed(std::string_view bytes);
  /// The client sends no more.
  State end();
  [[nodiscard]] State state() const { return state_; }

  [[nodiscard]] const std::string& sni() const { return hello_.hello().server_name; }
  /// Without the port, as it was sent. Of a target that names a host, that one: it is what counts (RFC 9112
  /// 3.2.2).
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void feed_http(std::string_view bytes);
  void take_request();

  State state_ = State::kNeedMore;
  ClientHelloParser hello_;
  HttpParser request_{HttpParser::Kind::kRequest};
  std::string line_;  ///< the beginning, until it is clear whether it is HTTP
  std::string host_;
  std::string path_;
};

/// The name as rules have it: lower case, no dot at the end.
std::string plain_host(std::string_view host);

}  // namespace rehearse::gate
