#include "gate/recorder.h"

#include <utility>

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostWaiting = 64;

bool is_head(const Part& request) {
  return request.head.starts_with("HEAD ");
}

/// The connection becomes something else behind this reply: a tunnel, a WebSocket.
bool switches(const Part& request, const HttpMessage& reply) {
  return reply.status == 101 || (request.head.starts_with("CONNECT ") && reply.status / 100 == 2);
}

}  // namespace

void Recorder::from_client(std::string_view bytes) {
  if (protocol_ == Protocol::kStream) return stream_from_client(bytes);
  if (protocol_ == Protocol::kUnknown) sent_.append(bytes);
  take_requests(bytes);
}

void Recorder::take_requests(std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(requests_.feed(bytes));
    if (requests_.state() == HttpParser::State::kBroken) {
      if (protocol_ == Protocol::kUnknown) {
        protocol_ = Protocol::kStream;
        return;
      }
      become_stream("the client no longer speaks HTTP");
      return stream_from_client(bytes);
    }
    if (requests_.state() != HttpParser::State::kHead && protocol_ == Protocol::kUnknown) {
      protocol_ = Protocol::kHttp;
      sent_ = {};
    }
    if (requests_.state() == HttpParser::State::kComplete) take_request();
  }
}

void Recorder::take_request() {
  if (waiting_.size() == kMostWaiting) {
    hand_over(std::move(waiting_.front()), {}, "more requests are under way than the recording follows",
              Ending::kNone);
    waiting_.pop_front();
  }
  waiting_.push_back(requests_.part());
  requests_.restart();
  if (waiting_.size() == 1 && is_head(waiting_.front())) replies_.expect_no_body();
}

void Recorder::from_server(std::string_view bytes) {
  // Who speaks first is no HTTP server.
  if (protocol_ == Protocol::kUnknown) protocol_ = Protocol::kStream;
  while (!bytes.empty()) {
    if (protocol_ == Protocol::kStream) return stream_from_server(bytes);
    bytes.remove_prefix(replies_.feed(bytes));
    if (replies_.state() == HttpParser::State::kBroken) become_stream("the server no longer speaks HTTP");
    if (replies_.state() == HttpParser::State::kComplete) take_reply();
  }
}

void Recorder::take_reply() {
  const HttpMessage& message = replies_.message();
  const bool interim = message.status / 100 == 1 && message.status != 101;
  if (!interim && waiting_.empty()) return take_early_reply();
  bool switched = false;
  if (!interim) {
    switched = switches(waiting_.front(), message);
    hand_over(std::move(waiting_.front()), replies_.part(), {});
    waiting_.pop_front();
  }
  replies_.restart();
  if (!waiting_.empty() && is_head(waiting_.front())) replies_.expect_no_body();
  if (switched) become_stream({});
}

/// The server answered before the request was whole: where the next one begins is not known.
void Recorder::take_early_reply() {
  hand_over(requests_.part(), replies_.part(), "answered before the request was whole");
  requests_.restart();
  replies_.restart();
  protocol_ = Protocol::kStream;
}

void Recorder::hand_over(Part request, Part reply, std::string remark, Ending ending) {
  sink_({ExchangeKind::kHttp, Outcome::kPassed, std::move(remark), std::move(request), std::move(reply),
         ending});
}

/// Hands over what HTTP has left, and listens on as to any protocol.
void Recorder::become_stream(std::string_view why) {
  protocol_ = Protocol::kStream;
  if (replies_.begun()) {
    Part request;
    if (!waiting_.empty()) {
      request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    hand_over(std::move(request), replies_.part(), std::string(why), Ending::kCut);
  }
  for (Part& request : waiting_) hand_over(std::move(request), {}, std::string(why), Ending::kNone);
  waiting_.clear();
  if (requests_.begun()) hand_over(requests_.part(), {}, std::string(why), Ending::kNone);
}

void Recorder::stream_from_client(std::string_view bytes) {
  if (answered_.body_bytes > 0) end_turn();
  sent_.append(bytes);
}

void Recorder::stream_from_server(std::string_view bytes) {
  answered_.append(bytes);
}

void Recorder::end_turn() {
  if (sent_.body_bytes + answered_.body_bytes == 0) return;
  Exchange turn;
  turn.outcome = Outcome::kPassed;
  turn.after_end = client_ended_ && answered_.body_bytes > 0;
  turn.request = std::exchange(sent_, {});
  turn.reply = std::exchange(answered_, {});
  sink_(std::move(turn));
}

/// What was said before is a turn of its own: the server may have waited for the end.
void Recorder::client_ended() {
  if (protocol_ == Protocol::kStream && answered_.body_bytes > 0) end_turn();
  client_ended_ = true;
}

void Recorder::forget_begun() {
  if (protocol_ == Protocol::kUnknown) sent_ = {};
  if (protocol_ != Protocol::kStream && requests_.state() == HttpParser::State::kHead) requests_.restart();
}

void Recorder::end() {
  if (protocol_ == Protocol::kHttp) {
    replies_.end();
    if (replies_.state() == HttpParser::State::kComplete) take_reply();
    become_stream("the connection ended before the exchange did");
  }
  end_turn();
}

}  // namespace rehearse::gate
