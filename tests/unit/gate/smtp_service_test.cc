#include "gate/smtp_service.h"

#include <catch2/catch.hpp>

#include "fake_wire.h"

using namespace rehearse::gate;

namespace {

/// The codes of the answers, in order; of an answer of several lines the last.
std::string codes(std::string_view answers) {
  std::string result;
  while (!answers.empty()) {
    const std::size_t end = answers.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    if (answers[3] == ' ') result += std::string(answers.substr(0, 3)) + " ";
    answers.remove_prefix(end + 2);
  }
  return result;
}

constexpr std::string_view kDialogue =
    "EHLO host.example\r\nMAIL FROM:<a@example.com> SIZE=40 BODY=8BITMIME\r\nRCPT TO:<b@example.com>\r\nrcpt "
    "to: <c@example.com>\r\nDATA\r\nSubject: x\r\n\r\n.. hidden\r\n...\r\n. \r\nlast\r\n.\r\nQUIT\r\n";
constexpr std::string_view kCodes = "220 250 250 250 250 354 250 221 ";
constexpr std::string_view kText = "Subject: x\r\n\r\n. hidden\r\n..\r\n \r\nlast\r\n";

}  // namespace

TEST_CASE("A mail is kept, pipelined or not, however it is cut") {
  const SmtpMock mock;
  for (const std::size_t piece : {kDialogue.size(), std::size_t{1}, std::size_t{3}, std::size_t{50}}) {
    FakeClient client(std::make_unique<SmtpService>(mock));
    client.send_slowly(kDialogue, piece);
    CHECK(codes(client.received()) == kCodes);
    CHECK(client.wire.finishes == 1);
    REQUIRE(client.wire.notes.size() == 1);
    const Exchange& mail = client.wire.notes[0];
    CHECK((mail.kind == ExchangeKind::kSmtp && mail.outcome == Outcome::kServed));
    CHECK(mail.request.head == "MAIL FROM:<a@example.com>");
    CHECK(mail.request.headers == std::vector<Header>{{"EHLO", "host.example"},
                                                      {"RCPT TO", "<b@example.com>"},
                                                      {"RCPT TO", "<c@example.com>"}});
    CHECK(mail.request.body == kText);
  }
}

TEST_CASE("EHLO says what the server can") {
  SmtpMock mock;
  mock.name = "mx.example.com";
  mock.max_bytes = 1000;
  FakeClient client(std::make_unique<SmtpService>(mock));
  CHECK(client.received() == "220 mx.example.com ESMTP\r\n");
  client.send("EHLO x\r\n");
  CHECK(
      client.received() ==
      "250-mx.example.com\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n");
  client.send("HELO x\r\n");
  CHECK(client.received() == "250 mx.example.com\r\n");
}

TEST_CASE("Commands out of order and wrong ones") {
  const SmtpMock mock;
  FakeClient client(std::make_unique<SmtpService>(mock));
  const auto answer = [&](std::string_view command) {
    client.received();
    client.send(std::string(command) + "\r\n");
    return codes(client.received());
  };
  CHECK(answer("MAIL FROM:<a@b>") == "503 ");
  CHECK(answer("EHLO") == "501 ");
  CHECK(answer("EHLO x") == "250 ");
  CHECK(answer("RCPT TO:<a@b>") == "503 ");
  CHECK(answer("DATA") == "503 ");
  CHECK(answer("MAIL FROM:a@b") == "501 ");
  CHECK(answer("MAIL FROM:<a b>") == "501 ");
  CHECK(answer("MAIL TO:<a@b>") == "501 ");
  CHECK(answer("MAIL FROM:<a@b> SIZE=99999999") == "552 ");
  CHECK(answer("MAIL FROM:<a@b> SIZE=x") == "552 ");
  CHECK(answer("MAIL FROM:<a@b> RET=HDRS") == "555 ");
  CHECK(answer("MAIL FROM:<>") == "250 ");
  CHECK(answer("MAIL FROM:<>") == "503 ");
  CHECK(answer("DATA") == "503 ");
  CHECK(answer("RCPT TO:<>") == "501 ");
  CHECK(answer("RCPT TO:<a@b> NOTIFY=NEVER") == "555 ");
  CHECK(answer("RCPT TO:<a@b>") == "250 ");
  CHECK(answer("RSET") == "250 ");
  CHECK(answer("DATA") == "503 ");
  CHECK(answer("noop") == "250 ");
  CHECK(answer("VRFY a") == "252 ");
  CHECK(answer("HELP") == "214 ");
  CHECK(client.wire.notes.size() == 14);
  client.wire.notes.clear();
  CHECK(answer("STARTTLS") == "502 ");
  CHECK(answer("AUTH PLAIN AGEAYg==") == "502 ");
  REQUIRE(client.wire.notes.size() == 2);
  CHECK(client.wire.notes[0].outcome == Outcome::kUnmatched);
  CHECK(client.wire.notes[0].remark == "the mail sink does not know the command \"STARTTLS\"");
}

