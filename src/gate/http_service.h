// An HTTP/1.1 server that answers as a mock's routes say (RFC 9110, RFC 9112): keep-alive, pipelining, bodies
// of a known size or in chunks, Expect: 100-continue, HEAD. A request that no route matches is answered with
// 501 and noted as unmatched; what is no HTTP with 400 or another status that fits, noted, and the connection
// is closed.
//
// Replies carry no Date, so that equal requests have equal replies.
#pragma once

#include "gate/http_message.h"
#include "gate/outbox.h"
#include "gate/service.h"

namespace rehearse::gate {

/// An answer to one request.
struct HttpReply {
  std::uint16_t status = 200;
  std::vector<Header> headers;
  std::string_view body;  ///< stays where it is until it is sent
  std::string text;       ///< the body if it is the reply's own
  /// What Content-Length says in place of the body's length; nothing is said if it is empty.
  std::optional<std::string> length;
  /// "HTTP/1.0 200 Fine", in place of the line that the status would have.
  std::string start_line;
  bool closes = false;  ///< the connection ends behind it, also if the request keeps it alive
  std::int64_t latency_ns = 0;
  Fault fault = Fault::kNone;
  Outcome outcome = Outcome::kServed;
  std::string remark;
};

/// The protocol, whoever knows the answers.
class HttpService : public Service {
 public:
  std::size_t on_bytes(std::string_view bytes, Wire& wire) final;
  void on_end(Wire& wire) final;
  void on_writable(Wire& wire) final;
  void on_timer(Wire& wire) final;
  void on_gone(Wire& wire) final;

 protected:
  /// The answer to a whole request, whose body may be cut.
  virtual HttpReply answer(const HttpMessage& request) = 0;

 private:
  enum class State : std::uint8_t {
    kReading,
    kWaiting,  ///< for the reply's time to come
    kSilent,   ///< no answer ever comes
    kClosing,  ///< nothing more is answered
  };

  void take_message(Wire& wire);
  void ask_for_body(Wire& wire);
  void send_reply(HttpReply reply, Wire& wire);
  void write_reply(const HttpReply& reply, const Part& head);
  [[nodiscard]] std::vector<Header> headers_of(const HttpReply& reply, bool keep) const;
  void settle(Wire& wire);

  HttpParser parser_{HttpParser::Kind::kRequest, HttpParser::Bodies::kDigested};
  Outbox out_;
  State state_ = State::kReading;
  HttpReply pending_;       ///< in kWaiting
  bool continued_ = false;  ///< 100 Continue was sent for this request
  bool ended_ = false;      ///< the client sends no more
  bool finished_ = false;   ///< the wire was told to finish
};

/// Answers from a mock's routes.
class HttpMockService final : public HttpService {
 public:
  explicit HttpMockService(const HttpMock& mock) : mock_(mock) {}

 private:
  HttpReply answer(const HttpMessage& request) override;

  const HttpMock& mock_;
};

bool route_matches(const HttpRoute& route, const HttpMessage& request);

/// What a request gets that nobody has an answer for: 501 and the remark as its text.
HttpReply no_answer(Outcome outcome, std::string remark);

}  // namespace rehearse::gate
