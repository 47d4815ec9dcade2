#include "gate/smtp_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "gate/redaction.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestLine = 2048;  // RFC 5321 asks for 512, its extensions for some more
constexpr std::size_t kMostRecipients = 100;
constexpr unsigned kMostRefused = 20;
constexpr std::size_t kMostQuoted = 200;

std::string_view trim(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with('\r') || text.ends_with('\n')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

/// Takes "FROM:<path>" off the front, whatever the case of the word; the path in its brackets. Empty if it is
/// not there.
std::string_view take_path(std::string_view& arguments, std::string_view word) {
  if (!equal_ignoring_case(arguments.substr(0, word.size()), word)) return {};
  const std::string_view path = trim(arguments.substr(word.size()));
  if (!path.starts_with('<')) return {};
  // RFC 5321 4.1.2: blanks and brackets may stand in a quoted local part.
  bool quoted = false;
  bool escaped = false;
  std::size_t end = 1;
  for (; end < path.size() && (quoted || path[end] != '>'); ++end) {
    const auto c = static_cast<unsigned char>(path[end]);
    if (c < 0x20 || c == 0x7f || (c == ' ' && !quoted)) return {};
    if (c == '"' && !escaped) quoted = !quoted;
    escaped = quoted && c == '\\' && !escaped;
  }
  if (end >= path.size()) return {};
  const std::string_view taken = path.substr(0, end + 1);
  arguments = trim(path.substr(end + 1));
  return taken;
}

/// The next parameter of a command, taken off the front.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text = trim(text.substr(end));
  return word;
}

/// The number of a SIZE parameter; one that is none is larger than any mail.
std::uint64_t announced_size(std::string_view number) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
  return error == std::errc() && end == number.data() + number.size() ? size : UINT64_MAX;
}

}  // namespace

void SmtpService::reply(std::string_view line) {
  out_.add(line);
  out_.add("\r\n");
}

void SmtpService::on_open(Wire& wire) {
  reply(fmt::format("220 {} ESMTP", mock_.name));
  out_.flush(wire);
}

std::size_t SmtpService::on_bytes(std::string_view bytes, Wire& wire) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    if (state_ == State::kClosing) return bytes.size();
    if (!out_.flush(wire)) return taken;
    const std::string_view rest = bytes.substr(taken);
    taken += state_ == State::kText ? take_text(rest, wire) : take_line(rest, wire);
  }
  settle(wire);
  return taken;
}

std::size_t SmtpService::take_line(std::string_view bytes, Wire& wire) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t size = newline == std::string_view::npos ? bytes.size() : newline + 1;
  if (line_.size() + size > kLongestLine) {
    refuse("500 5.5.2 Line too long", "a command is longer than 2 KiB", wire);
    state_ = State::kClosing;
    return size;
  }
  line_ += bytes.substr(0, size);
  if (newline == std::string_view::npos) return size;
  take_command(wire);
  line_.clear();
  return size;
}

void SmtpService::take_command(Wire& wire) {
  std::string_view arguments = trim(line_);
  const std::string_view verb = take_word(arguments);
  const auto is = [&](std::string_view known) { return equal_ignoring_case(verb, known); };
  if (is("EHLO") || is("HELO")) return greet(verb, arguments);
  if (is("MAIL")) return begin_mail(arguments, wire);
  if (is("RCPT")) return add_recipient(arguments, wire);
  if (is("DATA")) return begin_text(wire);
  if (is("NOOP")) return reply("250 2.0.0 OK");
  if (is("VRFY")) return reply("252 2.1.5 The mail will be taken");
  if (is("HELP")) return reply("214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT");
  if (is("RSET")) {
    mail_ = {};
    return reply("250 2.0.0 OK");
  }
  if (is("QUIT")) {
    reply("221 2.0.0 Bye");
    state_ = State::kClosing;
    return;
  }
  refuse("502 5.5.1 Command not implemented",
         fmt::format("the mail sink does not know the command \"{}\"", verb.substr(0, kMostQuoted)), wire);
}

void SmtpService::greet(std::string_view verb, std::string_view host) {
  if (host.empty()) return reply("501 5.5.4 Say who you are");
  host_ = host;
  mail_ = {};
  if (equal_ignoring_case(verb, "HELO")) return reply(fmt::format("250 {}", mock_.name));
  reply(fmt::format("250-{}\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES",
                    mock_.name, mock_.max_bytes));
}

void SmtpService::begin_mail(std::string_view arguments, Wire& wire) {
  if (host_.empty()) return decline("503 5.5.1 EHLO first", wire);
  if (!mail_.head.empty()) return decline("503 5.5.1 A mail is under way", wire);
  const std::string_view path = take_path(arguments, "FROM:");
  if (path.empty()) return decline("501 5.5.4 Write MAIL FROM:<address>", wire);
  while (!arguments.empty()) {
    const std::string_view parameter = take_word(arguments);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view name = parameter.substr(0, equals);
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (equal_ignoring_case(name, "SIZE")) {
      if (announced_size(value) > mock_.max_bytes) return decline("552 5.3.4 The mail is too large", wire);
    } else if (!equal_ignoring_case(name, "BODY")) {
      return decline("555 5.5.4 Parameter not known", wire);
    }
  }
  mail_ = {};
  mail_.head = fmt::format("MAIL FROM:{}", path);
  mail_.headers.push_back({"EHLO", host_});
  has_recipient_ = false;
  reply("250 2.1.0 OK");
}

