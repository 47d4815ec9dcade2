// Listens to a passed connection and makes exchanges of it: of HTTP in the clear one a request, of anything
// else one a turn (what the client sent until the server spoke, what the server sent until the client spoke).
// Sees only what crosses the gate: of TLS that the gate does not end, the encrypted bytes.
#pragma once

#include <deque>
#include <functional>
#include <string_view>

#include "gate/exchange.h"
#include "gate/http_message.h"

namespace rehearse::gate {

class Recorder {
 public:
  using Sink = std::function<void(Exchange)>;

  explicit Recorder(Sink sink) : sink_(std::move(sink)) {}

  void from_client(std::string_view bytes);
  void from_server(std::string_view bytes);
  /// The client sends no more.
  void client_ended();
  /// The request that has begun is refused: it is no exchange.
  void forget_begun();
  /// Neither side sends any more; hands over what is not complete, too.
  void end();

 private:
  enum class Protocol : std::uint8_t { kUnknown, kHttp, kStream };

  void stream_from_client(std::string_view bytes);
  void stream_from_server(std::string_view bytes);
  void end_turn();
  void take_request();
  void take_reply();
  void take_early_reply();
  void take_requests(std::string_view bytes);
  void hand_over(Part request, Part reply, std::string remark, Ending ending = Ending::kWhole);
  void become_stream(std::string_view why);

  Sink sink_;
  Protocol protocol_ = Protocol::kUnknown;
  Part sent_;      ///< of the stream's turn; before the protocol is known all that came
  Part answered_;  ///< of the stream's turn
  bool client_ended_ = false;
  HttpParser requests_{HttpParser::Kind::kRequest, HttpParser::Bodies::kDigested};
  HttpParser replies_{HttpParser::Kind::kReply};
  std::deque<Part> waiting_;  ///< requests that were not answered yet; at most kMostWaiting
};

}  // namespace rehearse::gate
