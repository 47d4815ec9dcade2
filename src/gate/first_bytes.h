// What a client's first bytes say about whom it wants to talk to: the server name of TLS, the host of HTTP in
// the clear. Read without being a party to the connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gate/client_hello.h"
#include "gate/http_message.h"
#include "gate/request_guess.h"

namespace rehearse::gate {

/// Whom a request of HTTP is for. Of a target that names a host, that one: it is what counts (RFC
/// 9112 3.2.2), though not with every server.
struct RequestAim {
  std::string host;        ///< without the port, as it was sent; empty if it names none
  std::string other_host;  ///< the header's, if the target names a host
  std::string path;
};
RequestAim aim_of(const HttpMessage& request);
RequestAim aim_of(std::string_view method, std::string_view target, const std::vector<Header>& headers);

/// Holds at most a hello, the beginning or the head of a request (client_hello.h, request_guess.h,
/// http_message.h). Not thread safe.
class FirstBytes {
 public:
  enum class State : std::uint8_t {
    kNeedMore,
    kTls,    ///< sni()
    kHttp,   ///< request()
    kOther,  ///< neither of the two
    kBroken  ///< one of the two, or what servers might take for it, and it cannot be read
  };

  /// The next bytes, in pieces of any size; ignored once the state is another than kNeedMore.
  State feed(std::string_view bytes);
  /// The client sends no more.
  State end();
  [[nodiscard]] State state() const { return state_; }
  /// What has come looks like the beginning of one of the two: the rest may be waited for.
  [[nodiscard]] bool expects_more() const {
    return state_ == State::kNeedMore &&
           (request_.begun() || guess_.state() == RequestGuess::State::kUnclear);
  }
  /// What has come is no TLS, and no whole first line of a request.
  [[nodiscard]] bool before_request() const {
    return hello_.state() == ClientHelloParser::State::kNotTls && !request_.begun();
  }

  [[nodiscard]] const std::string& sni() const { return hello_.hello().server_name; }
  [[nodiscard]] const RequestAim& request() const { return aim_; }

 private:
  void feed_http(std::string_view bytes);

  State state_ = State::kNeedMore;
  ClientHelloParser hello_;
  HttpParser request_{HttpParser::Kind::kRequest};
  RequestGuess guess_;  ///< until it is clear whether it is HTTP
  RequestAim aim_;
};

/// The name as rules have it: lower case, no dot at the end.
std::string plain_host(std::string_view host);

}  // namespace rehearse::gate