TEST_CASE("Hostile clients are bounded") {
  SmtpMock mock;
  mock.max_bytes = 300000;
  FakeClient flood(std::make_unique<SmtpService>(mock));
  for (int i = 0; i < 100; ++i) flood.send("X\r\n");
  CHECK(flood.wire.notes.size() == 20);
  CHECK(flood.wire.finishes == 1);
  CHECK(flood.received().ends_with("421 4.7.0 Too many unknown commands\r\n"));

  FakeClient endless(std::make_unique<SmtpService>(mock));
  endless.send(std::string(100000, 'x'));
  CHECK(endless.wire.finishes == 1);

  FakeClient large(std::make_unique<SmtpService>(mock));
  large.send("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
  for (int i = 0; i < 40; ++i) large.send(std::string(10000, 'x'));
  large.send("\r\n.\r\n");
  CHECK(codes(large.received()) == "220 250 250 250 354 552 ");
  CHECK(large.wire.notes.at(0).request.body.size() == kMostKept);
  CHECK(large.wire.notes.at(0).request.body_bytes == 400002);

  FakeClient crowd(std::make_unique<SmtpService>(mock));
  crowd.send("EHLO x\r\nMAIL FROM:<a@b>\r\n");
  crowd.received();
  for (int i = 0; i < 100; ++i) crowd.send("RCPT TO:<a@b>\r\n");
  crowd.received();
  crowd.send("RCPT TO:<a@b>\r\n");
  CHECK(codes(crowd.received()) == "452 ");

  FakeClient deaf(std::make_unique<SmtpService>(mock));
  deaf.wire.room = 0;
  for (int i = 0; i < 1000; ++i) deaf.send("HELP\r\n");
  CHECK(deaf.unread() > 5000);
}

TEST_CASE("A connection that ends within a mail") {
  const SmtpMock mock;
  FakeClient client(std::make_unique<SmtpService>(mock));
  client.send("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nhalf");
  client.end();
  REQUIRE(client.wire.notes.size() == 1);
  CHECK(client.wire.notes[0].outcome == Outcome::kMalformed);
  CHECK(client.wire.notes[0].request.body == "half");
  CHECK(client.wire.finishes == 1);
}

TEST_CASE("What the sink does not take is noted, and a quoted local part is taken") {
  SmtpMock mock;
  mock.max_bytes = 1024;
  FakeClient client(std::make_unique<SmtpService>(mock));
  client.send(
      "EHLO x\r\nMAIL FROM:<a@b> SIZE=5000\r\nRCPT TO:<c@d>\r\nMAIL FROM:<a@b> SMTPUTF8\r\nMAIL FROM:a\r\n");
  REQUIRE(client.wire.notes.size() == 4);
  for (const Exchange& exchange : client.wire.notes) CHECK(exchange.outcome == Outcome::kUnmatched);
  CHECK(client.wire.notes[0].reply.head == "552 5.3.4 The mail is too large");
  CHECK(client.wire.notes[0].request.head == "MAIL FROM:<a@b> SIZE=5000");
  client.received();
  client.send("MAIL FROM:<\"a >b\"@x.org>\r\nRCPT TO:<\"a\\\" b\"@x.org>\r\n");
  CHECK(client.received() == "250 2.1.0 OK\r\n250 2.1.5 OK\r\n");
  CHECK(client.wire.notes.size() == 4);
}
