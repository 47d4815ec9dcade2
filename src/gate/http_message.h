// HTTP/1.0 and 1.1 messages, read as their bytes come (RFC 9112). What a client can choose is bounded here:
// the parser keeps at most kLargestHead bytes of a head and kMostKept of a body, however long either is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "gate/exchange.h"

namespace rehearse::gate {

inline constexpr std::size_t kLongestStartLine = 8192;
inline constexpr std::size_t kLargestHead = 65536;  ///< start line and header fields, and trailers apart
inline constexpr std::size_t kMostHeaders = 256;
inline constexpr std::uint64_t kLargestBody = std::uint64_t{1} << 40U;

struct HttpMessage {
  std::string start_line;    ///< "GET / HTTP/1.1" or "HTTP/1.1 200 OK"
  std::string method;        ///< of a request; tokens are case sensitive
  std::string target;        ///< of a request, as it was sent
  std::uint16_t status = 0;  ///< of a reply
  unsigned minor = 1;        ///< HTTP/1.minor: 0 or 1
  std::vector<Header> headers;
  std::string body;              ///< without transfer coding; its first kMostKept bytes
  std::uint64_t body_bytes = 0;  ///< of the whole body
  std::string body_digest;       ///< SHA-256 of a body that is not kept whole, in hex; of kDigested

  /// The first header of that name, whatever its case; nullptr if there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  /// True if a header of that name lists the token, as `Connection: close` does.
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;
  /// May another message follow on the connection (RFC 9112 9.3)?
  [[nodiscard]] bool keeps_alive() const;
};

/// Why a message cannot be read, and the status to answer it with.
struct HttpError {
  std::uint16_t status = 400;
  std::string why;
};

/// Reads one message after the other. Feed it until it is `complete`, take the message, `restart`.
class HttpParser {
 public:
  enum class Kind : std::uint8_t { kRequest, kReply };
  enum class State : std::uint8_t { kHead, kBody, kComplete, kBroken };

  enum class Bodies : std::uint8_t { kCut, kDigested };

  explicit HttpParser(Kind kind, Bodies bodies = Bodies::kCut) : kind_(kind), bodies_(bodies) {}

  /// Takes bytes up to the end of the message and says how many; all of them unless the message is complete
  /// or broken.
  std::size_t feed(std::string_view bytes);
  /// The peer sends no more: completes a reply that only the end delimits, and breaks any message that has
  /// begun.
  void end();
  /// Before a reply's head: the request it answers was a HEAD, whose replies have no body.
  void expect_no_body() { no_body_ = true; }
  /// Forgets the message. Not after an error: where the next message begins is not known then.
  void restart() { *this = HttpParser(kind_, bodies_); }

  [[nodiscard]] State state() const { return state_; }
  /// True once a byte of a message came.
  [[nodiscard]] bool begun() const { return state_ != State::kHead || head_bytes_ > 0; }
  /// The head is valid from kBody on, all of it in kComplete.
  [[nodiscard]] const HttpMessage& message() const { return message_; }
  [[nodiscard]] const HttpError& error() const { return error_; }
  /// The message as an exchange keeps it; of one that is broken, what was read of it.
  [[nodiscard]] Part part() const;

 private:
  enum class Framing : std::uint8_t { kSized, kUntilEnd, kChunkSize, kChunkData, kChunkEnd, kTrailer };

  std::size_t take_line(std::string_view bytes);
  void take_start_line();
  void take_request_line();
  void take_status_line();
  void take_header_line();
  void finish_head();
  void choose_framing();
  std::size_t take_body(std::string_view bytes);
  void take_chunk_size();
  void keep(std::string_view bytes);
  void body_line();
  void fail(std::uint16_t status, std::string_view why);

  Kind kind_;
  Bodies bodies_;
  std::optional<Sha256Hasher> hasher_;  ///< once the body is larger than what is kept
  State state_ = State::kHead;
  Framing framing_ = Framing::kSized;
  bool no_body_ = false;
  bool line_done_ = false;
  std::string line_;
  std::size_t head_bytes_ = 0;  ///< of the head, then of the trailers
  std::uint64_t left_ = 0;      ///< of the body or chunk
  HttpMessage message_;
  HttpError error_;
};

/// A token of RFC 9110 5.6.2, as methods and header names are.
bool is_http_token(std::string_view text);
/// True if the text can be a header's value: no controls but tabs.
bool is_http_value(std::string_view text);
/// The path of a request target, its query with it: of "http://host/p?q" it is "/p?q".
std::string_view target_path(std::string_view target);
/// "Not Found"; "Unknown" for a status without a name.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace rehearse::gate
