#include "gate/replay_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/ascii.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kMostQuoted = 200;

/// Headers that say how a message is framed: the service writes its own.
constexpr std::string_view kFraming[] = {"content-length", "transfer-encoding", "connection", "keep-alive"};

bool is_framing(const Header& header) {
  return std::ranges::any_of(kFraming,
                             [&](std::string_view name) { return equal_ignoring_case(header.name, name); });
}

std::string remark_of(Fit fit) {
  switch (fit) {
    case Fit::kNone:
      return "not recorded";
    case Fit::kExact:
      return {};
    case Fit::kBody:
      return "recorded with another body";
    case Fit::kRepeat:
      return "asked more often than recorded";
  }
  return {};
}

/// The status of a recorded head, "HTTP/1.1 200 OK"; 0 if the file has something else there.
std::uint16_t status_of(std::string_view head) {
  const std::size_t blank = std::min(head.find(' '), head.size());
  std::uint16_t status = 0;
  const std::string_view number = head.substr(std::min(blank + 1, head.size()), 3);
  std::from_chars(number.data(), number.data() + number.size(), status);
  return status >= 100 && status <= 999 ? status : std::uint16_t{0};
}

/// As a server says it: with its own version and words.
bool is_start_line(std::string_view head) {
  return (head.starts_with("HTTP/1.0 ") || head.starts_with("HTTP/1.1 ")) && is_http_value(head);
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_ascii_digit);
}

/// The connection becomes something else behind this reply: a tunnel, a WebSocket.
bool switches(const HttpMessage& request, std::uint16_t status) {
  return (status >= 100 && status < 200) || (request.method == "CONNECT" && status / 100 == 2);
}

/// What the reply's Content-Length was, "" if it had none.
std::string length_of(const Part& recorded) {
  const auto header = std::ranges::find_if(recorded.headers, [](const Header& each) {
    return equal_ignoring_case(each.name, "content-length") && is_number(each.value);
  });
  return header == recorded.headers.end() ? std::string() : header->value;
}

/// Whether the server ended the connection behind the reply (RFC 9112 9.3).
bool closed_behind(const Part& recorded) {
  HttpMessage reply;
  reply.headers = recorded.headers;
  reply.minor = recorded.head.starts_with("HTTP/1.0 ") ? 0 : 1;
  return !reply.keeps_alive();
}

/// A recording may have been edited: nothing in it may end a header early.
bool is_sendable(const Header& header) {
  return is_http_token(header.name) && is_http_value(header.value);
}

/// Passes on what a sink does, but judges its mails by a recording.
class JudgingWire final : public Wire {
 public:
  JudgingWire(Wire& wire, Recording& recording) : wire_(wire), recording_(recording) {}

  std::size_t send(std::string_view bytes) override { return wire_.send(bytes); }
  void finish() override { wire_.finish(); }
  void reset() override { wire_.reset(); }
  void wake_after(std::int64_t ns) override { wire_.wake_after(ns); }
  void note(Exchange exchange) override {
    // What is refused is a finding here as it was, but it was asked for.
    const Recording::Found found = recording_.find(exchange.request);
    if (exchange.outcome == Outcome::kServed) {
      exchange.outcome = found.fit == Fit::kExact ? Outcome::kReplayed : Outcome::kDiverged;
      exchange.remark = remark_of(found.fit);
      if (found.fit == Fit::kExact && found.exchange->reply.head != exchange.reply.head) {
        exchange.outcome = Outcome::kDiverged;
        exchange.remark = fmt::format("it was answered {}", found.exchange->reply.head);
      }
    }
    wire_.note(std::move(exchange));
  }

 private:
  Wire& wire_;
  Recording& recording_;
};

/// A reply that did not come to its end comes to none again.
void end_as_recorded(const Exchange& recorded, const std::string& length, HttpReply& reply) {
  const auto differs = [&reply](const char* why) {
    reply.outcome = Outcome::kDiverged;
    reply.remark = why;
  };
  switch (recorded.ending) {
    case Ending::kWhole:
      break;
    case Ending::kCut:
      reply.fault = Fault::kTruncate;
      reply.length = length;
      // Without a length the end of the connection is the end of the reply.
      if (length.empty()) differs("its reply was recorded without its end");
      break;
    case Ending::kReset:
      reply.fault = Fault::kReset;
      return;
    case Ending::kSilence:
      reply.fault = Fault::kTimeout;
      return;
    case Ending::kNone:
      break;
  }
  if (reply.status != 0 && recorded.ending != Ending::kNone) return;
  reply.fault = Fault::kReset;
  differs("it was recorded without a reply: the connection is reset");
}

}  // namespace

