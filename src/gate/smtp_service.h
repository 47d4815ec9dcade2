// An SMTP server that accepts every mail and delivers none (RFC 5321; SIZE of RFC 1870, PIPELINING of RFC
// 2920, 8BITMIME of RFC 6152, ENHANCEDSTATUSCODES of RFC 2034). Each mail is noted as an exchange: the first
// kMostKept bytes of its text, dots unstuffed, line ends as sent. No TLS of its own, no authentication.
#pragma once

#include "gate/outbox.h"
#include "gate/service.h"

namespace rehearse::gate {

class SmtpService final : public Service {
 public:
  /// The mock outlives the service.
  explicit SmtpService(const SmtpMock& mock) : mock_(mock) {}

  void on_open(Wire& wire) override;
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;

 private:
  enum class State : std::uint8_t { kCommand, kText, kClosing };

  std::size_t take_line(std::string_view bytes, Wire& wire);
  std::size_t take_text(std::string_view bytes, Wire& wire);
  void take_command(Wire& wire);
  void greet(std::string_view verb, std::string_view host);
  void begin_mail(std::string_view arguments, Wire& wire);
  void add_recipient(std::string_view arguments, Wire& wire);
  void begin_text(Wire& wire);
  void decline(std::string_view answer, Wire& wire);
  void end_mail(Wire& wire);
  void refuse(std::string_view answer, std::string remark, Wire& wire);
  void note_mail(Outcome outcome, std::string remark, std::string_view answer, Wire& wire);
  void reply(std::string_view line);
  void settle(Wire& wire);

  const SmtpMock& mock_;
  State state_ = State::kCommand;
  Outbox out_;
  std::string line_;  ///< of a command; at most kLongestLine
  std::string host_;  ///< what the client called itself; empty before EHLO or HELO
  unsigned refused_ = 0;
  Part mail_;  ///< its head is empty before MAIL
  bool has_recipient_ = false;
  bool line_start_ = true;  ///< of the text: the next byte begins a line
  std::string dot_;         ///< of the text: the beginning of what may be the last line
  bool ended_ = false;      ///< the client sends no more
  bool finished_ = false;   ///< the wire was told to finish
};

}  // namespace rehearse::gate
