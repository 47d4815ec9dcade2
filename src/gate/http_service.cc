#include "gate/http_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/star_pattern.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostQuoted = 200;

bool has_body(const HttpReply& reply, const HttpMessage& request) {
  return request.method != "HEAD" && reply.status != 204 && reply.status != 304;
}

std::string_view body_of(const HttpReply& reply) {
  return reply.text.empty() ? reply.body : std::string_view(reply.text);
}

}  // namespace

std::size_t HttpService::on_bytes(std::string_view bytes, Wire& wire) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    if (state_ == State::kClosing || state_ == State::kSilent) return bytes.size();
    if (state_ == State::kWaiting || !out_.flush(wire)) return taken;
    taken += parser_.feed(bytes.substr(taken));
    take_message(wire);
  }
  return taken;
}

/// Does what the parser's state asks for.
void HttpService::take_message(Wire& wire) {
  switch (parser_.state()) {
    case HttpParser::State::kHead:
      return;
    case HttpParser::State::kBody:
      return ask_for_body(wire);
    case HttpParser::State::kBroken: {
      HttpReply refusal = no_answer(Outcome::kMalformed, "not HTTP: " + parser_.error().why);
      refusal.status = parser_.error().status;
      return send_reply(std::move(refusal), wire);
    }
    case HttpParser::State::kComplete:
      break;
  }
  HttpReply reply = answer(parser_.message());
  if (reply.latency_ns == 0) return send_reply(std::move(reply), wire);
  state_ = State::kWaiting;
  wire.wake_after(reply.latency_ns);
  pending_ = std::move(reply);
}

void HttpService::ask_for_body(Wire& wire) {
  const HttpMessage& message = parser_.message();
  if (continued_ || message.body_bytes > 0 || message.minor == 0 || !message.lists("expect", "100-continue"))
    return;
  continued_ = true;
  out_.add("HTTP/1.1 100 Continue\r\n\r\n");
  out_.flush(wire);
}

void HttpService::send_reply(HttpReply reply, Wire& wire) {
  const HttpMessage& request = parser_.message();
  const bool broken = parser_.state() == HttpParser::State::kBroken;
  const bool keep = !broken && reply.fault != Fault::kTruncate && !reply.closes && request.keeps_alive();
  if (reply.fault == Fault::kServerError) reply.status = 503;
  state_ = keep ? State::kReading : State::kClosing;

  Exchange exchange{ExchangeKind::kHttp, reply.outcome, std::move(reply.remark), parser_.part(), {}};
  if (reply.fault == Fault::kReset || reply.fault == Fault::kTimeout) {
    exchange.ending = reply.fault == Fault::kReset ? Ending::kReset : Ending::kSilence;
    wire.note(std::move(exchange));
    state_ = reply.fault == Fault::kReset ? State::kClosing : State::kSilent;
    if (reply.fault == Fault::kReset) wire.reset();
    return;
  }
  exchange.reply.head = reply.start_line.empty()
                            ? fmt::format("HTTP/1.1 {} {}", reply.status, reason_phrase(reply.status))
                            : std::move(reply.start_line);
  exchange.reply.headers = headers_of(reply, keep);
  write_reply(reply, exchange.reply);
  if (has_body(reply, request)) exchange.reply.append(body_of(reply));
  if (reply.fault == Fault::kTruncate) exchange.ending = Ending::kCut;
  wire.note(std::move(exchange));

  parser_.restart();
  continued_ = false;
  out_.flush(wire);
  settle(wire);
}

/// The reply's, and those that say how it is framed.
std::vector<Header> HttpService::headers_of(const HttpReply& reply, bool keep) const {
  std::vector<Header> headers = reply.headers;
  const std::string length = reply.length.value_or(std::to_string(body_of(reply).size()));
  if (!length.empty() && reply.status != 204 && reply.status != 304)
    headers.push_back({"Content-Length", length});
  if (!keep) headers.push_back({"Connection", "close"});
  if (keep && parser_.message().minor == 0) headers.push_back({"Connection", "keep-alive"});
  return headers;
}