HttpReply HttpReplayService::answer(const HttpMessage& request) {
  const std::string asked = fmt::format("{} {}", request.method, request.target.substr(0, kMostQuoted));
  Part part{request.start_line, request.headers, request.body, request.body_bytes, request.body_digest};
  const Recording::Found found = recording_.find(std::move(part));
  if (found.exchange == nullptr)
    return no_answer(Outcome::kDiverged, fmt::format("{} was not recorded", asked));
  const Part& recorded = found.exchange->reply;
  if (recorded.cut())
    return no_answer(Outcome::kDiverged,
                     fmt::format("the recording keeps {} of the {} bytes that answered {}",
                                 recorded.text().size(), recorded.body_bytes, asked));
  HttpReply reply;
  reply.status = status_of(recorded.head);
  if (reply.status != 0 && switches(request, reply.status))
    return no_answer(Outcome::kDiverged,
                     fmt::format("what followed {} in answer to {} is not replayed", reply.status, asked));
  if (is_start_line(recorded.head)) reply.start_line = recorded.head;
  reply.closes = closed_behind(recorded);
  for (const Header& header : recorded.headers) {
    if (is_sendable(header) && !is_framing(header)) reply.headers.push_back(header);
  }
  reply.body = recorded.text();
  reply.outcome = found.fit == Fit::kExact ? Outcome::kReplayed : Outcome::kDiverged;
  reply.remark = remark_of(found.fit);
  const std::string length = length_of(recorded);
  if (request.method == "HEAD") reply.length = length;
  end_as_recorded(*found.exchange, length, reply);
  return reply;
}

void StreamReplayService::on_open(Wire& wire) {
  if (turns_ == nullptr) return diverge("there are more connections than recorded", {}, wire);
  advance(wire);
}

/// Sends what the turns answer, up to one that waits for the client, or ends.
void StreamReplayService::advance(Wire& wire) {
  while (!diverged_ && out_.flush(wire) && !at_end()) {
    const Exchange& turn = (*turns_)[turn_];
    if (matched_ < turn.request.body.size()) {
      if (ended_) diverge(fmt::format("the client ended within turn {}", turn_ + 1), {}, wire);
      return;
    }
    if (turn.after_end && !ended_) return;
    if (turn.request.cut() || turn.reply.cut())
      return diverge(fmt::format("turn {} was recorded in part only", turn_ + 1), {}, wire);
    Exchange exchange = turn;
    exchange.outcome = Outcome::kReplayed;
    exchange.remark.clear();
    wire.note(std::move(exchange));
    out_.add_reference(turn.reply.body);
    ++turn_;
    matched_ = 0;
  }
  if (diverged_ || finished_ || !out_.empty()) return;
  finished_ = true;
  wire.finish();
}

std::size_t StreamReplayService::on_bytes(std::string_view bytes, Wire& wire) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !diverged_) {
    if (!out_.empty()) return taken;
    const std::string_view rest = bytes.substr(taken);
    if (at_end()) {
      diverge("the client sends more than recorded", rest, wire);
      break;
    }
    const std::string_view wanted = std::string_view((*turns_)[turn_].request.body).substr(matched_);
    const std::string_view piece = rest.substr(0, wanted.size());
    // One that wants nothing more waits for the client's end.
    if (wanted.empty() || !wanted.starts_with(piece)) {
      diverge(fmt::format("turn {} is not as recorded", turn_ + 1), rest, wire);
      break;
    }
    matched_ += piece.size();
    taken += piece.size();
    advance(wire);
  }
  return diverged_ ? bytes.size() : taken;
}

void StreamReplayService::diverge(std::string remark, std::string_view bytes, Wire& wire) {
  diverged_ = true;
  Exchange exchange;
  exchange.outcome = Outcome::kDiverged;
  exchange.remark = std::move(remark);
  exchange.request.append(bytes);
  wire.note(std::move(exchange));
  wire.reset();
}

void StreamReplayService::on_end(Wire& wire) {
  ended_ = true;
  if (!diverged_) advance(wire);
}

void StreamReplayService::on_writable(Wire& wire) {
  if (!diverged_) advance(wire);
}

void SmtpReplayService::on_open(Wire& wire) {
  JudgingWire judging(wire, recording_);
  sink_.on_open(judging);
}

std::size_t SmtpReplayService::on_bytes(std::string_view bytes, Wire& wire) {
  JudgingWire judging(wire, recording_);
  return sink_.on_bytes(bytes, judging);
}

void SmtpReplayService::on_end(Wire& wire) {
  JudgingWire judging(wire, recording_);
  sink_.on_end(judging);
}

void SmtpReplayService::on_writable(Wire& wire) {
  JudgingWire judging(wire, recording_);
  sink_.on_writable(judging);
}

}  // namespace rehearse::gate