void SmtpService::add_recipient(std::string_view arguments, Wire& wire) {
  if (mail_.head.empty()) return decline("503 5.5.1 MAIL first", wire);
  const std::string_view path = take_path(arguments, "TO:");
  if (path.size() < 3) return decline("501 5.5.4 Write RCPT TO:<address>", wire);
  if (!arguments.empty()) return decline("555 5.5.4 Parameter not known", wire);
  if (mail_.headers.size() > kMostRecipients) return decline("452 4.5.3 Too many recipients", wire);
  mail_.headers.push_back({"RCPT TO", std::string(path)});
  has_recipient_ = true;
  reply("250 2.1.5 OK");
}

void SmtpService::begin_text(Wire& wire) {
  if (mail_.head.empty() || !has_recipient_) return decline("503 5.5.1 MAIL and RCPT first", wire);
  state_ = State::kText;
  line_start_ = true;
  reply("354 End with a dot on a line by itself");
}

/// Takes text up to the line with a dot (RFC 5321 4.1.1.4), and the dots that hide such lines off (4.5.2). A
/// lone LF ends a line too.
std::size_t SmtpService::take_text(std::string_view bytes, Wire& wire) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    if (!line_start_) {
      const std::size_t newline = bytes.find('\n', taken);
      const std::size_t end = newline == std::string_view::npos ? bytes.size() : newline + 1;
      mail_.append(bytes.substr(taken, end - taken));
      line_start_ = newline != std::string_view::npos;
      taken = end;
      continue;
    }
    dot_ += bytes[taken++];
    if (dot_ == "." || dot_ == ".\r") continue;
    if (dot_ == ".\n" || dot_ == ".\r\n") {
      dot_.clear();
      end_mail(wire);
      return taken;
    }
    mail_.append(std::string_view(dot_).substr(dot_[0] == '.' ? 1 : 0));
    line_start_ = dot_.back() == '\n';
    dot_.clear();
  }
  return taken;
}

void SmtpService::end_mail(Wire& wire) {
  state_ = State::kCommand;
  if (mail_.body_bytes > mock_.max_bytes)
    return note_mail(Outcome::kUnmatched, fmt::format("the mail is larger than {} bytes", mock_.max_bytes),
                     "552 5.3.4 The mail is too large", wire);
  note_mail(Outcome::kServed, {}, "250 2.0.0 Kept, not delivered", wire);
}

void SmtpService::note_mail(Outcome outcome, std::string remark, std::string_view answer, Wire& wire) {
  Exchange exchange{ExchangeKind::kSmtp, outcome, std::move(remark), std::exchange(mail_, {}), {}};
  exchange.reply.head = answer;
  wire.note(std::move(exchange));
  reply(answer);
}

/// A command of a mail that is not taken: noted, since a real server may take it.
void SmtpService::decline(std::string_view answer, Wire& wire) {
  Exchange exchange;
  exchange.kind = ExchangeKind::kSmtp;
  exchange.outcome = Outcome::kUnmatched;
  exchange.remark = fmt::format("the mail sink answered {}", answer);
  exchange.request.head = shown_command(trim(line_)).substr(0, kMostQuoted);
  exchange.reply.head = answer;
  wire.note(std::move(exchange));
  reply(answer);
}

/// A command that a real server might know: noted, and too many of them end the connection.
void SmtpService::refuse(std::string_view answer, std::string remark, Wire& wire) {
  Exchange exchange;
  exchange.kind = ExchangeKind::kSmtp;
  exchange.outcome = Outcome::kUnmatched;
  exchange.remark = std::move(remark);
  exchange.request.head = shown_command(trim(line_)).substr(0, kMostQuoted);
  exchange.reply.head = answer;
  wire.note(std::move(exchange));
  reply(answer);
  if (++refused_ < kMostRefused) return;
  reply("421 4.7.0 Too many unknown commands");
  state_ = State::kClosing;
}

void SmtpService::settle(Wire& wire) {
  const bool sent = out_.flush(wire);
  if (finished_ || !sent || (state_ != State::kClosing && !ended_)) return;
  finished_ = true;
  wire.finish();
}

void SmtpService::on_end(Wire& wire) {
  if (state_ == State::kText)
    note_mail(Outcome::kMalformed, "the connection ended within the mail", "451 4.3.0 The mail has no end",
              wire);
  ended_ = true;
  state_ = State::kClosing;
  settle(wire);
}

void SmtpService::on_writable(Wire& wire) {
  settle(wire);
}

}  // namespace rehearse::gate