void HttpService::write_reply(const HttpReply& reply, const Part& head) {
  std::string text = head.head + "\r\n";
  for (const Header& header : head.headers) text += fmt::format("{}: {}\r\n", header.name, header.value);
  out_.add(text + "\r\n");
  if (!has_body(reply, parser_.message())) return;
  if (reply.text.empty()) {
    out_.add_reference(reply.body);
  } else {
    out_.add(reply.text);
  }
}

/// Ends the server's side if there is nothing more to say.
void HttpService::settle(Wire& wire) {
  const bool done =
      state_ == State::kClosing || state_ == State::kSilent || (ended_ && state_ == State::kReading);
  if (finished_ || !done || !out_.empty()) return;
  if (state_ == State::kSilent && !ended_) return;
  finished_ = true;
  state_ = State::kClosing;
  wire.finish();
}

void HttpService::on_end(Wire& wire) {
  ended_ = true;
  if (state_ == State::kReading) {
    parser_.end();
    if (parser_.state() == HttpParser::State::kBroken) return take_message(wire);
  }
  settle(wire);
}

void HttpService::on_writable(Wire& wire) {
  if (out_.flush(wire)) settle(wire);
}

void HttpService::on_timer(Wire& wire) {
  if (state_ != State::kWaiting) return;
  send_reply(std::exchange(pending_, {}), wire);
}

void HttpService::on_gone(Wire& wire) {
  const bool reading = state_ == State::kReading && parser_.begun();
  if (!reading && state_ != State::kWaiting) return;
  const char* const why =
      reading ? "the connection ended within the request" : "it ended before the reply's time";
  Exchange exchange{ExchangeKind::kHttp, Outcome::kUnanswered, why, parser_.part(), {}};
  exchange.ending = Ending::kNone;
  state_ = State::kClosing;
  wire.note(std::move(exchange));
}

bool route_matches(const HttpRoute& route, const HttpMessage& request) {
  // What answers a GET answers a HEAD with the same head (RFC 9110 9.3.2).
  const bool head = request.method == "HEAD" && route.method == "GET";
  if (route.method && *route.method != request.method && !head) return false;
  std::string_view path = target_path(request.target);
  if (route.path.find('?') == std::string::npos) path = path.substr(0, path.find('?'));
  if (!star_matches(route.path, path, Star::kStopsAtSlash)) return false;
  return std::ranges::all_of(route.headers, [&](const Header& wanted) {
    return std::ranges::any_of(request.headers, [&](const Header& header) {
      if (!equal_ignoring_case(header.name, wanted.name)) return false;
      // Names of hosts are the same in any case (RFC 9110 4.2.3).
      const bool host = equal_ignoring_case(header.name, "Host");
      return host ? star_matches(ascii_lower(wanted.value), ascii_lower(header.value), Star::kTakesAll)
                  : star_matches(wanted.value, header.value, Star::kTakesAll);
    });
  });
}

HttpReply no_answer(Outcome outcome, std::string remark) {
  HttpReply reply;
  reply.status = 501;
  reply.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  reply.outcome = outcome;
  reply.text = "rehearse: " + remark + "\n";
  reply.remark = std::move(remark);
  return reply;
}

HttpReply HttpMockService::answer(const HttpMessage& request) {
  const auto route = std::ranges::find_if(
      mock_.routes, [&](const HttpRoute& candidate) { return route_matches(candidate, request); });
  if (route == mock_.routes.end())
    return no_answer(Outcome::kUnmatched, fmt::format("no route of the mock matches {} {}", request.method,
                                                      request.target.substr(0, kMostQuoted)));
  HttpReply reply;
  reply.status = route->status;
  reply.headers = route->reply_headers;
  reply.body = route->body;
  reply.latency_ns = route->latency_ns;
  reply.fault = route->fault;
  if (reply.fault == Fault::kTruncate) {
    reply.length = std::to_string(reply.body.size());
    reply.body = reply.body.substr(0, reply.body.size() / 2);
  }
  return reply;
}

}  // namespace rehearse::gate
