// Answers as recorded. What is asked otherwise than it was recorded is noted as diverged: an HTTP request
// with another body, or more often than recorded, gets the recorded reply; one that was not recorded, or
// whose connection became something else behind the reply, gets 501; a reply that was recorded without its
// end has none again; in a stream the connection is reset where the client's bytes differ; a mail is taken in
// any case.
//
// Connections to one destination take the recorded conversations of a stream in their order.
#pragma once

#include "gate/http_service.h"
#include "gate/recording.h"
#include "gate/smtp_service.h"

namespace rehearse::gate {

class HttpReplayService final : public HttpService {
 public:
  explicit HttpReplayService(Recording& recording) : recording_(recording) {}

 private:
  HttpReply answer(const HttpMessage& request) override;

  Recording& recording_;
};

class StreamReplayService final : public Service {
 public:
  explicit StreamReplayService(Recording& recording) : turns_(recording.next_conversation()) {}

  void on_open(Wire& wire) override;
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;

 private:
  void advance(Wire& wire);
  void diverge(std::string remark, std::string_view bytes, Wire& wire);
  [[nodiscard]] bool at_end() const { return turn_ == turns_->size(); }

  const std::vector<Exchange>* turns_;  ///< nullptr: there was no such connection
  std::size_t turn_ = 0;
  std::size_t matched_ = 0;  ///< bytes of the turn's request that came
  Outbox out_;
  bool ended_ = false;  ///< the client sends no more
  bool diverged_ = false;
  bool finished_ = false;
};

class SmtpReplayService final : public Service {
 public:
  explicit SmtpReplayService(Recording& recording) : recording_(recording) {}

  void on_open(Wire& wire) override;
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;

 private:
  Recording& recording_;
  SmtpMock mock_;
  SmtpService sink_{mock_};
};

}  // namespace rehearse::gate
