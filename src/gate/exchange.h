// What was asked and answered on a connection that the gate mocked or passed: one exchange a request.
//
// Services and recorders make them, the gate adds where they come from, ExchangeWriter (exchange_file.h)
// hides secrets and keeps them, Recording (recording.h) answers from them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gate/mock.h"
#include "gate/rules.h"

namespace rehearse::gate {

enum class ExchangeKind : std::uint8_t {
  kHttp,
  kSmtp,    ///< one mail: the head is MAIL's command, the headers are EHLO's and RCPT's, the body is the text
  kStream,  ///< a turn of a conversation: what the client sent, then what the server sent
};

enum class Outcome : std::uint8_t {
  kServed,      ///< answered as the mock file says
  kPassed,      ///< answered by the real service
  kReplayed,    ///< answered as recorded
  kUnmatched,   ///< the mock has no answer for it: a finding
  kMalformed,   ///< not the protocol of the mock: a finding
  kDiverged,    ///< not what was recorded: a finding
  kUnanswered,  ///< the connection ended before its answer was due, or before it was whole
};
/// What became of the reply.
enum class Ending : std::uint8_t {
  kWhole,
  kCut,      ///< the connection ended within it
  kReset,    ///< the connection was reset in its place
  kSilence,  ///< none would ever have come
  kNone,     ///< the connection ended before it, however that was
};
std::string_view to_string(ExchangeKind value);
std::string_view to_string(Outcome value);
constexpr bool is_finding(Outcome value) {
  return value == Outcome::kUnmatched || value == Outcome::kMalformed || value == Outcome::kDiverged;
}
std::string_view to_string(Ending value);

/// Services and recorders hold at most this much of a body, and the file keeps it.
inline constexpr std::size_t kMostKept = 256U << 10U;

/// One side of an exchange.
struct Part {
  std::string head;              ///< the first line: "POST /hooks/1 HTTP/1.1"; empty in a stream
  std::vector<Header> headers;   ///< as they were sent
  std::string body;              ///< as much as was kept
  std::uint64_t body_bytes = 0;  ///< all there was
  std::string digest = {};       ///< SHA-256, in hex, of all there was, where it is cut and that is known
  /// In place of the body: one that several replies of a file have.
  std::shared_ptr<const std::string> shared = {};

  [[nodiscard]] const std::string& text() const { return shared ? *shared : body; }
  /// Adds to the body what there is room for.
  void append(std::string_view bytes) {
    body += bytes.substr(0, kMostKept - std::min(body.size(), kMostKept));
    body_bytes += bytes.size();
  }
  [[nodiscard]] bool cut() const { return text().size() < body_bytes; }
  friend bool operator==(const Part& a, const Part& b) {
    return a.head == b.head && a.headers == b.headers && a.text() == b.text() &&
           a.body_bytes == b.body_bytes && a.digest == b.digest;
  }
};

struct Exchange {
  ExchangeKind kind = ExchangeKind::kStream;
  Outcome outcome = Outcome::kServed;
  std::string remark;  ///< for a person: why it is a finding; may quote what the client sent; not escaped
  Part request;
  Part reply;
  Ending ending = Ending::kWhole;
  bool after_end = false;        ///< of a stream: the client had ended its side before the server spoke
  std::optional<bool> tls = {};  ///< within TLS that the gate ended; absent: not known
  friend bool operator==(const Exchange&, const Exchange&) = default;
};

/// An exchange and what the gate knows of it.
struct KeptExchange {
  std::uint64_t connection = 0;  ///< counted by the gate, from 1
  std::int64_t time_ns = 0;      ///< since the start of the run: when the exchange was complete
  Protocol protocol = Protocol::kTcp;
  std::string address;  ///< as the action asked for it
  std::uint16_t port = 0;
  std::string name;            ///< what the address was answered for; empty if nothing
  std::string rule;            ///< of a pass: the rule's text; of a mock: the place of its table
  std::uint64_t redacted = 0;  ///< secrets hidden
  Exchange exchange;
  friend bool operator==(const KeptExchange&, const KeptExchange&) = default;
};

}  // namespace rehearse::gate
